import { MasterError } from "../base/errors.ts";
import { LocalAccount } from "../target/local_account.ts";
import { hashOf } from "./identity.ts";

/** The keeper's own protocol; a Carpool with another number runs a keeper of its own beside. */
export const KEEPER_PROTOCOL = 1;

/** Keepers of other protocol versions share the directory, and must not take our sockets for theirs. */
const MASTER_PREFIX = `m${KEEPER_PROTOCOL}-`;

/** `sun_path` less the 18 bytes that OpenSSH needs for its temporary name; Linux has 108 in all, macOS 104. */
const MAX_SOCKET_PATH_BYTES = (Deno.build.os === "darwin" ? 104 : 108) - 1 - 18;

// Paths are put together by hand here: loading node:path costs a short command 9 ms, a third of what it takes in all.

/** Where one user's keeper lives: a private directory on this machine. */
export interface Place {
  /** Mode 0700, ours. */
  readonly directory: string;
  /** The keeper's own socket. */
  readonly keeperSocket: string;
  readonly logFile: string;
  /** Held while a keeper is being started. */
  readonly lockFile: string;
  /** Where a master of this identity has its control socket. */
  masterSocket(key: string): string;
  /** Whether a file of this name in the directory is a control socket of this keeper's, finished or not. */
  isMasterSocket(name: string): boolean;
}

/**
 * The places to look for a keeper, the best first, found without relying on the environment: cron jobs, sudo and
 * systemd units have no XDG_RUNTIME_DIR. `/run/user/<uid>/carpool` where that is ours, else below the home, by host
 * name, because homes may be shared between machines. Whoever works with another HOME than the account's (a sandbox, a
 * test) has a keeper of its own there. Nothing is made yet.
 */
export async function places(environment: Readonly<Record<string, string>> = {}): Promise<Place[]> {
  const found: Place[] = [];
  const { uid, hostName, home } = await whoWeAre(environment);
  const runtime = `/run/user/${uid}`;
  if (isOurs(runtime, uid) && await isAccountHome(home)) {
    found.push(placeAt(`${runtime}/carpool`));
  }
  const machine = hostName.length <= 20
    ? hostName
    : `${hostName.slice(0, 11)}-${(await hashOf(hostName)).slice(0, 8)}`;
  if (home) found.push(placeAt(`${home}/.local/state/carpool/${machine}`));
  return found;
}

async function whoWeAre(environment: Readonly<Record<string, string>>) {
  try {
    const home = (environment.HOME || Deno.env.get("HOME") || await accountHome())?.replace(/(?<=.)\/+$/, "");
    return { uid: Deno.uid(), hostName: Deno.hostname(), home };
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new MasterError("no-keeper", {
      what: "Cannot look for the keeper",
      why: cause.message.replace(/, run again.*/s, ""),
      fix: "run with --allow-sys=uid,hostname --allow-env=HOME",
      cause,
      outcome: "not-started",
    });
  }
}

async function isAccountHome(home: string | undefined): Promise<boolean> {
  const account = await accountHome();
  return home === undefined || account === undefined || home === account;
}

async function accountHome(): Promise<string | undefined> {
  try {
    return (await LocalAccount.load({})).home;
  } catch {
    return undefined; // an account without an entry, as in some containers
  }
}

/** The names of everything in such a directory. */
export function placeAt(directory: string): Place {
  return {
    directory,
    keeperSocket: `${directory}/keeper-${KEEPER_PROTOCOL}.sock`,
    logFile: `${directory}/keeper-${KEEPER_PROTOCOL}.log`,
    lockFile: `${directory}/keeper-${KEEPER_PROTOCOL}.lock`,
    masterSocket: (key) => `${directory}/${MASTER_PREFIX}${key}.sock`,
    isMasterSocket: (name) => name.startsWith(MASTER_PREFIX),
  };
}

// Looked at at once: an answer by way of another thread takes ten times as long as one look at a local directory.
function isOurs(path: string, uid: number | null): boolean {
  try {
    const info = Deno.lstatSync(path);
    return info.isDirectory && info.uid === uid;
  } catch {
    return false; // not there, or not for us to see
  }
}

/** Makes the directory if need be; throws `MasterError` when it is not ours alone. */
export async function makePrivate(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const info = await Deno.lstat(directory);
  if (!info.isDirectory || info.uid !== Deno.uid() || (info.mode! & 0o077) !== 0) {
    throw new MasterError("bad-path", {
      what: "Cannot use the directory for sockets",
      where: directory,
      why: info.uid !== Deno.uid() ? "it belongs to somebody else" : "it is open to others",
      fix: `remove it, or run: chmod 700 ${directory}`,
      outcome: "not-started",
    });
  }
}

/** Throws `MasterError` for a path that no socket can have, before anything is dialled or bound. */
export function checkSocketPath(path: string): void {
  const length = new TextEncoder().encode(path).length;
  if (length <= MAX_SOCKET_PATH_BYTES) return;
  throw new MasterError("bad-path", {
    what: "Cannot use this control path",
    where: path,
    why: `it has ${length} bytes, and a socket path may have at most ${MAX_SOCKET_PATH_BYTES}`,
    fix: "use a shorter ControlPath, such as one with %C",
    outcome: "not-started",
  });
}

/**
 * Throws `MasterError` for a path that somebody named (`-M -S path`) where others could put a socket of their own in
 * place of ours: its directory must be ours alone to write to, or root's, or sticky as /tmp is.
 */
export async function checkSocketDirectory(path: string): Promise<void> {
  checkSocketPath(path);
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  const refuse = (why: string, fix: string, cause?: unknown): never => {
    const parts = {
      what: "Cannot use this control path",
      where: path,
      why: `${directory}: ${why}`,
      fix,
      cause,
    };
    throw new MasterError("bad-path", { ...parts, outcome: "not-started" });
  };
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(directory);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such directory" : String(cause);
    return refuse(why, `make it: mkdir -m 700 ${directory}`, cause);
  }
  const mode = info.mode ?? 0;
  const trusted = info.uid === Deno.uid() || info.uid === 0;
  const shared = (mode & 0o022) !== 0;
  const sticky = (mode & 0o1000) !== 0;
  if (!info.isDirectory) refuse("that is no directory", "use another ControlPath");
  if (!trusted) refuse("it belongs to somebody else", "use a directory of your own");
  if (shared && !sticky) refuse("others may write to it", "use a directory of your own, mode 0700");
}

/** What lies at a socket path. Somebody else's socket, or one open to others, is never spoken to. */
export function inspectSocket(path: string): "missing" | "socket" {
  checkSocketPath(path);
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return "missing";
    const noPermission = cause instanceof Deno.errors.NotCapable;
    throw new MasterError(noPermission ? "no-keeper" : "bad-path", {
      what: "Cannot look at the control path",
      where: path,
      why: noPermission
        ? "this program may not read it"
        : cause instanceof Error
        ? cause.message
        : String(cause),
      fix: noPermission ? "run with --allow-read" : undefined,
      cause,
      outcome: "not-started",
    });
  }
  const why = !info.isSocket
    ? "there is something else than a socket"
    : info.uid !== Deno.uid()
    ? "the socket belongs to somebody else"
    : (info.mode! & 0o077) !== 0
    ? "the socket is open to others"
    : undefined;
  if (why === undefined) return "socket";
  throw new MasterError("foreign-socket", {
    what: "Cannot use this control path",
    where: path,
    why,
    fix: "remove it, or use another ControlPath",
    outcome: "not-started",
  });
}
