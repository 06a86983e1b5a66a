import { CarpoolError, MasterError } from "../base/errors.ts";
import type { Link } from "../channel/link.ts";
import { join } from "../deps/node_path.ts";
import { ControlClient, openControlLink } from "../link/control_link.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { hashOf, identityKey } from "./identity.ts";
import { askToOpen, dialKeeper, keeperGone, type Opened } from "./keeper_client.ts";
import type { KeeperRequest } from "./keeper_protocol.ts";
import { inspectSocket, places } from "./places.ts";
import { startKeeper } from "./start_keeper.ts";

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
  readonly lingerMs?: number;
  readonly maxSessions?: number;
}

/** A master to board: where its control socket lies, and whether this call made the connection. */
export interface FoundMaster {
  readonly controlPath: string;
  readonly started: boolean;
}

/**
 * Boards the master for a target, made by the keeper if there is none: our own of the same identity, or a live one of
 * OpenSSH's at the target's ControlPath. Throws the errors of connecting, and `MasterError` ("no-keeper") where no
 * keeper can be had: the caller then makes a private connection, and says so.
 */
export async function ride(target: Target, options: RideOptions): Promise<Link> {
  for (let attempt = 1;; attempt++) {
    const found = await findMaster(target, options);
    if ("link" in found) return found.link;
    try {
      return await openControlLink(found.controlPath, target.where);
    } catch (error) {
      // It may have left between the two: once more, then the truth.
      if (attempt >= 3 || !(error instanceof MasterError) || error.code !== "gone") throw error;
    }
  }
}

/** Finds or starts the master without boarding it (`carpool open`). */
export async function openMaster(target: Target, options: RideOptions): Promise<Opened> {
  const request = await requestFor(target, options);
  return await askKeeper(target, request, options);
}

/** Where a live master for the target has its socket: our own, or one at its ControlPath. Starts nothing. */
export async function findControlPath(target: Target): Promise<string | undefined> {
  const named = await liveOpenSshMaster(target);
  if (named) return named.controlPath;
  const key = await identityKey(target);
  for (const place of await places(target.environment)) {
    const path = join(place.directory, `${key}.sock`);
    if (await isAlive(path)) return path;
  }
  return undefined;
}

async function isAlive(path: string): Promise<boolean> {
  if (await inspectSocket(path) === "missing") return false;
  try {
    using client = await ControlClient.connect(path);
    await client.alive();
    return true;
  } catch (error) {
    if (error instanceof MasterError) return false;
    throw error;
  }
}

async function findMaster(
  target: Target,
  options: RideOptions,
): Promise<FoundMaster | { readonly link: Link }> {
  const request = await requestFor(target, options);
  // A live one is boarded without asking the keeper: one connect, one turn of a local socket.
  for (const place of await places(target.environment)) {
    const path = request.controlPath ?? join(place.directory, `${request.key}.sock`);
    const link = await board(path, target.where);
    if (link) return { link };
  }
  return await askKeeper(target, request, options);
}

async function board(path: string, where: string): Promise<Link | undefined> {
  if (await inspectSocket(path) === "missing") return undefined;
  try {
    return await openControlLink(path, where);
  } catch (error) {
    // Dead: the keeper replaces it. Wedged: it is the keeper that hangs, and `askKeeper` evicts it.
    if (error instanceof MasterError && (error.code === "gone" || error.code === "wedged")) return undefined;
    throw error;
  }
}

async function requestFor(
  target: Target,
  options: RideOptions,
): Promise<Extract<KeeperRequest, { type: "open" }>> {
  const request = {
    type: "open" as const,
    key: await identityKey(target),
    target: forKeeper(target),
    lingerMs: finite(options.lingerMs),
    maxSessions: options.maxSessions,
    interactive: options.prompter.interactive,
  };
  if (options.bind && target.controlPath) return { ...request, controlPath: target.controlPath };
  const other = await liveOpenSshMaster(target);
  if (other === undefined) return request;
  if (options.unknowable?.length) {
    options.prompter.notice(
      `Not riding the OpenSSH master at ${other.controlPath}: ${options.unknowable.join(", ")} ` +
        `was asked for, and which it uses is unknown; a connection of our own is used`,
    );
    return request;
  }
  return { ...request, key: `ride-${await hashOf(other.controlPath)}`, ride: other };
}

/** JSON has no infinity: for ever is told as the largest number that a timer can hold anyway. */
function finite(ms: number | undefined): number | undefined {
  return ms === Infinity ? Number.MAX_SAFE_INTEGER : ms;
}

/** A live master at a ControlPath that ssh_config names, ours (bound there by -M -S) or OpenSSH's. */
async function liveOpenSshMaster(
  target: Target,
): Promise<{ readonly controlPath: string; readonly pid: number } | undefined> {
  if (target.controlPath === undefined) return undefined;
  for (const controlPath of [target.controlPath, ...target.controlPathAlternatives]) {
    if (await inspectSocket(controlPath) === "missing") continue;
    try {
      using client = await ControlClient.connect(controlPath);
      return { controlPath, pid: await client.alive() };
    } catch (error) {
      // Dead or wedged: not ridden, and not ours to remove.
      if (!(error instanceof MasterError)) throw error;
    }
  }
  return undefined;
}

async function askKeeper(
  target: Target,
  request: Extract<KeeperRequest, { type: "open" }>,
  options: RideOptions,
): Promise<Opened> {
  for (let attempt = 1;; attempt++) {
    const line = (await dialKeeper(target.environment))?.line ?? await startSomewhere(target);
    try {
      return await askToOpen(line, request, options.prompter, options.signal);
    } catch (error) {
      // An idle keeper leaves at its own time, perhaps just as we came.
      const left = error instanceof MasterError && error.message === keeperGone().message;
      if (!left || attempt >= 3 || options.signal?.aborted) throw error;
    } finally {
      line.close();
    }
  }
}

/** In the best place that works. */
async function startSomewhere(target: Target) {
  let failure: unknown;
  for (const place of await places(target.environment)) {
    try {
      return await startKeeper(place);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure instanceof CarpoolError) throw failure;
  throw new MasterError("no-keeper", {
    what: "Cannot start the keeper",
    why: "there is no directory for its socket (HOME is not set)",
    outcome: "not-started",
  });
}

/**
 * What one connection needs of the caller's environment, and no more: it goes to the keeper for this connection only.
 * A ProxyCommand and `Match exec` may read anything.
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
    controlPersistMs: finite(target.controlPersistMs),
    jumps: target.jumps.map(forKeeper),
  };
}
