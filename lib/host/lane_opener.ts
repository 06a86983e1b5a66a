import { explainMissingPackage } from "../base/load_package.ts";
import { Connection } from "../channel/connection.ts";
import { keepAlive } from "../channel/keepalive.ts";
import type { OpenSshStart } from "../master/openssh_master.ts";
import { forwardedAgentOf } from "../target/forwarded_agent.ts";
import { noPrompter } from "../target/prompter.ts";
import type { Target, TargetOptions } from "../target/target.ts";
import type { LanesOptions } from "./lanes.ts";

/** Reasons for needing the installed `ssh` that need nobody's hand: not FIDO keys, PKCS#11 or GSSAPI. */
const UNATTENDED = /^(certificate|revocation list) /;

/**
 * How lanes to a target are opened: with keys that need no passphrase and no touch, and a host key that is known;
 * undefined where that can never be. Data goes through the installed `ssh` where there is one (a process of its own,
 * with OpenSSH's own cryptography: neither our event loop nor the keeper's has the work), commands through ssh2; so does
 * data that has a long way: of its login's round trips ssh2 saves four of nine, and on such a way windows are the limit.
 *
 * @param openSsh what the target was resolved with, where only the installed `ssh` can connect to it.
 */
export function laneOpener(
  target: Target,
  options: TargetOptions,
  openSsh: TargetOptions | undefined,
): LanesOptions["open"] | undefined {
  if (!isRepeatable(target)) return undefined;
  const quiet = unattended(target);
  return async (purpose, signal, far) => {
    if (openSsh !== undefined || (purpose === "bulk" && !far && await hasSsh(target))) {
      // Of an agent's keys as well; by the name that OpenSSH before 8.5 knows, too.
      const extra = openSsh ? [] : ["PubkeyAcceptedKeyTypes=-sk-*,webauthn-sk-*"];
      return await openOpenSshConnection(quiet, {
        options: { ...options, configLines: [...options.configLines ?? [], ...extra] },
        prompter: noPrompter,
        signal,
      });
    }
    const { openLink } = await explainMissingPackage(() => import("../link/open_link.ts"));
    const connection = new Connection(await openLink(quiet, { prompter: noPrompter, signal }));
    const agent = forwardedAgentOf(target);
    if (agent) (await import("../channel/agent.ts")).serveAgent(connection, agent);
    keepAlive(connection, { intervalMs: target.serverAliveIntervalMs, countMax: target.serverAliveCountMax });
    return connection;
  };
}

/** A connection of this process's own that the installed `ssh` makes, and that another one can ride. */
export async function openOpenSshConnection(target: Target, start: OpenSshStart): Promise<Connection> {
  const [{ findSsh, openPrivateOpenSshLink }, { setRide }] = await Promise.all([
    import("../master/openssh_master.ts"),
    import("./ssh_ride.ts"),
  ]);
  const { environment } = target;
  const ssh = await findSsh(environment);
  let controlPath: string | undefined;
  const onSocket = (path: string) => controlPath = path;
  const connection = new Connection(await openPrivateOpenSshLink(target, { ...start, onSocket }));
  if (ssh !== undefined && controlPath !== undefined) setRide(connection, { ssh, controlPath, environment });
  return connection;
}

/** A ProxyCommand is not run twice: what it asks, and whom, is not known. */
function isRepeatable(target: Target): boolean {
  return target.authenticationMethods.includes("publickey") &&
    [...target.jumps, target].every(({ proxyCommand }) => proxyCommand === undefined) &&
    target.needsOpenSsh.every((reason) => UNATTENDED.test(reason));
}

function unattended(target: Target): Target {
  return {
    ...target,
    batchMode: true,
    authenticationMethods: ["publickey"],
    jumps: target.jumps.map(unattended),
  };
}

/** Whether the installed `ssh` can be had, and can be told to leave FIDO keys alone, which want a touch. */
async function hasSsh(target: Target): Promise<boolean> {
  if (target.pubkeyAcceptedAlgorithms !== undefined) return false;
  const { findSsh } = await import("../master/openssh_master.ts");
  return await findSsh(target.environment) !== undefined;
}
