import type { Workload } from "../method/workload.ts";
import type { World } from "../world/world.ts";

export const SHARED = "carpool, one connection";
export const PER_COMMAND = "carpool, connection per command";
const COUNTS = [1, 2, 3, 5, 10, 20];

/** N commands in a row from nothing, on one connection and on one each; when each had ended stands with the raw rounds. */
export function speedUp(world: World, rttMs: number): Workload {
  const host = `rtt${rttMs}`;
  const run = (perCommand: boolean) => () =>
    world.contender("speed_up.ts", {
      ...{ host, share: false, perCommand, counts: COUNTS, warmUp: 0, count: COUNTS.at(-1)! },
    });
  return {
    id: `speed-up-${rttMs}`,
    title: `${
      COUNTS.at(-1)
    } commands in a row on one connection and on one each, from nothing; ms per command`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: PER_COMMAND,
    contenders: [
      { name: PER_COMMAND, measure: run(true) },
      { name: SHARED, measure: run(false) },
    ],
  };
}
