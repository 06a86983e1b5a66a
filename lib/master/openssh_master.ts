import { HostKeyError, LinkError, type LinkErrorCode, MasterError } from "../base/errors.ts";
import type { Link } from "../channel/link.ts";
import { join } from "../deps/node_path.ts";
import { ControlClient, openControlLink } from "../link/control_link.ts";
import { printable } from "../target/printable.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target, TargetOptions } from "../target/target.ts";
import { endOpenSshMaster } from "./openssh_end.ts";
import { openSshArguments } from "./openssh_arguments.ts";
import { leash } from "./openssh_leash.ts";
import { checkSocketPath, inspectSocket, makePrivate, places } from "./places.ts";
import { SameConfig } from "./same_config.ts";

export interface OpenSshStart {
  /** What the target was resolved with. */
  readonly options: TargetOptions;
  readonly prompter: Prompter;
  readonly signal?: AbortSignal;
  /** Called with the control socket of a private connection, by which another `ssh` can ride it. */
  readonly onSocket?: (controlPath: string) => void;
}

/** The installed `ssh`, found as a shell would with this environment. */
export async function findSsh(environment: Readonly<Record<string, string>>): Promise<string | undefined> {
  for (const directory of (environment.PATH || "/usr/local/bin:/usr/bin:/bin").split(":")) {
    if (!directory.startsWith("/")) continue; // never what happens to lie where we are
    const path = `${directory}/ssh`;
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile && (info.mode! & 0o111) !== 0) return path;
  }
  return undefined;
}

/**
 * Finds the live master that Carpool started at a path of its own, or starts `ssh` as one, detached: what it has to
 * ask, it asks on our terminal. Whoever comes meanwhile waits at a lock file. Resolves with its process id. Throws
 * `LinkError` or `HostKeyError` in ssh's own words.
 */
async function openSshMaster(
  target: Target,
  controlPath: string,
  start: OpenSshStart,
): Promise<number> {
  const running = await pidOf(controlPath);
  if (running !== undefined) return running;
  using lock = await Deno.open(`${controlPath}.lock`, { create: true, write: true, mode: 0o600 });
  await lock.lock(true);
  const meanwhile = await pidOf(controlPath);
  if (meanwhile !== undefined) return meanwhile;
  await Deno.remove(controlPath).catch(ignoreMissing); // dead, and we hold the lock: ssh would not replace it
  await spawnSsh(target, controlPath, start);
  const pid = await pidOf(controlPath);
  if (pid !== undefined) return pid;
  throw new MasterError("gone", {
    what: "Cannot ride the OpenSSH master that was just started",
    where: target.where,
    why: "it has left already",
    fix: `try it by hand: ssh -v -M -N ${target.destination.alias}`,
    outcome: "not-started",
  });
}

/** As {@linkcode openSshMaster}, at a path named after `key` in the first directory for sockets that can be had. */
export async function ensureOpenSshMaster(
  target: Target,
  key: string,
  start: OpenSshStart,
): Promise<{ readonly controlPath: string; readonly pid: number }> {
  const [place] = await places(target.environment);
  if (place === undefined) {
    throw new MasterError("no-keeper", {
      what: "Cannot start an OpenSSH master",
      where: target.where,
      why: "there is no directory for its socket (HOME is not set)",
      outcome: "not-started",
    });
  }
  await makePrivate(place.directory);
  const controlPath = join(place.directory, `ssh-${key}`);
  checkSocketPath(controlPath);
  return { controlPath, pid: await openSshMaster(target, controlPath, start) };
}

/** A connection of this process's own, made by the installed `ssh`: it ends when the link does. */
export async function openPrivateOpenSshLink(target: Target, start: OpenSshStart): Promise<Link> {
  const key = crypto.randomUUID().slice(0, 8);
  const { controlPath } = await ensureOpenSshMaster(target, key, start);
  try {
    const link = await openControlLink(controlPath, target.where);
    const letGo = leash((await findSsh(target.environment))!, controlPath, target.environment);
    link.closed.then(() => endOpenSshMaster(controlPath)).catch(() => {}) // it has ended by itself
      .then(letGo);
    start.onSocket?.(controlPath);
    return link;
  } catch (error) {
    await endOpenSshMaster(controlPath);
    throw error;
  } finally {
    await Deno.remove(`${controlPath}.lock`);
  }
}

/** The live master's process id; undefined where nobody listens. Throws for one that is wedged. */
async function pidOf(controlPath: string): Promise<number | undefined> {
  if (inspectSocket(controlPath) === "missing") return undefined;
  try {
    using client = await ControlClient.connect(controlPath);
    return await client.alive();
  } catch (error) {
    if (error instanceof MasterError && error.code === "gone") return undefined;
    throw error;
  }
}

async function spawnSsh(target: Target, controlPath: string, start: OpenSshStart): Promise<void> {
  const { options, prompter, signal } = start;
  const ssh = await findSsh(target.environment);
  if (ssh === undefined) {
    throw new LinkError("incompatible", {
      what: "Cannot connect with OpenSSH",
      where: target.where,
      why: "no ssh is installed",
      fix: 'install openssh-client, or connect with via: "ssh2"',
      outcome: "not-started",
    });
  }
  signal?.throwIfAborted();
  await using config = await SameConfig.make(
    target,
    options.configFile,
    () => Promise.resolve(`${controlPath}.config`),
  );
  const args = openSshArguments(target, { options, controlPath, batch: !prompter.interactive });
  const child = new Deno.Command(ssh, {
    args: [...config.options, ...args],
    env: { ...target.environment },
    clearEnv: true,
    cwd: "/", // it keeps its directory
    stdin: "inherit", // passwords are asked for at /dev/tty; this is for those who look whether there is a terminal
    stdout: "null",
    stderr: "piped", // from OpenSSH 8.5 on it lets go of it in the background; before, nobody reads, nothing breaks
  }).spawn();
  const abort = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  const said = linesOf(child.stderr, (line) => prompter.interactive && prompter.notice(line));
  const { success } = await child.status;
  signal?.removeEventListener("abort", abort);
  const lines = await said.end();
  signal?.throwIfAborted();
  if (!success) throw failure(target, lines);
}

/** Hands each line on as it comes, and keeps the last ones. */
function linesOf(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  const kept: string[] = [];
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const take = (line: string) => {
    const text = printable(line.trimEnd());
    if (text === "") return;
    kept.push(text);
    if (kept.length > 20) kept.shift();
    onLine(text);
  };
  let rest = "";
  const reading = (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const lines = (rest + decoder.decode(read.value, { stream: true })).split("\n");
      rest = lines.pop()!;
      lines.forEach(take);
    }
  })();
  return {
    /** The process has ended; the daemon that it left behind may hold the stream open, and says nothing more. */
    end: async (): Promise<readonly string[]> => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([reading, new Promise((resolve) => timer = setTimeout(resolve, 100))]);
      clearTimeout(timer);
      await reader.cancel();
      take(rest);
      return kept;
    },
  };
}

/** What ssh says, and what it means here. */
const MEANINGS: readonly (readonly [RegExp, LinkErrorCode])[] = [
  [/permission denied|too many authentication failures|no supported authentication/i, "auth-failed"],
  [/could not resolve hostname/i, "unknown-host"],
  [/connection refused/i, "refused"],
  [/timed out/i, "timeout"],
  [/no route to host|network is unreachable/i, "unreachable"],
  [/unknown port 65535|proxy/i, "proxy-failed"],
];

function failure(target: Target, lines: readonly string[]): LinkError | HostKeyError {
  const text = lines.join("\n");
  const parts = {
    what: "Cannot connect with OpenSSH",
    where: target.where,
    why: lines.at(-1) ?? "ssh failed without a word",
    outcome: "not-started",
  } as const;
  if (/host key verification failed/i.test(text)) {
    const changed = /identification has changed/i.test(text);
    const why = changed ? "the host key has changed" : "the host key is not known, or was not accepted";
    const fix = changed
      ? "find out why, then remove the old key with ssh-keygen -R"
      : "connect from a terminal once, or set strictHostKeyChecking: accept-new";
    return new HostKeyError(changed ? "changed" : "unknown", { ...parts, why, fix });
  }
  const code = MEANINGS.find(([pattern]) => pattern.test(text))?.[1] ?? "handshake-failed";
  return new LinkError(code, { ...parts, fix: `try it by hand: ssh -v ${target.destination.alias}` });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
