import type { Contender, Workload } from "../method/workload.ts";
import { clientRun } from "../peers/client_run.ts";
import { libraryWords } from "../peers/libraries.ts";
import type { RunFrame } from "../peers/lines.ts";
import { CARPOOL_COMMAND, PEER_NAMES, SSH_ON_MASTER, SSH_ON_MASTER_CURVE } from "../peers/names.ts";
import { peerContender } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import type { World } from "../world/world.ts";
import { CURVE_OPTION, SSH_NEW, SSH_NEW_CURVE } from "./names.ts";

export interface ThrowAwayOptions {
  readonly rttMs: number;
  readonly sessions: number;
}

/** So many come at a time. */
const AT_ONCE = 4;

/**
 * Many sessions that are opened, used for one command and thrown away, each by a process that knows of no other: what
 * monitoring, cron and scripts do. From nothing, so that the first one's login is in it.
 */
export async function throwAway(world: World, { rttMs, sessions }: ThrowAwayOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const frame: RunFrame = { operations: sessions, cold: true };
  // The first alone: several that start at once would each make a connection where the tool does not see to it.
  const script = `"$@" >/dev/null || exit; seq ${
    sessions - 1
  } | xargs -P ${AT_ONCE} -I @ "$@" >/dev/null || exit`;
  const line = (name: string, words: readonly string[]): Contender => ({
    name,
    measure: () => clientRun(world, { ...frame, words, script }),
  });
  const masters = onMasters(world);
  const carpool = (...more: string[]) =>
    world.carpool("exec", ...more, "-F", world.configFile, host, "--", "true");
  return {
    id: `throw-away-${rttMs}`,
    title:
      `${sessions} sessions of one command, ${AT_ONCE} at a time, a process each, from nothing; ms per session`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: SSH_NEW,
    contenders: [
      line(SSH_NEW, world.ssh("-S", "none", host, "true")),
      line(SSH_NEW_CURVE, world.ssh("-S", "none", ...CURVE_OPTION, host, "true")),
      line(SSH_ON_MASTER, world.ssh(...masters, host, "true")),
      line(SSH_ON_MASTER_CURVE, world.ssh(...masters, ...CURVE_OPTION, host, "true")),
      line(CARPOOL_COMMAND, carpool()),
      line(`${CARPOOL_COMMAND}, riding ssh's master`, carpool("--via", "openssh")),
      line(`${CARPOOL_COMMAND}, --no-share`, carpool("--no-share")),
      peerContender(peers.sftp, `${PEER_NAMES.sftp}, new each time`, ({ words, env }) =>
        clientRun(world, {
          ...frame,
          env,
          words: [...words, "-F", world.configFile, "-b", "/dev/null", host],
          script,
        })),
      // A process with a connection of its own for each.
      ...(["asyncssh", "paramiko", "ssh2"] as const).map((id) =>
        peerContender(peers[id], PEER_NAMES[id], (peer) =>
          clientRun(world, {
            ...frame,
            env: peer.env,
            words: libraryWords(world, peer, [host], { mode: "sequential", commands: ["true"] }),
            script,
          }))
      ),
    ],
  };
}
