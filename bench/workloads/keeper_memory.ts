import type { Measurement, Workload } from "../method/workload.ts";
import { type ProcessUse, processUse } from "../world/programs.ts";
import type { World } from "../world/world.ts";

const FIRST = "keeper with 1 warm host";
const ALL = "keeper with 100 warm hosts";
const FURTHER = "each further warm host";
const IDLE = "CPU of 100 idle warm hosts";
const SSH_EACH = "ssh's master, each of ten warm hosts";
const SSH_HOSTS = 10;

export interface KeeperMemoryOptions {
  /** Default 60 s. */
  readonly idleMs?: number;
}

/** What the keeper holds for hosts that are warm, and does while nobody asks anything of it. A new keeper each round. */
export function keeperMemory(world: World, { idleMs = 60_000 }: KeeperMemoryOptions = {}): Workload {
  let idleSeen = false;
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
      { name: SSH_EACH, unit: "MB" },
      { name: IDLE, unit: "% of a core" },
    ],
    promises: [{ contender: FURTHER, atMostValue: 0.25, source: "issues 3 and 5" }],
    warmUpRounds: 0,
    together: async (): Promise<Record<string, Measurement>> => {
      await world.endKeeper();
      await open(world, hosts.slice(0, 1));
      const pid = await world.keeperPid();
      const one = await processUse(pid);
      await open(world, hosts.slice(1));
      const all = await processUse(pid);
      // Once: it takes a minute, and nothing else of this workload does.
      const idle = idleSeen
        ? {}
        : await idleFigures(pid, idleMs, all, (later) => (later - one.rssMB) / (hosts.length - 1));
      idleSeen = true;
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
        },
        [SSH_EACH]: await sshMasters(world, hosts.slice(0, SSH_HOSTS)),
        ...idle,
      };
    },
  };
}

async function idleFigures(
  pid: number,
  idleMs: number,
  before: ProcessUse,
  furtherOf: (rssMB: number) => number,
): Promise<Record<string, Measurement>> {
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const later = await processUse(pid);
  const idleSeconds = (performance.now() - from) / 1000;
  const cpuSeconds = later.cpuSeconds - before.cpuSeconds;
  return {
    [IDLE]: {
      value: cpuSeconds / idleSeconds * 100,
      operations: 1,
      more: { cpuSeconds, idleSeconds, furtherAfterIdleMB: furtherOf(later.rssMB) },
    },
  };
}

/** What a master of OpenSSH holds, which is a process for each host: its share of memory, as much of it is common. */
async function sshMasters(world: World, hosts: readonly string[]): Promise<Measurement> {
  const uses: ProcessUse[] = [];
  const masters = [];
  for (const host of hosts) masters.push(await world.sshMaster(host));
  for (const { pid } of masters) uses.push(await processUse(pid));
  const mean = (of: (use: ProcessUse) => number) => uses.reduce((sum, use) => sum + of(use), 0) / uses.length;
  const rssMB = mean((use) => use.rssMB);
  return { value: mean((use) => use.pssMB ?? use.rssMB), operations: hosts.length, more: { rssMB } };
}

async function open(world: World, hosts: readonly string[]): Promise<void> {
  const program = new URL("../contenders/open_many.ts", import.meta.url).pathname;
  const [deno, ...flags] = world.carpool().slice(0, -1);
  await world.run(deno, [...flags, program, world.configFile, ...hosts]);
}
