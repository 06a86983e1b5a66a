import type { Contender, Workload } from "../method/workload.ts";
import { commandTask } from "../peers/ansible.ts";
import { libraryLines, playbookLines, repeat, type RunFrame, wordsLine } from "../peers/lines.ts";
import {
  CARPOOL_RUN,
  CARPOOL_RUN_OPENSSH,
  CARPOOL_RUN_PRIVATE,
  SSH_ON_MASTER,
  SSH_ON_MASTER_CURVE,
} from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import { taskFile } from "../peers/task_file.ts";
import type { World } from "../world/world.ts";
import { CURVE_OPTION } from "./names.ts";

export interface JobStepsOptions {
  readonly rttMs: number;
  readonly steps: number;
  readonly warm: boolean;
}

const FLOOR = "one ssh with a script of them all, written by hand";

/** A job whose steps are known before it starts, on one host, as a file that a tool runs; outcomes of each are wanted. */
export async function jobSteps(world: World, { rttMs, steps, warm }: JobStepsOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const commands = Array.from({ length: steps }, (_, index) => `echo step ${index + 1}`);
  const task = await taskFile(world, "steps", commands);
  // What a tool can leave in the background it left there in a first run.
  const frame: RunFrame = { operations: 1, cold: !warm };
  const line = (name: string, words: readonly string[]): Contender => wordsLine(world, name, words, frame);
  const carpool = (...more: string[]) =>
    world.carpool("run", task, "-F", world.configFile, "--hosts", host, ...more);
  const loop = (
    ...options: string[]
  ) => ["/bin/sh", "-c", repeat(steps), "sh", ...world.ssh(...options, host, "echo step")];
  const contenders: Contender[] = [
    line(SSH_ON_MASTER, loop(...onMasters(world))),
    ...(warm ? [] : [line(SSH_ON_MASTER_CURVE, loop(...onMasters(world), ...CURVE_OPTION))]),
    line(CARPOOL_RUN, carpool()),
    ...(warm ? [] : [line(CARPOOL_RUN_PRIVATE, carpool("--no-share"))]),
    line(CARPOOL_RUN_OPENSSH, carpool("--via", "openssh")),
    ...playbookLines(world, peers, [host], commands.map(commandTask), frame),
    ...libraryLines(world, peers, [host], { mode: "sequential", commands }, frame),
    {
      ...line(FLOOR, world.ssh(...(warm ? onMasters(world) : ["-S", "none"]), host, commands.join(" && "))),
      floor: true,
    },
  ];
  return {
    id: `job-${rttMs}${warm ? "-warm" : ""}`,
    title: `a job of ${steps} known steps on one host, ${warm ? "a later run" : "from nothing"}; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: SSH_ON_MASTER,
    contenders,
  };
}
