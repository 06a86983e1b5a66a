import { CarpoolError, MasterError } from "../base/errors.ts";
import { type ConnectOptions, controlPathFor, unknowableOptions } from "../host/connect.ts";
import { ControlClient } from "../link/control_link.ts";
import { listMasters } from "../master/keeper_client.ts";
import type { MasterInfo } from "../master/master.ts";
import { checkSocketDirectory, checkSocketPath, inspectSocket, places } from "../master/places.ts";
import type { Target } from "../target/target.ts";
import type { Finding } from "./doctor_finding.ts";

/** What is shared with this host now. */
export interface Shared {
  /** The live master that a command would ride. */
  readonly master: {
    readonly controlPath: string;
    readonly kind: "carpool" | "openssh";
    readonly pid: number | null;
    readonly sessions: number | null;
    readonly lingersUntil: string | null;
    /** Whether a command with these options rides it. */
    readonly rides: boolean;
  } | null;
  readonly findings: readonly Finding[];
}

/** Looks for a live master, and for what keeps one from being ridden. Starts nothing. */
export async function findShared(
  destination: string,
  target: Target,
  options: ConnectOptions,
): Promise<Shared> {
  const findings: Finding[] = [];
  const add = (level: Finding["level"], about: string, says: string, fix?: string) =>
    void findings.push({ level, about, says, fix });
  const off = whyNotShared(target, options);
  if (off !== undefined) add("warn", "sharing", off.says, off.fix);
  let masters: readonly MasterInfo[] = [];
  try {
    masters = await listMasters({ environment: target.environment });
  } catch (error) {
    if (!(error instanceof CarpoolError)) throw error;
    add("bad", "keeper", `it cannot be asked: ${error.where ?? ""}: ${error.why}`, error.fix ?? KILL_KEEPER);
  }
  const controlPath = off === undefined ? await livePath(destination, options, findings) : undefined;
  const here = masters.filter((one) => one.host === target.host && one.port === target.port);
  if (controlPath === undefined) {
    if (off === undefined) {
      add(
        "note",
        "master",
        "none is live: the next command makes one, which stays for its linger time",
        OPEN,
      );
    }
    for (const one of here) {
      const whose = one.user === target.user ? "another key, agent, jump or option" : `the user ${one.user}`;
      add(
        "note",
        "other master",
        `one for ${whose} is live at ${one.controlPath}; what differs is not shared`,
      );
    }
    await lookAtControlPath(target, add);
    return { master: null, findings };
  }
  const known = masters.find((one) => one.controlPath === controlPath);
  const pid = known?.pid ?? await pidAt(controlPath);
  const kind = known?.kind ?? (await isOurs(controlPath, target) ? "carpool" : "openssh");
  const { sessions = null, lingersUntil = null } = known ?? {};
  const unknowable = kind === "openssh" ? unknowableOptions(target, options) : [];
  if (unknowable.length > 0) {
    const names = unknowable.join(", ");
    add(
      "warn",
      "master",
      `the one that ssh started is not ridden: nobody knows whether it was made with the same ${names}`,
      `leave ${names} to ssh_config, or end it: ssh -O exit -S ${controlPath} ${target.destination.alias}`,
    );
  }
  const whose = kind === "carpool" ? "Carpool's" : "one that ssh started; Carpool rides it and never ends it";
  const stays = lingersUntil === null ? "" : `, leaves at ${lingersUntil} if nobody comes`;
  const held = sessions === null ? "" : `, ${sessions} session${sessions === 1 ? "" : "s"} on it`;
  add("ok", "master", `live: ${whose}; pid ${pid ?? "unknown"}${held}${stays}`);
  add("ok", "control socket", `${controlPath} (for ssh: ssh -S ${controlPath} ${target.destination.alias})`);
  const rides = unknowable.length === 0;
  return { master: { controlPath, kind, pid: pid ?? null, sessions, lingersUntil, rides }, findings };
}

const OPEN = "nothing to do; to make it ahead of time: carpool open";

const KILL_KEEPER = "carpool exit --all, or end the process that its log names";

function whyNotShared(
  target: Target,
  options: ConnectOptions,
): { readonly says: string; readonly fix: string } | undefined {
  if (options.share === false) {
    return { says: "off: --no-share asks for a connection of its own", fix: "leave --no-share out" };
  }
  if (Deno.build.os === "windows") {
    return { says: "off: there are no Unix sockets here", fix: "one process shares what it opens itself" };
  }
  if (target.controlPathIsNone) {
    return { says: "off: ControlPath is none", fix: "take ControlPath none out of ssh_config for this host" };
  }
  if (target.controlMaster === "no") {
    return { says: "off: ControlMaster is no", fix: "take ControlMaster no out, or set it to auto" };
  }
  return undefined;
}

async function livePath(
  destination: string,
  options: ConnectOptions,
  findings: Finding[],
): Promise<string | undefined> {
  const notice = (says: string) => void findings.push({ level: "warn", about: "master", says });
  const prompter = { interactive: false, secret: nobody, line: nobody, notice };
  try {
    return await controlPathFor(destination, { ...options, prompter });
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
    const says = [error.where, error.why].filter(Boolean).join(": ");
    findings.push({ level: "bad", about: "control socket", says, fix: error.fix });
    return undefined;
  }
}

const nobody = () => Promise.resolve(null);

async function pidAt(path: string): Promise<number | undefined> {
  try {
    using client = await ControlClient.connect(path);
    return await client.alive();
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
    return undefined; // it has just left
  }
}

async function isOurs(path: string, target: Target): Promise<boolean> {
  return (await places(target.environment)).some(({ directory }) => path.startsWith(`${directory}/`));
}

/** What lies where ssh_config says the socket is, when nobody answers there. */
async function lookAtControlPath(
  { controlPath: path }: Target,
  add: (level: Finding["level"], about: string, says: string, fix?: string) => void,
): Promise<void> {
  if (path === undefined) return;
  try {
    checkSocketPath(path);
    await checkSocketDirectory(path);
    if (inspectSocket(path) === "missing") return;
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
    add("warn", "ControlPath", `${error.where}: ${error.why}`, error.fix);
    return;
  }
  const says = `${path}: a socket lies there and nobody answers: ssh cannot start a master until it is gone`;
  add("warn", "ControlPath", says, `rm ${path}`);
}
