import type { RatioPromise, ValuePromise, Workload } from "../method/workload.ts";
import type { World } from "../world/world.ts";
import { PING, SSH_MASTER } from "./names.ts";
import { onSshMaster } from "./warm_exec.ts";
import { emptyProgram } from "./start_up.ts";

const IN_PROCESS = "carpool, attach and true, in process";
const AS_COMMAND = "carpool exec, as a process";
const EMPTY = "empty Deno program";

/** From nothing to the end of `true`, on a master that is alive. */
export function attach(world: World, rttMs = 0): Workload {
  const host = `rtt${rttMs}`;
  const slow = rttMs > 0;
  const options = { host, share: true };
  const [processes, attaches] = slow ? [5, 10] : [10, 100];
  const near: (RatioPromise | ValuePromise)[] = [
    { contender: IN_PROCESS, against: SSH_MASTER, atMost: 0.4, source: "issue 3" },
    // 30 ms on a machine where the empty program takes 13.
    { contender: AS_COMMAND, against: EMPTY, atMost: 2.3, source: "issue 3, as a ratio" },
    { contender: AS_COMMAND, atMostValue: 30, source: "issue 5, warm carpool exec as a process" },
  ];
  return {
    id: slow ? `attach-${rttMs}` : "attach",
    title: "attach to a live master and run true, ms",
    link: { rttMs, emulated: slow },
    baseline: SSH_MASTER,
    contenders: [
      { name: SSH_MASTER, measure: () => onSshMaster(world, host, slow ? 5 : 30) },
      {
        name: IN_PROCESS,
        measure: async () => {
          const keeper = await world.keeperWith(host);
          const run = () =>
            world.contender("connect_loop.ts", { ...options, warmUp: attaches / 5, count: attaches });
          return await world.withBackground([keeper], attaches * 1.2, run);
        },
      },
      {
        name: "carpool, the first attach of a process",
        measure: () => world.contender("connect_loop.ts", { ...options, warmUp: 0, count: 1 }),
      },
      {
        name: AS_COMMAND,
        measure: async () => {
          await world.keeperWith(host);
          return await world.processes(
            processes,
            world.carpool("exec", "-F", world.configFile, host, "--", "true"),
          );
        },
      },
      {
        name: "carpool exec, with the checkout's deno.json",
        measure: () =>
          world.processes(
            processes,
            world.carpoolInCheckout("exec", "-F", world.configFile, host, "--", "true"),
          ),
      },
      { name: EMPTY, floor: true, measure: () => world.processes(10, emptyProgram) },
      ...(slow ? [{ name: PING, floor: true, measure: () => world.ping(rttMs) }] : []),
    ],
    promises: slow
      ? [{ contender: AS_COMMAND, against: SSH_MASTER, atMost: 1, source: "issue 5, ahead from RTT 25 on" }]
      : near,
  };
}
