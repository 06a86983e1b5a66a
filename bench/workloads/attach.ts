import type { Workload } from "../method/workload.ts";
import type { World } from "../world/world.ts";
import { SSH_MASTER } from "./names.ts";
import { onSshMaster } from "./warm_exec.ts";
import { emptyProgram } from "./start_up.ts";

const host = "rtt0";
const IN_PROCESS = "carpool, attach and true, in process";
const AS_COMMAND = "carpool exec, as a process";
const EMPTY = "empty Deno program";

/** From nothing to the end of `true`, on a master that is alive. */
export function attach(world: World): Workload {
  const options = { host, share: true };
  return {
    id: "attach",
    title: "attach to a live master and run true, ms",
    link: { rttMs: 0, emulated: false },
    baseline: SSH_MASTER,
    contenders: [
      { name: SSH_MASTER, measure: () => onSshMaster(world, host, 30) },
      {
        name: IN_PROCESS,
        measure: async () => {
          const keeper = await world.keeperWith(host);
          const run = () => world.contender("connect_loop.ts", { ...options, warmUp: 20, count: 100 });
          return await world.withBackground([keeper], 120, run);
        },
      },
      {
        name: "carpool, the first attach of a process",
        measure: () => world.contender("connect_loop.ts", { ...options, warmUp: 0, count: 1 }),
      },
      {
        name: AS_COMMAND,
        measure: () => world.processes(10, world.carpool("exec", "-F", world.configFile, host, "--", "true")),
      },
      {
        name: "carpool exec, without deno.json",
        measure: () =>
          world.processes(10, world.carpoolByUrl("exec", "-F", world.configFile, host, "--", "true")),
      },
      { name: EMPTY, floor: true, measure: () => world.processes(10, emptyProgram) },
    ],
    promises: [
      { contender: IN_PROCESS, against: SSH_MASTER, atMost: 0.4, source: "issue 3" },
      // 30 ms on a machine where the empty program takes 13.
      { contender: AS_COMMAND, against: EMPTY, atMost: 2.3, source: "issue 3, as a ratio" },
    ],
  };
}
