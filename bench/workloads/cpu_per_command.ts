import type { Contender, Measurement, Workload } from "../method/workload.ts";
import { commandTask, playbook } from "../peers/ansible.ts";
import { type ClientRun, clientRun } from "../peers/client_run.ts";
import { libraryWords } from "../peers/libraries.ts";
import { carpoolProgram, repeat, severalLines } from "../peers/lines.ts";
import {
  CARPOOL_COMMAND,
  CARPOOL_PROGRAM,
  CARPOOL_PROGRAM_OPENSSH,
  CARPOOL_PROGRAM_PRIVATE,
  PEER_NAMES,
  SSH_ON_MASTER,
  SSH_ON_MASTER_CURVE,
} from "../peers/names.ts";
import type { MissingPeer, Peer } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { onHosts, onMasters } from "../peers/ssh_tools.ts";
import type { World } from "../world/world.ts";
import { CURVE_OPTION, SSH_NEW, SSH_NEW_CURVE } from "./names.ts";

export interface CpuOptions {
  readonly count: number;
}

/**
 * What a command costs a slow machine on either side: CPU time per command of the client (with whatever serves it in
 * the background) and of the server, start and handshake of the first one included.
 */
export async function cpuPerCommand(world: World, { count }: CpuOptions): Promise<Workload> {
  const host = "rtt0";
  const peers = await findPeers();
  const commands = Array.from({ length: count }, () => "true");
  const masters = onMasters(world);
  const run = { operations: count, cold: true } as const;
  const once = (words: readonly string[]) => () => ({ ...run, words });
  const each = (words: readonly string[]) => () => ({ ...run, words, script: repeat(count) });
  const uncounted = world.countsServerCpu
    ? undefined
    : "the CPU time of sshd's processes cannot be counted here";
  const line = (name: string, make: () => ClientRun | Promise<ClientRun>, missing?: string): Contender[] =>
    severalLines(
      ["client", "server"].map((side) => ({ name: `${name}: ${side}`, missing: missing ?? uncounted })),
      async () => {
        const { value: wallMs, clientCpuMs, more } = await clientRun(world, await make());
        const entry = (value: number): Measurement => ({
          value,
          operations: count,
          more: { ...more, wallMs },
        });
        return [entry(clientCpuMs!), entry(Number(more!.serverCpuMs))];
      },
    );
  const peerLine = (
    peer: Peer | MissingPeer,
    suffix: string,
    make: (peer: Peer) => ClientRun | Promise<ClientRun>,
  ) => {
    const name = PEER_NAMES[peer.id] + suffix;
    return "missing" in peer ? line(name, () => run, peer.missing) : line(name, () => make(peer));
  };
  const program = (share: boolean, via?: "openssh") =>
    once(carpoolProgram(world, "exec_loop.ts", { host, share, via, count }));
  return {
    id: "cpu",
    title: `${count} times true, each after the other, from nothing; CPU ms per command on either side`,
    link: { rttMs: 0, emulated: false },
    baseline: `${SSH_ON_MASTER}: client`,
    contenders: [
      ...line(SSH_ON_MASTER, each(world.ssh(...masters, host, "true"))),
      ...line(SSH_ON_MASTER_CURVE, each(world.ssh(...masters, ...CURVE_OPTION, host, "true"))),
      ...line(SSH_NEW, each(world.ssh("-S", "none", host, "true"))),
      ...line(SSH_NEW_CURVE, each(world.ssh("-S", "none", ...CURVE_OPTION, host, "true"))),
      ...line(CARPOOL_COMMAND, each(world.carpool("exec", "-F", world.configFile, host, "--", "true"))),
      ...line(CARPOOL_PROGRAM, program(true)),
      ...line(CARPOOL_PROGRAM_PRIVATE, program(false)),
      ...line(CARPOOL_PROGRAM_OPENSSH, program(true, "openssh")),
      ...(["pssh", "pdsh", "clush"] as const).flatMap((id) =>
        peerLine(peers[id], " on ssh's masters", (peer) => ({
          ...run,
          ...onHosts(world, peer, [host], "true", masters),
          script: repeat(count),
        }))
      ),
      ...(["ansible", "mitogen"] as const).flatMap((id) =>
        peerLine(peers[id], "", async (peer) => ({
          ...run,
          ...await playbook(world, peer, [host], commands.map(commandTask)),
        }))
      ),
      ...(["asyncssh", "paramiko", "ssh2"] as const).flatMap((id) =>
        peerLine(peers[id], "", (peer) => ({
          ...run,
          words: libraryWords(world, peer, [host], { mode: "sequential", commands }),
          env: peer.env,
        }))
      ),
    ],
  };
}
