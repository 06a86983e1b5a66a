import { MasterError } from "../base/errors.ts";
import type { ConnectionKind } from "../base/run_event.ts";
import type { Link } from "../channel/link.ts";
import { openControlLink } from "../link/control_link.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target, TargetOptions } from "../target/target.ts";
import { hashOf, identityKey } from "./identity.ts";
import { askToOpen, dialPlace, isKeeperGone, type Opened } from "./keeper_client.ts";
import type { KeeperRequest, LineConn } from "./keeper_protocol.ts";
import { liveNamedMaster, pidOfMaster } from "./named_master.ts";
import { checkSocketDirectory, inspectSocket, type Place, places } from "./places.ts";
import { keeperInode, startKeeper } from "./start_keeper.ts";

export interface RideOptions {
  readonly prompter: Prompter;
  readonly signal?: AbortSignal;
  /**
   * Options that were given explicitly and that cannot be known of an OpenSSH master (identity, jump, forwarding,
   * ciphers …): with any of them such a master is not ridden.
   */
  readonly unknowable?: readonly string[];
  /** Bind the control socket at the target's ControlPath (`-M -S path`). */
  readonly bind?: boolean;
  /** The control path was asked for by name (`-S path`): what cannot be used there is an error, no reason to look on. */
  readonly pathAskedFor?: boolean;
  readonly lingerMs?: number;
  readonly maxSessions?: number;
  /** Have the installed `ssh` make the connection, with what the target was resolved with, and ride that. */
  readonly openSsh?: TargetOptions;
  /** A master of the keeper's has not answered within its deadline: the keeper itself need not be given as long again. */
  readonly suspect?: boolean;
}

/** For the hello of a keeper that is suspect, in milliseconds. */
const SUSPECT_DEADLINE_MS = 1_000;

/** A master that was boarded, and how it came about. */
export interface Ride {
  readonly link: Link;
  readonly kind: ConnectionKind;
  /** Where it was boarded. */
  readonly controlPath: string;
}

type OpenRequest = Extract<KeeperRequest, { type: "open" }>;

/**
 * Boards the master for a target: one that is alive at its ControlPath, our own of the same identity, or one that the
 * keeper makes now. Throws the errors of connecting, and `MasterError`: `foreign-socket` or `bad-path` for a path that
 * was asked for by name, any other where no keeper can be had: the caller then makes a private connection, and says so.
 */
export async function ride(target: Target, options: RideOptions): Promise<Ride> {
  const paths = namedPaths(target, options);
  for (let attempt = 1;; attempt++) {
    const live = await boardLive(target, paths, options);
    if (live && live !== "wedged") return live;
    const asking = live === "wedged" ? { ...options, suspect: true } : options;
    const { controlPath, started, info } = await openOrRide(target, paths, asking);
    try {
      const link = await openControlLink(controlPath, target.where);
      const kind = info.kind === "openssh" ? "openssh-master" : started ? "new" : "carpool-master";
      return { link, kind, controlPath };
    } catch (error) {
      // It may have left between the two: once more, then the truth.
      if (attempt >= 3 || !(error instanceof MasterError) || error.code !== "gone") throw error;
    }
  }
}

/** Finds or starts the master without boarding it (`carpool open`). */
export async function openMaster(target: Target, options: RideOptions): Promise<Opened> {
  if (options.bind && target.controlPath) {
    // Said before anything is dialled.
    await checkSocketDirectory(target.controlPath);
    inspectSocket(target.controlPath);
    const request = await requestFor(target, options);
    return await askForOwn(target, { ...request, controlPath: target.controlPath }, options);
  }
  return await openOrRide(target, namedPaths(target, options), options);
}

async function openOrRide(target: Target, paths: readonly string[], options: RideOptions): Promise<Opened> {
  const request = await requestFor(target, options);
  const named = await liveNamedMaster(paths, options.prompter);
  if (named === undefined) return await askForOwn(target, request, options);
  try {
    const unknowable = options.unknowable ?? [];
    const key = `r${await hashOf(named.controlPath)}`;
    return await askKeeper(target, { ...request, key, ride: { ...named, unknowable } }, options);
  } catch (error) {
    if (!(error instanceof MasterError) || error.code !== "mismatch") throw error;
    options.prompter.notice(`${error.what}: ${error.where}: ${error.why}; a connection of its own is used`);
    return await askForOwn(target, request, options);
  }
}

/** A master of Carpool's: the keeper's own connection, or an OpenSSH master that is started here and ridden there. */
async function askForOwn(target: Target, request: OpenRequest, options: RideOptions): Promise<Opened> {
  if (options.openSsh === undefined) return await askKeeper(target, request, options);
  const { ensureOpenSshMaster } = await import("./openssh_master.ts");
  const { prompter, signal } = options;
  const master = await ensureOpenSshMaster(target, request.key, {
    options: options.openSsh,
    prompter,
    signal,
  });
  const ride = { ...master, unknowable: [], ours: true };
  return await askKeeper(target, { ...request, ride }, options);
}

/** Whoever makes the connection is part of the identity. */
async function keyOf(target: Target, options: Pick<RideOptions, "openSsh">): Promise<string> {
  return `${options.openSsh ? "o" : ""}${await identityKey(target)}`;
}

/** Where a live master for the target has its socket: our own, or one at its ControlPath. Starts nothing. */
export async function findControlPath(
  target: Target,
  options: Pick<RideOptions, "prompter" | "pathAskedFor" | "openSsh">,
): Promise<string | undefined> {
  const named = await liveNamedMaster(namedPaths(target, options), options.prompter);
  if (named || options.pathAskedFor) return named?.controlPath;
  const key = await keyOf(target, options);
  for (const place of await places(target.environment)) {
    const path = place.masterSocket(key);
    if (await pidOfMaster(path) !== undefined) return path;
  }
  return undefined;
}

/**
 * Boards a master of the keeper's without asking the keeper: one connect, one turn of a local socket. Where the target
 * has a ControlPath at which something lies, that comes first: the keeper's link to it, if it rides it already.
 */
async function boardLive(
  target: Target,
  paths: readonly string[],
  options: RideOptions,
): Promise<Ride | "wedged" | undefined> {
  // With such options the keeper must say whether a master at a named path is ours, and the same.
  if (paths.length > 0 && options.unknowable?.length) return undefined;
  const keys = paths.length === 0
    ? [await keyOf(target, options)]
    : await Promise.all(paths.map(async (path) => `r${await hashOf(path)}`));
  for (const place of await places(target.environment)) {
    for (const key of keys) {
      const controlPath = place.masterSocket(key);
      const link = await board(controlPath, target.where);
      if (link === "wedged") return link;
      if (link) return { link, kind: /^[ro]/.test(key) ? "openssh-master" : "carpool-master", controlPath };
    }
  }
  return undefined;
}

async function board(path: string, where: string): Promise<Link | "wedged" | undefined> {
  if (inspectSocket(path) === "missing") return undefined;
  try {
    return await openControlLink(path, where);
  } catch (error) {
    // Dead: the keeper replaces it. Wedged: it is the keeper that hangs, and `askKeeper` evicts it.
    if (!(error instanceof MasterError)) throw error;
    if (error.code === "gone") return undefined;
    if (error.code === "wedged") return "wedged";
    throw error;
  }
}

async function requestFor(target: Target, options: RideOptions): Promise<OpenRequest> {
  return {
    type: "open",
    key: await keyOf(target, options),
    target: forKeeper(target),
    lingerMs: options.lingerMs === Infinity ? "forever" : options.lingerMs,
    maxSessions: options.maxSessions,
    interactive: options.prompter.interactive,
  };
}

/**
 * Where something lies at the target's ControlPath, as this OpenSSH and others would write it. What is no socket of ours
 * is an error when the path was asked for by name, and else left alone.
 */
function namedPaths(
  target: Target,
  { prompter, pathAskedFor }: Pick<RideOptions, "prompter" | "pathAskedFor">,
): string[] {
  if (target.controlPath === undefined) return [];
  const found: string[] = [];
  for (const path of [target.controlPath, ...target.controlPathAlternatives]) {
    try {
      if (inspectSocket(path) === "socket") found.push(path);
    } catch (error) {
      if (!(error instanceof MasterError) || pathAskedFor) throw error;
      if (path === target.controlPath) {
        prompter.notice(`The ControlPath is not used: ${path}: ${error.why}`);
      }
    }
  }
  return found;
}

async function askKeeper(target: Target, request: OpenRequest, options: RideOptions): Promise<Opened> {
  for (let attempt = 1;; attempt++) {
    const line = await keeperLine(target, options.suspect ? SUSPECT_DEADLINE_MS : undefined);
    try {
      return await askToOpen(line, request, options.prompter, options.signal);
    } catch (error) {
      // An idle keeper leaves at its own time, perhaps just as we came.
      if (!isKeeperGone(error) || attempt >= 3 || options.signal?.aborted) throw error;
    } finally {
      line.close();
    }
  }
}

/** The running keeper, wherever it lives; or else a new one in the best place that works. */
async function keeperLine(target: Target, deadlineMs: number | undefined): Promise<LineConn> {
  const all = await places(target.environment);
  for (const place of all) {
    const wedgedInode = keeperInode(place); // looked at before it is dialled: a new one has another
    try {
      const line = await dialPlace(place, deadlineMs);
      if (line) return line;
    } catch (error) {
      if (!(error instanceof MasterError) || error.code !== "wedged") throw error;
      return await startKeeper(place, { wedgedInode });
    }
  }
  return await startSomewhere(all);
}

async function startSomewhere(all: readonly Place[]): Promise<LineConn> {
  let failure: unknown;
  for (const place of all) {
    try {
      return await startKeeper(place);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure ?? new MasterError("no-keeper", {
    what: "Cannot start the keeper",
    why: "there is no directory for its socket (HOME is not set)",
    outcome: "not-started",
  });
}

/**
 * What one connection needs of the caller's environment, and no more: it goes to the keeper for this connection only.
 * A ProxyCommand may read anything.
 */
function forKeeper(target: Target): Target {
  const all = target.proxyCommand !== undefined ||
    target.jumps.some((jump) => jump.proxyCommand !== undefined);
  const names = ["HOME", "PATH", "SHELL", "USER", "LOGNAME", "SSH_AUTH_SOCK"];
  const environment = all
    ? target.environment
    : Object.fromEntries(Object.entries(target.environment).filter(([name]) => names.includes(name)));
  return {
    ...target,
    environment,
    env: {}, // of sessions, not of the connection: each client asks for its own
    controlPersistMs: undefined, // told apart: JSON has no infinity
    jumps: target.jumps.map(forKeeper),
  };
}
