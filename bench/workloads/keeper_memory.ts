import type { Measurement, Workload } from "../method/workload.ts";
import { processUse } from "../world/programs.ts";
import type { World } from "../world/world.ts";

const FIRST = "keeper with 1 warm host";
const ALL = "keeper with 100 warm hosts";
const FURTHER = "each further warm host";
const IDLE = "CPU of 100 idle warm hosts";

export interface KeeperMemoryOptions {
  /** Default 60 s. */
  readonly idleMs?: number;
}

/** What the keeper holds for hosts that are warm, and does while nobody asks anything of it. A new keeper each round. */
export function keeperMemory(world: World, { idleMs = 60_000 }: KeeperMemoryOptions = {}): Workload {
  const hosts = world.sshd.hosts.map((_, index) => `test${index + 1}`);
  return {
    id: "keeper-memory",
    title: `memory of the keeper (RSS), and its CPU over ${idleMs / 1000} s without work`,
    link: { rttMs: 0, emulated: false },
    baseline: FIRST,
    contenders: [
      { name: FIRST, unit: "MB" },
      { name: ALL, unit: "MB" },
      { name: FURTHER, unit: "MB" },
      { name: IDLE, unit: "% of a core" },
    ],
    promises: [{ contender: FURTHER, atMostValue: 0.25, source: "issue 3" }],
    warmUpRounds: 0,
    together: async (): Promise<Record<string, Measurement>> => {
      await world.endKeeper();
      await open(world, hosts.slice(0, 1));
      const pid = await world.keeperPid();
      const one = await processUse(pid);
      await open(world, hosts.slice(1));
      const all = await processUse(pid);
      const idleFrom = performance.now();
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      const later = await processUse(pid);
      const idleSeconds = (performance.now() - idleFrom) / 1000;
      await world.endKeeper();
      const further = hosts.length - 1;
      const memory = (value: number, pssMB: number | undefined) => ({
        value,
        operations: 1,
        more: pssMB === undefined ? undefined : { pssMB },
      });
      return {
        [FIRST]: memory(one.rssMB, one.pssMB),
        [ALL]: memory(all.rssMB, all.pssMB),
        [FURTHER]: {
          value: (all.rssMB - one.rssMB) / further,
          operations: further,
          more: { afterIdleMB: (later.rssMB - one.rssMB) / further },
        },
        [IDLE]: {
          value: (later.cpuSeconds - all.cpuSeconds) / idleSeconds * 100,
          operations: 1,
          more: { cpuSeconds: later.cpuSeconds - all.cpuSeconds, idleSeconds },
        },
      };
    },
  };
}

async function open(world: World, hosts: readonly string[]): Promise<void> {
  const program = new URL("../contenders/open_many.ts", import.meta.url).pathname;
  const [deno, ...flags] = world.carpool().slice(0, -1);
  await world.run(deno, [...flags, program, world.configFile, ...hosts]);
}
