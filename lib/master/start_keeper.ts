import { MasterError } from "../base/errors.ts";
import { setTimeout as delay } from "node:timers/promises";
import { dialPlace } from "./keeper_client.ts";
import type { LineConn } from "./keeper_protocol.ts";
import { makePrivate, type Place } from "./places.ts";

/** A keeper must be up within this time, or the caller goes on with a connection of its own. */
const START_DEADLINE_MS = 5_000;
const POLL_MS = 10;

const ENTRY = import.meta.resolve("./keeper_main.ts");

/**
 * The keeper's program, as a module. Nobody calls this: that it stands here puts the program into the module graph, so
 * that whoever imports us by URL has all of it cached when the origin is gone.
 */
export const keeperProgram = () => import("./keeper_main.ts");

/**
 * Starts the keeper of a place, or finds the one that somebody else has just started: whoever comes at the same time
 * waits at a lock file for the first. Throws `MasterError` ("no-keeper") with the reason where it cannot be.
 */
export async function startKeeper(place: Place): Promise<LineConn> {
  if (Deno.build.standalone) throw noKeeper(place, "a compiled program has no runtime to start it with");
  try {
    await makePrivate(place.directory);
    using lock = await Deno.open(place.lockFile, { create: true, write: true, mode: 0o600 });
    await lock.lock(true);
    const running = await dialPlace(place);
    if (running) return running;
    await Deno.remove(place.keeperSocket).catch(ignoreMissing); // dead, and we hold the lock
    return await spawn(place);
  } catch (error) {
    if (error instanceof MasterError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw noKeeper(place, why, error);
  }
}

async function spawn(place: Place): Promise<LineConn> {
  const env: Record<string, string> = {};
  for (
    const name of [
      "HOME",
      "DENO_DIR",
      "XDG_CACHE_HOME",
      "PATH",
      "NPM_CONFIG_REGISTRY",
      "TMPDIR",
      "USER",
      "LOGNAME",
    ]
  ) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--no-lock",
      "--node-modules-dir=none",
      "--no-prompt",
      "--quiet",
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-run",
      "--allow-sys",
      ENTRY,
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
  const failed = child.status.then((status) => status.code);
  const deadline = performance.now() + START_DEADLINE_MS;
  while (performance.now() < deadline) {
    const code = await Promise.race([
      failed,
      delay(POLL_MS),
    ]);
    const line = await dialPlace(place);
    if (line) return line;
    if (typeof code === "number") throw noKeeper(place, `it ended with status ${code}`);
  }
  child.kill("SIGKILL");
  throw noKeeper(place, `it was not up within ${START_DEADLINE_MS / 1000} s`);
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
