/** How the guard counts: each part starts what it needs, and answers figures. */
import { Connection } from "../lib/channel/connection.ts";
import type { CloseInfo, Link } from "../lib/channel/link.ts";
import type { LinkCounters } from "../lib/emulator/flights.ts";
import { loadJob } from "../lib/job/load.ts";
import { runJob } from "../lib/job/run_job.ts";
import { Host } from "../lib/host/host.ts";
import { openLink } from "../lib/link/open_link.ts";
import { resolveTarget } from "../lib/target/resolve.ts";
import { run } from "../tests/support/run.ts";
import { broken } from "./contenders/report.ts";
import { ALLOCATION_V8_FLAGS, type AllocationReport } from "./guard_allocations.ts";
import { type Baseline, compare, type Figure } from "./guard_compare.ts";
import type { CountedWorld } from "./guard_world.ts";
import { jobFile, operation, type Place, release } from "./model_operations.ts";
import { CARPOOL_FLAGS } from "./world/programs.ts";

/** Longer than either side takes between two round trips (lib/emulator/flights.ts); a tree takes longer than a command. */
export const SHORT_RTT = 60;
export const LONG_RTT = 300;

/**
 * The count is an upper bound that scheduling can raise, so the least of several is taken: of `atLeast`, and while that is
 * more than the baseline, of up to `atMost`.
 */
const TIMES = { atLeast: 2, atMost: 8 };

const FLIGHTS: readonly (readonly [id: string, rttMs: number])[] = [
  ...[
    "login",
    "per-command",
    "exec",
    "exec-keeper",
    "attach-exec",
    "exec-8",
    "job-10",
    "job-stdin",
    "copy-file",
    "forward",
  ]
    .map((id) => [id, SHORT_RTT] as const),
  ["copy-tree", LONG_RTT],
  ["fetch-tree", LONG_RTT],
];

/** Many files answered while others are being sent: which answer meets which request depends on the machine. */
const TREES = new Set(["copy-tree", "fetch-tree"]);

/** Bytes of these are the same each time: one command, nothing that a server's version or a list of names adds to. */
const BYTES = new Set(["exec", "exec-keeper"]);

/** Round trips that follow one another, and bytes, per operation. */
export async function flights(world: CountedWorld, baseline: Baseline): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rttMs of [SHORT_RTT, LONG_RTT]) {
    await using own = await world.connect(rttMs, false);
    await using shared = await world.connect(rttMs, true);
    const place = { world, rttMs, own, shared };
    for (const [id] of FLIGHTS.filter(([, wanted]) => wanted === rttMs)) {
      figures.push(...await count(place, id, baseline));
    }
  }
  return figures;
}

async function count(place: Place, id: string, baseline: Baseline): Promise<Figure[]> {
  let figures = figuresOf(id, await countOnce(place, id));
  for (let time = 1; time < TIMES.atMost; time++) {
    const worse = compare(figures, baseline).some(({ verdict }) => verdict === "worse" || verdict === "new");
    if (time >= TIMES.atLeast && !worse) break;
    const again = figuresOf(id, await countOnce(place, id));
    figures = figures.map((figure, at) => ({ ...figure, value: Math.min(figure.value, again[at].value) }));
  }
  return figures;
}

function figuresOf(id: string, { roundTrips, bytesUp, bytesDown }: LinkCounters): Figure[] {
  const tolerance = TREES.has(id) ? 0.2 : 0;
  const figures: Figure[] = [{ name: `flights ${id}`, value: roundTrips, unit: "round trips", tolerance }];
  if (!BYTES.has(id)) return figures;
  const bytes = [["up", bytesUp], ["down", bytesDown]] as const;
  return [...figures, ...bytes.map(([way, value]) => ({ name: `bytes ${way} ${id}`, value, unit: "bytes" }))];
}

/** Runs an operation once and answers what passed over its link. */
export async function countOnce(place: Place, id: string): Promise<LinkCounters> {
  const work = await operation(id).prepare(place);
  // What the operation before left under way (a close, a window) is not counted to this one.
  await new Promise((resolve) => setTimeout(resolve, place.rttMs * 1.5));
  using meter = place.world.link(place.rttMs).mark();
  const held = await work();
  const counters = meter.counters();
  await release(held);
  return counters;
}

/** Messages of RFC 4254 per exec, each way. */
export async function messages(world: CountedWorld): Promise<Figure[]> {
  const options = world.options(false);
  const target = await resolveTarget("test1", options);
  const link = new CountingLink(await openLink(target, { prompter: options.prompter! }));
  await using host = new Host(new Connection(link), target);
  await host.exec("true");
  const [up, down] = [link.sent, link.received];
  const execs = 20;
  for (let at = 0; at < execs; at++) await host.exec("true");
  // The last exec's CLOSE may still be on its way; a whole number for each is what can be promised.
  return [
    { name: "messages up exec", value: Math.round((link.sent - up) / execs), unit: "messages" },
    { name: "messages down exec", value: Math.round((link.received - down) / execs), unit: "messages" },
  ];
}

class CountingLink implements Link {
  readonly #link: Link;
  sent = 0;
  received = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  get where(): string {
    return this.#link.where;
  }

  get queuedBytes(): number {
    return this.#link.queuedBytes;
  }

  get closed(): Promise<CloseInfo> {
    return this.#link.closed;
  }

  send(payload: Uint8Array): void {
    this.sent++;
    this.#link.send(payload);
  }

  drained(): Promise<void> {
    return this.#link.drained();
  }

  receive(handler: (payload: Uint8Array) => void): void {
    this.#link.receive((payload) => {
      this.received++;
      handler(payload);
    });
  }

  close(info?: CloseInfo): Promise<void> {
    return this.#link.close(info);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#link[Symbol.asyncDispose]();
  }
}

/** TCP connections of a job over three hosts, cold and again, and of four that start at once. */
export async function connections(world: CountedWorld): Promise<Figure[]> {
  const { sshd } = world.keepers;
  await world.keepers.exitAll();
  const task = await jobFile(world, ['exec: "true"', 'exec: "true"'], "hosts: [test1, test2, test3]\n");
  const job = await loadJob(task);
  const connectionsOf = async (work: () => Promise<unknown>) => {
    const before = sshd.connections();
    await work();
    return sshd.connections() - before;
  };
  const once = async () => {
    const { status } = await runJob(job, world.options(true)).result;
    if (status !== "ok") throw broken(`the job ended ${status}`);
  };
  const cold = await connectionsOf(once);
  const warm = await connectionsOf(once);
  await world.keepers.exitAll();
  const atOnce = await connectionsOf(() => Promise.all(Array.from({ length: 4 }, once)));
  return [
    { name: "connections job on 3 hosts, cold", value: cold, unit: "connections" },
    { name: "connections job on 3 hosts, again", value: warm, unit: "connections" },
    { name: "connections 4 such jobs at once, cold", value: atOnce, unit: "connections" },
  ];
}

const MAIN = new URL("../lib/cli/main.ts", import.meta.url).pathname;

/** Modules that the command really loads: V8 names each script that ran in a profile of its own. */
export async function modules(world: CountedWorld): Promise<Figure[]> {
  const exec = ["exec", "-F", world.configFile, "test1", "--", "true"];
  await deno(world, [MAIN, ...exec]); // a master, and the record of it
  return [
    { name: "modules carpool --help", value: await modulesOf(world, ["--help"]), unit: "modules" },
    { name: "modules carpool exec, warm", value: await modulesOf(world, exec), unit: "modules" },
  ];
}

async function modulesOf(world: CountedWorld, args: readonly string[]): Promise<number> {
  const directory = world.local("profile");
  await deno(world, [`--coverage=${directory}`, MAIN, ...args]);
  const scripts = new Set<string>();
  for await (const { name } of Deno.readDir(directory)) {
    scripts.add(JSON.parse(await Deno.readTextFile(`${directory}/${name}`)).url);
  }
  if (scripts.size === 0) throw broken("no module was seen: the profile is empty");
  return scripts.size;
}

/** Runs Deno as the command is run, in the world's home; it must succeed. Answers its standard output. */
async function deno(world: CountedWorld, args: readonly string[]): Promise<string> {
  const { env, path } = world.keepers.home;
  const result = await run(Deno.execPath(), [...CARPOOL_FLAGS, ...args], { env, clearEnv: true, cwd: path });
  if (!result.success) throw broken(`${args.join(" ")}: status ${result.code}: ${result.stderr.slice(-500)}`);
  return result.stdout;
}

const PROGRAM = new URL("guard_allocations.ts", import.meta.url).pathname;

/** Steps in which retained memory is told: less is V8's own affair. */
const RETAINED_STEP = 512;

/** What an exec costs the garbage collector, in a process of its own. */
export async function allocations(world: CountedWorld): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [id, share] of [["exec", false], ["exec-keeper", true]] as const) {
    const options = { configFile: world.configFile, host: "test1", share, warmUp: 500, count: 100 };
    const text = await deno(world, [ALLOCATION_V8_FLAGS, PROGRAM, JSON.stringify(options)]);
    const { heapBytes, retainedBytes }: AllocationReport = JSON.parse(text);
    figures.push({ name: `heap ${id}`, value: Math.round(heapBytes / 1000), unit: "kB", tolerance: 0.1 });
    const retained = Math.max(0, Math.round(retainedBytes / RETAINED_STEP)) * RETAINED_STEP;
    figures.push({ name: `retained ${id}`, value: retained, unit: "bytes" });
  }
  return figures;
}
