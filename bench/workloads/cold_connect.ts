import type { Workload } from "../method/workload.ts";
import type { World } from "../world/world.ts";
import { CARPOOL_PER_COMMAND, CURVE_OPTION, SSH_NEW, SSH_NEW_CURVE } from "./names.ts";

/** The first command on a host that nobody is connected to. */
export function coldConnect(world: World, rttMs: number): Workload {
  const host = `rtt${rttMs}`;
  const count = rttMs > 0 ? 3 : 5;
  return {
    id: `connect-${rttMs}`,
    title: "cold connect and one true, ms",
    link: { rttMs, emulated: rttMs > 0 },
    baseline: SSH_NEW,
    contenders: [
      { name: SSH_NEW, measure: () => world.processes(count, world.ssh("-S", "none", host, "true"), 0) },
      {
        name: SSH_NEW_CURVE,
        measure: () => world.processes(count, world.ssh("-S", "none", ...CURVE_OPTION, host, "true"), 0),
      },
      {
        name: "carpool exec --no-share, as a process",
        measure: () =>
          world.processes(
            count,
            world.carpool("exec", "--no-share", "-F", world.configFile, host, "--", "true"),
            0,
          ),
      },
      {
        name: CARPOOL_PER_COMMAND,
        measure: () => world.contender("connect_loop.ts", { host, share: false, warmUp: 1, count }),
      },
    ],
  };
}
