import type { Contender, Workload } from "../method/workload.ts";
import { clientRun } from "../peers/client_run.ts";
import { repeat } from "../peers/lines.ts";
import { CARPOOL_RUN } from "../peers/names.ts";
import { taskFile } from "../peers/task_file.ts";
import type { World } from "../world/world.ts";
import { PING, SSH_MASTER } from "./names.ts";

const STEPS = 20;
const STRING = "carpool, a job as a module, its text in the exec string";
const STDIN = "carpool, a job as a module, its text on stdin";
const OPENSSH = "carpool, a job as a module, riding ssh's master";
const SCRIPT = "one ssh -S with a script of them all, written by hand";

/** 20 of them are more than the kernel lets one argument of a program be (128 KiB, MAX_ARG_STRLEN), which sshd's shell gets. */
const LONG_BYTES = 8 * 1024;

/** A job of steps that are known before it starts, on a host that is warm: how many round trips it takes, in time. */
export async function jobKnown(world: World, rttMs: number): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const commands = Array.from({ length: STEPS }, (_, index) => `echo step ${index + 1}`);
  const long = commands.map((command) => `${command} # ${"x".repeat(LONG_BYTES)}`);
  const [task, longTask] = [await taskFile(world, "known", commands), await taskFile(world, "long", long)];
  const inProcess = (name: string, task: string, more: object = {}): Contender => ({
    name,
    measure: () =>
      world.contender("job_loop.ts", { host, share: true, task, steps: STEPS, warmUp: 1, count: 2, ...more }),
  });
  const master = async () => (await world.sshMaster(host)).socket;
  return {
    id: `job-${STEPS}-${rttMs}`,
    title: `a job of ${STEPS} known steps on a warm host; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: SSH_MASTER,
    contenders: [
      {
        name: SSH_MASTER,
        rounds: 2,
        measure: async () => {
          const words = world.ssh("-S", await master(), host, "echo step");
          return await clientRun(world, { operations: 1, cold: false, words, script: repeat(STEPS) });
        },
      },
      inProcess(STRING, task),
      inProcess(STDIN, longTask),
      {
        name: OPENSSH,
        measure: async () =>
          await inProcess(OPENSSH, task, { configLines: [`ControlPath=${await master()}`] }).measure!(),
      },
      {
        name: CARPOOL_RUN,
        measure: async () => {
          await world.keeperWith(host);
          return await world.processes(
            3,
            world.carpool("run", task, "-F", world.configFile, "--hosts", host),
          );
        },
      },
      {
        name: SCRIPT,
        floor: true,
        measure: async () =>
          await world.processes(2, world.ssh("-S", await master(), host, commands.join(" && "))),
      },
      { name: PING, floor: true, measure: () => world.ping(rttMs) },
    ],
    promises: [
      { contender: STRING, against: PING, atMost: 1.2, source: "issue 5, a job at once" },
      { contender: STDIN, against: PING, atMost: 2.2, source: "issue 5, a job at once" },
    ],
  };
}
