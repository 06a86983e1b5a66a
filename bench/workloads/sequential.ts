import type { Contender, Workload } from "../method/workload.ts";
import { commandTask } from "../peers/ansible.ts";
import {
  carpoolProgram,
  libraryLines,
  playbookLines,
  type RunFrame,
  toolLines,
  wordsLine,
} from "../peers/lines.ts";
import {
  CARPOOL_COMMAND,
  CARPOOL_PROGRAM,
  CARPOOL_PROGRAM_OPENSSH,
  CARPOOL_PROGRAM_PRIVATE,
  SSH_ON_MASTER,
  SSH_ON_MASTER_CURVE,
} from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import type { World } from "../world/world.ts";
import { CURVE_OPTION, SSH_NEW, SSH_NEW_CURVE } from "./names.ts";

export interface SequentialOptions {
  readonly rttMs: number;
  /** Commands, each after the end of the one before. */
  readonly count: number;
}

export const FLOOR_SHELL = "one command at a time into a remote shell";
const FLOOR_SCRIPT = "one script with all of them";

/** N short commands on one host, each needing the one before; from nothing, start and handshake included. */
export async function sequential(world: World, { rttMs, count }: SequentialOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const frame: RunFrame = { operations: count, cold: true };
  const commands = Array.from({ length: count }, () => "true");
  const ssh = (name: string, ...options: string[]) =>
    wordsLine(world, name, world.ssh(...options, host, "true"), frame, count);
  const program = (name: string, share: boolean, via?: "openssh") =>
    wordsLine(world, name, carpoolProgram(world, "exec_loop.ts", { host, share, via, count }), frame);
  const contenders: Contender[] = [
    ssh(SSH_ON_MASTER, ...onMasters(world)),
    ssh(SSH_ON_MASTER_CURVE, ...onMasters(world), ...CURVE_OPTION),
    ssh(SSH_NEW, "-S", "none"),
    ssh(SSH_NEW_CURVE, "-S", "none", ...CURVE_OPTION),
    wordsLine(
      world,
      CARPOOL_COMMAND,
      world.carpool("exec", "-F", world.configFile, host, "--", "true"),
      frame,
      count,
    ),
    program(CARPOOL_PROGRAM, true),
    program(CARPOOL_PROGRAM_PRIVATE, false),
    program(CARPOOL_PROGRAM_OPENSSH, true, "openssh"),
    ...toolLines(
      world,
      peers,
      [host],
      { command: "true", count, options: onMasters(world), suffix: "on ssh's masters" },
      frame,
    ),
    ...playbookLines(world, peers, [host], commands.map(commandTask), frame),
    ...libraryLines(world, peers, [host], { mode: "sequential", commands }, frame),
    { ...wordsLine(world, FLOOR_SHELL, intoShell(world, host, count), frame), floor: true },
    {
      ...wordsLine(world, FLOOR_SCRIPT, world.ssh("-S", "none", host, commands.join(" && ")), frame),
      floor: true,
    },
  ];
  return {
    id: `sequential-${rttMs}`,
    title: `${count} times true, each after the other, from nothing; ms per command`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: SSH_ON_MASTER,
    contenders,
  };
}

/** A shell of the host that is given one command, and the next when it has said that the first has ended. */
export function intoShell(world: World, host: string, count: number): string[] {
  const script = 'n=$1; shift; coproc SHELL_THERE { "$@"; }; ' +
    'while [ "$n" -gt 0 ]; do echo "true; echo \\$?" >&"${SHELL_THERE[1]}"; ' +
    'read -r status <&"${SHELL_THERE[0]}"; [ "$status" = 0 ] || exit 1; n=$((n-1)); done; ' +
    'eval "exec ${SHELL_THERE[1]}>&-"; wait';
  return ["/bin/bash", "-c", script, "bash", String(count), ...world.ssh("-S", "none", host, "sh")];
}
