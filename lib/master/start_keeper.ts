import { MasterError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { setTimeout as delay } from "node:timers/promises";
import { dialPlace } from "./keeper_client.ts";
import type { LineConn } from "./keeper_protocol.ts";
import { FileLog } from "./log.ts";
import { makePrivate, type Place } from "./places.ts";

/**
 * A keeper must be up within 5 s, or the caller goes on with a connection of its own. The time is counted in turns of
 * 20 ms: where fifty processes start at once on two cores, turns take longer, and so may the keeper.
 */
const POLL_MS = 20;
const START_TURNS = 5_000 / POLL_MS;

/** Whoever finds another one at the start waits longer than that one can need. */
const LOCK_TURNS = 4 * START_TURNS;

const ENTRY = import.meta.resolve("./keeper_main.ts");

/** What the keeper is to know of the environment: where its programs and packages are. Not what connections need. */
const VARIABLES = [
  "HOME",
  "DENO_DIR",
  "XDG_CACHE_HOME",
  "PATH",
  "USER",
  "LOGNAME",
  "LANG",
  // What reaching the package registry may take: beside a package.json nobody has fetched the packages before us.
  "NPM_CONFIG_REGISTRY",
  ...["DENO_CERT", "DENO_TLS_CA_STORE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"],
];

/**
 * The keeper's program, as a module. Nobody calls this: that it stands here puts the program into the module graph, so
 * that whoever imports us by URL has all of it cached when the origin is gone.
 */
export const keeperProgram = () => import("./keeper_main.ts");

export interface StartOptions {
  /** The keeper whose socket has this inode was found wedged: it is not asked again, but replaced. */
  readonly wedgedInode?: number | null;
  /** For tests: another program in place of the keeper's. */
  readonly program?: string;
}

/**
 * Starts the keeper of a place, or finds the one that somebody else has just started: of all who come at the same time
 * one holds the lock file and starts it, under the lock replacing what a dead or a wedged keeper has left. Throws
 * `MasterError` ("no-keeper") with the reason where it cannot be.
 */
export async function startKeeper(place: Place, options: StartOptions = {}): Promise<LineConn> {
  const under = starting.get(place.directory);
  if (under !== undefined) {
    // A fleet's hosts come together: one of them starts it, the others wait for that one, and fail as it does.
    await under;
    const running = await dialUnlessWedged(place, options.wedgedInode);
    if (running) return running;
  }
  const start = startAlone(place, options);
  starting.set(place.directory, start);
  try {
    return await start;
  } finally {
    if (starting.get(place.directory) === start) starting.delete(place.directory);
  }
}

/** Starts that are under way in this process, by directory. */
const starting = new Map<string, Promise<LineConn>>();

async function startAlone(place: Place, options: StartOptions): Promise<LineConn> {
  if (Deno.build.standalone) throw noKeeper(place, "a compiled program has no runtime to start it with");
  try {
    await makePrivate(place.directory);
    using lock = await Deno.open(place.lockFile, { create: true, write: true, mode: 0o600 });
    for (let turn = 0; turn < LOCK_TURNS; turn++) {
      const locked = await lock.tryLock(true);
      const running = await dialUnlessWedged(place, options.wedgedInode);
      if (running) return running;
      if (locked) {
        await removeSockets(place);
        return await spawn(place, options.program ?? ENTRY);
      }
      await delay(POLL_MS);
    }
    throw noKeeper(place, "another process has been starting it for too long");
  } catch (error) {
    if (error instanceof MasterError) throw error;
    throw noKeeper(place, systemWhy(error), error);
  }
}

/** The inode of the keeper's socket; null when there is none. */
export function keeperInode(place: Place): number | null {
  try {
    return Deno.lstatSync(place.keeperSocket).ino;
  } catch {
    return null;
  }
}

async function dialUnlessWedged(
  place: Place,
  wedgedInode: number | null | undefined,
): Promise<LineConn | undefined> {
  if (wedgedInode != null && keeperInode(place) === wedgedInode) return undefined;
  try {
    return await dialPlace(place);
  } catch (error) {
    if (error instanceof MasterError && error.code === "wedged") return undefined;
    throw error;
  }
}

/**
 * Takes away the sockets of a keeper that is dead or wedged, and of its masters: nobody is to be sent there. A wedged
 * one that comes to itself sees that they are gone, lets its sessions finish and leaves. Only under the lock.
 */
async function removeSockets(place: Place): Promise<void> {
  const log = new FileLog(place.logFile);
  const doomed = [];
  for await (const { name } of Deno.readDir(place.directory)) {
    if (place.isMasterSocket(name)) doomed.push(`${place.directory}/${name}`);
  }
  if (keeperInode(place) !== null) {
    log.info(`replacing a keeper that is dead or does not answer, and ${doomed.length} control sockets`);
    doomed.push(place.keeperSocket);
  }
  for (const path of doomed) await Deno.remove(path).catch(ignoreMissing);
}

async function spawn(place: Place, program: string): Promise<LineConn> {
  const env: Record<string, string> = {};
  for (const name of VARIABLES) {
    try {
      const value = Deno.env.get(name);
      if (value !== undefined) env[name] = value;
    } catch {
      // A program that may not read this one: the keeper does without it too.
    }
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--no-lock",
      "--node-modules-dir=none",
      "--no-prompt",
      "--quiet",
      // A hundred logins at once would let the space for young objects grow to 16 MB and leave it so: a host costs half
      // as much memory with this, and no more of the processor.
      "--v8-flags=--max-semi-space-size=2",
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-run",
      "--allow-sys",
      ...importPermission(program),
      program,
      place.directory,
    ],
    env,
    clearEnv: true,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true, // setsid: no terminal of ours, no signal of our group
  }).spawn();
  child.unref();
  const ended = child.status.then(({ code }) => code);
  for (let turn = 0; turn < START_TURNS; turn++) {
    const code = await Promise.race([ended, delay(POLL_MS)]);
    const line = await dialUnlessWedged(place, undefined);
    if (line) return line;
    if (typeof code === "number") throw noKeeper(place, `it ended with status ${code}`);
  }
  child.kill("SIGKILL");
  throw noKeeper(place, "it was not up within 5 s");
}

/** A keeper that was imported by URL comes from its origin, or rather from the cache of it. */
function importPermission(program: string): string[] {
  const { protocol, host } = new URL(program);
  return protocol === "file:" ? [] : [`--allow-import=${host}`];
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function noKeeper(place: Place, why: string, cause?: unknown): MasterError {
  return new MasterError("no-keeper", {
    what: "Cannot start the keeper",
    where: place.directory,
    why,
    cause,
    outcome: "not-started",
  });
}
