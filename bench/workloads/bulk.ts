import type { Measurement, Workload } from "../method/workload.ts";
import { processUse } from "../world/programs.ts";
import type { World } from "../world/world.ts";
import { CARPOOL_KEEPER, CARPOOL_PRIVATE, SSH_MASTER } from "./names.ts";

const host = "rtt0";
const BYTES = 500_000_000;

/** 500 MB from memory to memory on a warm connection. */
export function bulk(world: World, direction: "pull" | "push", bytes = BYTES): Workload {
  const options = { host, direction, bytes, warmUp: 0, count: 1 };
  return {
    id: `bulk-${direction}`,
    title: `${bytes / 1e6} MB, ${direction}, memory to memory, ms in all`,
    link: { rttMs: 0, emulated: false },
    baseline: CARPOOL_PRIVATE,
    contenders: [
      { name: CARPOOL_PRIVATE, measure: () => world.contender("bulk.ts", { ...options, share: false }) },
      { name: CARPOOL_KEEPER, measure: () => throughKeeper(world, options) },
      { name: SSH_MASTER, measure: () => withSsh(world, direction, bytes) },
    ],
    promises: [
      // At least 0.8 of the throughput is at most 1.25 of the time.
      { contender: CARPOOL_KEEPER, against: CARPOOL_PRIVATE, atMost: 1.25, source: "issue 3" },
    ],
  };
}

async function throughKeeper(world: World, options: object): Promise<Measurement> {
  const keeper = await world.keeperWith(host);
  const measurement = await world.withBackground(
    [keeper],
    1,
    () => world.contender("bulk.ts", { ...options, share: true }),
  );
  const { rssMB } = await processUse(keeper);
  return { ...measurement, more: { ...measurement.more, keeperRssMB: rssMB } };
}

async function withSsh(world: World, direction: "pull" | "push", bytes: number): Promise<Measurement> {
  const { socket, pid } = await world.sshMaster(host);
  // The words of ssh come as arguments, so that no shell reads them again.
  const script = direction === "pull"
    ? `"$@" 'head -c ${bytes} /dev/zero' | wc -c`
    : `head -c ${bytes} /dev/zero | "$@" 'wc -c'`;
  const words = ["/bin/sh", "-c", script, "sh", ...world.ssh("-S", socket, host)];
  return await world.withBackground([pid], 1, () => world.processes(1, words, 0));
}
