/** The workloads in which Carpool meets other tools, with the world that each wants. */
import { provide } from "../../tests/support/tools.ts";
import type { Workload } from "../method/workload.ts";
import { reaper } from "../peers/reaper.ts";
import type { World, WorldOptions } from "../world/world.ts";
import { cpuPerCommand } from "./cpu_per_command.ts";
import { BULK_LINKS, duringBulk } from "./during_bulk.ts";
import { dependent } from "./dependent.ts";
import { fleet, fleetWorld } from "./fleet.ts";
import { fleetBulk, fleetBulkWorld } from "./fleet_bulk.ts";
import { fleetAgainstLibraries, fleetAgainstTools, fleetOfThousand, scaleWorld } from "./fleet_scale.ts";
import { jobKnown } from "./job_known.ts";
import { FAR_LINK, largeCopy } from "./large_copy.ts";
import { jobSteps } from "./job_steps.ts";
import { FILE_LINKS, largeFile } from "./large_file.ts";
import { parallel } from "./parallel.ts";
import { sequential } from "./sequential.ts";
import { throwAway } from "./throw_away.ts";
import { tree } from "./tree.ts";
import { treeWarm } from "./tree_warm.ts";

export interface PeerEntry {
  readonly id: string;
  readonly world: WorldOptions;
  readonly make: (world: World) => Workload | Promise<Workload>;
}

const ELSEWHERE = "takes too long for 200 files: it is measured with 20, in tree-50-all";
/** Some 350 ms a file on loopback. */
const ANSIBLE_SLOW = { ansible: ELSEWHERE, mitogen: ELSEWHERE };
/** Several round trips a file, one file after the other. */
const FAR_SLOW = { ...ANSIBLE_SLOW, scp: ELSEWHERE, sftp: ELSEWHERE, asyncssh: ELSEWHERE };

/** Hosts and steps of a fleet where nothing else is said: `CARPOOL_BENCH_FLEET=100x5` in the environment. */
function fleetSize(): { hosts: number; steps: number } {
  const [, hosts, steps] = /^(\d+)x(\d+)$/.exec(Deno.env.get("CARPOOL_BENCH_FLEET") ?? "") ?? [];
  return hosts === undefined ? { hosts: 16, steps: 5 } : { hosts: Number(hosts), steps: Number(steps) };
}

/** Commands one after the other at a round trip of 0 where nothing else is said: `CARPOOL_BENCH_COMMANDS=50`. */
function commandCount(): number {
  return Number(Deno.env.get("CARPOOL_BENCH_COMMANDS") ?? 20);
}

/** Small enough for a machine of two cores; each size stands in its title. */
export async function peerEntries(tour: boolean): Promise<PeerEntry[]> {
  const within = await reaper();
  const all = await entries(tour);
  return all.map((entry) => ({ ...entry, world: { ...entry.world, within } }));
}

async function entries(tour: boolean): Promise<PeerEntry[]> {
  const at = (rttMs: number): WorldOptions => ({ rttsMs: rttMs > 0 ? [rttMs] : [] });
  // Where it cannot be had it is missing among the peers too, with the reason.
  const programs = await provide("rsync").then((tool) => [tool], () => []);
  const size = fleetSize();
  return [
    ...[[0, commandCount()], [50, Math.ceil(commandCount() / 2)], [200, 5]].map((
      [rttMs, count],
    ): PeerEntry => ({
      id: `sequential-${rttMs}`,
      world: at(rttMs),
      make: (world) => sequential(world, { rttMs, count }),
    })),
    ...[0, 50].map((rttMs): PeerEntry => ({
      id: `parallel-${rttMs}`,
      world: at(rttMs),
      make: (world) => parallel(world, { rttMs, count: 50 }),
    })),
    ...[0, 50].flatMap((rttMs) =>
      [false, true].map((warm): PeerEntry => ({
        id: `job-${rttMs}${warm ? "-warm" : ""}`,
        world: at(rttMs),
        make: (world) => jobSteps(world, { rttMs, steps: 10, warm }),
      }))
    ),
    ...[0, 50].flatMap((rttMs) =>
      [false, true].map((warm): PeerEntry => ({
        id: `fleet-${rttMs}${warm ? "-warm" : ""}`,
        world: fleetWorld(rttMs, size.hosts),
        make: (world) => fleet(world, { rttMs, ...size, warm }),
      }))
    ),
    {
      id: "fleet-50-line",
      world: fleetWorld(50, size.hosts, true),
      make: (world) => fleet(world, { rttMs: 50, ...size, warm: false, line: true }),
    },
    {
      id: "fleet-memory",
      world: fleetWorld(0, size.hosts),
      make: (world) => fleet(world, { rttMs: 0, ...size, warm: false, memory: true }),
    },
    {
      id: "tree-0",
      world: { programs },
      make: (world) => tree(world, { rttMs: 0, files: 200, tooSlow: ANSIBLE_SLOW }),
    },
    {
      id: "tree-50",
      world: { ...at(50), programs },
      make: (world) => tree(world, { rttMs: 50, files: 200, tooSlow: FAR_SLOW }),
    },
    {
      id: "tree-50-all",
      world: { ...at(50), programs },
      make: (world) => tree(world, { rttMs: 50, files: 20 }),
    },
    ...[undefined, "short-fat", "long-fat"].flatMap((link) =>
      (["push", "pull"] as const).map((direction): PeerEntry => ({
        id: `file-${direction}${link ? `-${link}` : ""}`,
        world: { programs, links: link ? { [link]: FILE_LINKS[link] } : {} },
        make: (world) => largeFile(world, { direction, link, bytes: 100e6 }),
      }))
    ),
    ...(["pull", "push"] as const).flatMap((direction) =>
      [undefined, "narrow"].map((link): PeerEntry => ({
        id: `during-bulk${direction === "push" ? "-push" : ""}${link ? `-${link}` : ""}`,
        world: { links: link ? { [link]: BULK_LINKS[link] } : {} },
        make: (world) =>
          duringBulk(world, { link, direction, count: link ? 30 : 100, peerRounds: tour ? 1 : undefined }),
      }))
    ),
    { id: "job-20-200", world: at(200), make: (world) => jobKnown(world, 200) },
    {
      id: "dependent-50",
      world: at(50),
      make: (world) => dependent(world, { rttMs: 50, peerRounds: tour ? 1 : 5 }),
    },
    {
      id: "dependent-200",
      world: at(200),
      make: (world) => dependent(world, { rttMs: 200, peerRounds: tour ? 0 : 1 }),
    },
    { id: "tree-warm-50", world: { ...at(50), programs }, make: (world) => treeWarm(world, 50) },
    ...(["push", "pull"] as const).map((direction): PeerEntry => ({
      id: `large-${direction}`,
      world: {},
      make: (world) => largeCopy(world, { direction, bytes: 500e6 }),
    })),
    {
      id: "large-push-far",
      world: { links: { far: FAR_LINK } },
      make: (world) => largeCopy(world, { direction: "push", bytes: 200e6, far: true }),
    },
    {
      id: "parallel-0-warm",
      world: {},
      make: (world) => parallel(world, { rttMs: 0, count: 50, warm: true }),
    },
    { id: "fleet-bulk", world: fleetBulkWorld, make: (world) => fleetBulk(world, 200e6) },
    ...[0, 50].map((rttMs): PeerEntry => ({
      id: `throw-away-${rttMs}`,
      world: at(rttMs),
      make: (world) => throwAway(world, { rttMs, sessions: 40 }),
    })),
    { id: "fleet-100-hosts", world: scaleWorld(100), make: fleetAgainstLibraries },
    {
      id: "fleet-200-hosts",
      world: scaleWorld(200),
      make: (world) => fleetAgainstTools(world, { limitMs: tour ? 90_000 : 600_000 }),
    },
    {
      id: "fleet-1000-hosts",
      world: scaleWorld(1000),
      make: (world) => fleetOfThousand(world, { brief: tour }),
    },
    { id: "cpu", world: {}, make: (world) => cpuPerCommand(world, { count: commandCount() }) },
  ];
}
