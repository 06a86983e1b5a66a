import { type CarpoolError, MasterError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import type { ConnectionKind } from "../base/run_event.ts";
import { Connection } from "../channel/connection.ts";
import { keepAlive } from "../channel/keepalive.ts";
import type { Link } from "../channel/link.ts";
import type { Opened } from "../master/keeper_client.ts";
import { findControlPath, openMaster, ride, type RideOptions } from "../master/ride.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target, TargetOptions } from "../target/target.ts";
import { forwardedAgentOf } from "../target/forwarded_agent.ts";
import { Host, type HostOptions } from "./host.ts";
import { laneOpener, openOpenSshConnection } from "./lane_opener.ts";
import { DEFAULT_LANES } from "./lanes.ts";

/** What {@linkcode connect} may be given: any option of ssh_config that Carpool knows, in camelCase, and these. */
export interface ConnectOptions extends TargetOptions {
  /** Who answers questions; default: the terminal or SSH_ASKPASS, as ssh(1) would choose; nobody without them. */
  readonly prompter?: Prompter;
  /** Gives up connecting; the call rejects with the signal's own reason. */
  readonly signal?: AbortSignal;
  /** Say, as notices, what else was decided: above all when the installed `ssh` makes the connection, and why. */
  readonly verbose?: boolean;
  /** `false`: a private connection in this process, as with `controlMaster: "no"`; default `true`. */
  readonly share?: boolean;
  /**
   * Most connections to the host that this process uses at once, the first (or shared) one included; default 4. A
   * further one is opened for a copy of 32 MiB or more, and where commands would wait for a session longer than a
   * handshake takes; never where somebody would have to be asked, nor for one file that the installed `ssh` can move over
   * its own master nearby. `1`: never.
   */
  readonly lanes?: number;
}

/** Sessions kept open ahead of need on a connection of our own, at most: as many as are used at once. */
const MOST_SPARES = 4;

/** A master of ours queues sessions by itself; what it would not take at once waits here, where a lane can have it. */
const MAX_SESSIONS_AT_MASTER = 10;

/**
 * Connects to a host: an alias of `ssh_config`, `user@host:port`, `ssh://…`. Rides the live master of the same
 * identity, or starts one that outlives this process by its linger time; `controlMaster: "no"` makes a private
 * connection. Throws `TargetError` (nothing was contacted), `LinkError` or `HostKeyError`, each saying what failed,
 * where, why, and what to do.
 *
 * ```ts ignore
 * await using web = await connect("deploy@web1");
 * const { stdout } = await web.exec("uname -sr");
 * ```
 */
export async function connect(destination: string, options: ConnectOptions = {}): Promise<Host> {
  const { target, prompter } = await prepare(destination, options);
  const shared = options.share !== false && await wantsToShare(target, options, prompter);
  const openSsh = await openSshOptions(target, options, prompter);
  const lanes = lanesFor(target, options, openSsh, prompter);
  if (shared) {
    const rideOptions = { ...rideOptionsOf(target, options, prompter), openSsh };
    try {
      const { link, kind, controlPath } = await ride(target, { ...rideOptions, signal: options.signal });
      if (options.verbose) prompter.notice(`${RIDING[kind]} ${target.where}: ${controlPath}`);
      return new Host(new Connection(link), target, {
        ...lanes,
        maxSessions: options.maxSessions ?? MAX_SESSIONS_AT_MASTER,
        handsSpares: true,
        connection: kind,
        findRide: async () => (await import("./ssh_ride.ts")).findRide(target, openSsh),
        reconnect: async () => new Connection((await ride(target, rideOptions)).link),
      });
    } catch (error) {
      if (!(error instanceof MasterError) || isAboutThePathAskedFor(error, target, options)) throw error;
      prompter.notice(`Not sharing the connection to ${target.where}: ${reasonOf(error)}`);
    }
  }
  if (openSsh) {
    const { signal } = options;
    const connection = await openOpenSshConnection(target, { options: openSsh, prompter, signal });
    // No keepalive of ours: it would end a proxy connection. `ssh` itself sends them.
    return new Host(connection, target, { ...lanes, maxSessions: options.maxSessions, spares: 1 });
  }
  const connection = new Connection(await openPrivateLink(target, prompter, options.signal));
  const agent = forwardedAgentOf(target);
  if (agent) (await import("../channel/agent.ts")).serveAgent(connection, agent);
  keepAlive(connection, { intervalMs: target.serverAliveIntervalMs, countMax: target.serverAliveCountMax });
  return new Host(connection, target, { ...lanes, maxSessions: options.maxSessions, spares: MOST_SPARES });
}

/** What is said of a shared connection to whoever wants more to be said. */
const RIDING: Readonly<Record<ConnectionKind, string>> = {
  "new": "Started the master of",
  "carpool-master": "Riding the master of",
  "openssh-master": "Riding ssh's master of",
};

function lanesFor(
  target: Target,
  options: ConnectOptions,
  openSsh: TargetOptions | undefined,
  prompter: Prompter,
): Pick<HostOptions, "lanes"> {
  const most = (options.lanes ?? DEFAULT_LANES) - 1;
  const open = most > 0 ? laneOpener(target, options, openSsh) : undefined;
  const say = options.verbose ? (message: string) => prompter.notice(message) : undefined;
  return open ? { lanes: { open, most, say } } : {};
}

async function prepare(
  destination: string,
  options: ConnectOptions,
): Promise<{ target: Target; prompter: Prompter }> {
  // Reading ssh_config takes a parser: loaded here, not by everyone who imports the module.
  const [{ resolveTarget }, { choosePrompter }] = await Promise.all([
    import("../target/resolve.ts"),
    import("../target/choose_prompter.ts"),
  ]);
  const target = await resolveTarget(destination, options);
  const prompter = options.prompter ?? choosePrompter(target);
  for (const warning of target.warnings) prompter.notice(warning);
  return { target, prompter };
}

/** The options for the installed `ssh`, where that is to make the connection; see `via`. */
async function openSshOptions(
  target: Target,
  options: ConnectOptions,
  prompter: Prompter,
): Promise<TargetOptions | undefined> {
  const { via = "auto", verbose } = options;
  if (via === "ssh2" || (via === "auto" && target.needsOpenSsh.length === 0)) return undefined;
  const { findSsh } = await import("../master/openssh_master.ts");
  const reasons = target.needsOpenSsh.join("; ");
  if (via === "auto" && await findSsh(target.environment) === undefined) {
    prompter.notice(
      `Not using OpenSSH for ${target.where}, although it may be needed (${reasons}): no ssh is installed`,
    );
    return undefined;
  }
  if (verbose) prompter.notice(`Using the installed ssh for ${target.where}: ${reasons || 'via "openssh"'}`);
  return options;
}

async function openPrivateLink(target: Target, prompter: Prompter, signal?: AbortSignal): Promise<Link> {
  const { openLink } = await explainMissingPackage(() => import("../link/open_link.ts"));
  return await openLink(target, { prompter, signal });
}

/** `-S path` that cannot be used is wrong use; a ControlPath of ssh_config that cannot be used is only said. */
function isAboutThePathAskedFor(error: MasterError, target: Target, options: ConnectOptions): boolean {
  const about = error.code === "foreign-socket" || error.code === "bad-path";
  return about && options.controlPath !== undefined && error.where === target.controlPath;
}

async function wantsToShare(target: Target, options: ConnectOptions, prompter: Prompter): Promise<boolean> {
  if (target.controlMaster === "no" || target.controlPathIsNone) return false;
  if (Deno.build.os === "windows") {
    prompter.notice("Not sharing the connection between processes: there are no Unix sockets here");
    return false;
  }
  if (target.controlMaster !== "ask" && target.controlMaster !== "autoask") return true;
  if (!prompter.interactive) {
    prompter.notice(
      `Not sharing the connection to ${target.where}: ControlMaster says to ask, and nobody can answer`,
    );
    return false;
  }
  const answer = await prompter.line(`Share the connection to ${target.where}? (yes/no) `, options.signal);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

function rideOptionsOf(target: Target, options: ConnectOptions, prompter: Prompter): RideOptions {
  return {
    prompter,
    unknowable: unknowableOptions(target, options),
    pathAskedFor: options.controlPath !== undefined,
    lingerMs: target.controlPersistMs,
    maxSessions: options.maxSessions,
  };
}

const UNKNOWABLE = [
  "identityFile",
  "identityAgent",
  "proxyJump",
  "proxyCommand",
  "forwardAgent",
  "ciphers",
  "macs",
  "kexAlgorithms",
  "hostKeyAlgorithms",
  "compression",
  "strictHostKeyChecking",
  "userKnownHostsFile",
  "hostKeyAlias",
] as const;

/** What was asked for here, not in a configuration, and cannot be known of a master that `ssh` started. */
export function unknowableOptions(target: Target, options: ConnectOptions): string[] {
  const lines = (options.configLines ?? []).map((line) => /^\s*(\w+)/.exec(line)?.[1].toLowerCase());
  const names: string[] = UNKNOWABLE.filter((name) =>
    options[name] !== undefined || lines.includes(name.toLowerCase())
  );
  // With `yes` ssh wants to be the master itself: one of somebody else's will not do.
  return target.controlMaster === "yes" ? [...names, "a master of its own (controlMaster yes)"] : names;
}

function reasonOf(error: CarpoolError): string {
  return [error.what, error.where, error.why].filter(Boolean).join(": ");
}

/** Finds or starts the master for a host without boarding it, as `carpool open` does. */
export async function openMasterFor(
  destination: string,
  options: ConnectOptions & { readonly bind?: boolean } = {},
): Promise<Opened> {
  const { target, prompter } = await prepare(destination, options);
  return await openMaster(target, {
    ...rideOptionsOf(target, options, prompter),
    openSsh: await openSshOptions(target, options, prompter),
    signal: options.signal,
    bind: options.bind,
  });
}

/** Where the live master for a host has its control socket; undefined when there is none. Starts nothing. */
export async function controlPathFor(
  destination: string,
  options: ConnectOptions = {},
): Promise<string | undefined> {
  const { target, prompter } = await prepare(destination, options);
  const openSsh = await openSshOptions(target, { ...options, verbose: false }, prompter);
  return await findControlPath(target, {
    prompter,
    openSsh,
    pathAskedFor: options.controlPath !== undefined,
  });
}
