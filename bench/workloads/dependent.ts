import type { Contender, Workload } from "../method/workload.ts";
import { carpoolProgram, libraryLines, type RunFrame, wordsLine } from "../peers/lines.ts";
import {
  CARPOOL_PROGRAM,
  CARPOOL_PROGRAM_OPENSSH,
  CARPOOL_PROGRAM_PRIVATE,
  SSH_ON_MASTER,
} from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import type { World } from "../world/world.ts";
import { FLOOR_SHELL, intoShell } from "./sequential.ts";

const COUNT = 50;

export interface DependentOptions {
  readonly rttMs: number;
  /** At most so many rounds for those that need two round trips for each command; 0 leaves them out. */
  readonly peerRounds: number;
}

/** 50 commands, each needing the one before, start and handshake included, against the floor of one round trip each. */
export async function dependent(world: World, { rttMs, peerRounds }: DependentOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const frame: RunFrame = { operations: COUNT, cold: true };
  const commands = Array.from({ length: COUNT }, () => "true");
  const program = (name: string, share: boolean, via?: "openssh"): Contender =>
    wordsLine(world, name, carpoolProgram(world, "exec_loop.ts", { host, share, via, count: COUNT }), frame);
  const rarely = (contender: Contender): Contender => ({ ...contender, rounds: peerRounds });
  const promised = {
    against: FLOOR_SHELL,
    atMost: rttMs < 100 ? 1.05 : 1,
    source: "issue 5, dependent commands",
  };
  return {
    id: `dependent-${rttMs}`,
    title: `${COUNT} times true, each after the other, from nothing; ms per command`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: FLOOR_SHELL,
    contenders: [
      { ...wordsLine(world, FLOOR_SHELL, intoShell(world, host, COUNT), frame), floor: true },
      program(CARPOOL_PROGRAM_PRIVATE, false),
      program(CARPOOL_PROGRAM, true),
      ...(peerRounds === 0 ? [] : [
        program(CARPOOL_PROGRAM_OPENSSH, true, "openssh"),
        wordsLine(world, SSH_ON_MASTER, world.ssh(...onMasters(world), host, "true"), frame, COUNT),
        ...libraryLines(world, peers, [host], { mode: "sequential", commands }, frame, { which: ["ssh2"] }),
      ].map(rarely)),
    ],
    promises: [
      { contender: CARPOOL_PROGRAM_PRIVATE, ...promised },
      { contender: CARPOOL_PROGRAM, ...promised },
    ],
  };
}
