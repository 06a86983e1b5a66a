/**
 * The benchmark: `deno task bench [--quick | --tour] [--rounds N] [--list] [workload…]`. Prints tables, writes JSON lines
 * and draws plots to bench/results/. How it measures, and what the figures say: bench/README.md.
 */
import { parseArgs } from "../lib/deps/std_cli.ts";
import { version } from "../lib/cli/version.ts";
import { openssh } from "../tests/support/openssh.ts";
import { describeMachine } from "./method/machine.ts";
import { ResultFile } from "./method/result_file.ts";
import { sharingSentence } from "./method/sharing_sentence.ts";
import { runRounds } from "./method/rounds.ts";
import { summarize } from "./method/summary.ts";
import { table } from "./method/table.ts";
import type { Workload } from "./method/workload.ts";
import { findPeers } from "./peers/peers.ts";
import { pinnedSsh2 } from "./peers/ssh2_modules.ts";
import { charts } from "./plots/charts.ts";
import { drawInto } from "./plots/draw.ts";
import { readResults } from "./plots/results.ts";
import { TOUR } from "./tour.ts";
import { attach } from "./workloads/attach.ts";
import { bulk } from "./workloads/bulk.ts";
import { coldConnect } from "./workloads/cold_connect.ts";
import { keeperMemory } from "./workloads/keeper_memory.ts";
import { speedUp } from "./workloads/speed_up.ts";
import { CARPOOL_KEEPER, CARPOOL_PER_COMMAND } from "./workloads/names.ts";
import { peerEntries } from "./workloads/peer_entries.ts";
import { startUp } from "./workloads/start_up.ts";
import { warmExec } from "./workloads/warm_exec.ts";
import { World, type WorldOptions } from "./world/world.ts";

/** A workload and the world that it wants; each has one of its own, so that none inherits what another left. */
interface Entry {
  readonly id: string;
  readonly world: WorldOptions;
  readonly make: (world: World) => Workload | Promise<Workload>;
}

const FLEET = Array.from({ length: 100 }, (_, index) => `127.0.11.${index + 1}`);

function entries(quick: boolean): Entry[] {
  const at = (rttMs: number): WorldOptions => ({ rttsMs: rttMs > 0 ? [rttMs] : [] });
  const exec = (rttMs: number): Entry => ({
    id: `exec-${rttMs}`,
    world: at(rttMs),
    make: (world) => warmExec(world, { rttMs, quick }),
  });
  if (quick) return [exec(0), exec(50)];
  return [
    { id: "start-up", world: {}, make: startUp },
    ...[0, 25, 50, 100, 200].map(exec),
    ...[0, 50].map((rttMs): Entry => ({
      id: `connect-${rttMs}`,
      world: at(rttMs),
      make: (world) => coldConnect(world, rttMs),
    })),
    ...[0, 25].map((rttMs): Entry => ({
      id: rttMs > 0 ? `attach-${rttMs}` : "attach",
      world: at(rttMs),
      make: (world) => attach(world, rttMs),
    })),
    ...[0, 50].map((rttMs): Entry => ({
      id: `speed-up-${rttMs}`,
      world: at(rttMs),
      make: (world) => speedUp(world, rttMs),
    })),
    { id: "bulk-pull", world: {}, make: (world) => bulk(world, "pull") },
    { id: "bulk-push", world: {}, make: (world) => bulk(world, "push") },
    { id: "keeper-memory", world: { hosts: FLEET }, make: (world) => keeperMemory(world) },
  ];
}

/** Fewer would make a median of noise; who takes fewer has the table say so. */
const ROUNDS = 5;

/** No further round is begun after this long. */
const BUDGET_SECONDS = { full: 300, quick: 45 };

interface Wanted {
  readonly entry: Entry;
  readonly rounds: number;
  readonly budgetSeconds: number;
  readonly cold: boolean;
}

const USAGE = `deno task bench [--quick | --tour] [--rounds N] [workload or group…]

--quick     sharing against a connection per command, at round trips of 0 and 50 ms: under two minutes
--tour      what answers for the promises, with few rounds where one takes long: about half an hour
--rounds N  kept rounds of each; default ${ROUNDS}
`;

async function main(args: readonly string[]): Promise<number> {
  const options = parseArgs([...args], {
    boolean: ["quick", "tour", "list", "help"],
    string: ["rounds"],
  });
  const quick = options.quick === true;
  const tour = options.tour === true;
  const all = [...entries(quick), ...(quick ? [] : await peerEntries(tour))];
  const words = options._.map(String);
  const groups = tour ? TOUR : {};
  const unknown = words.filter((word) => !Object.hasOwn(groups, word) && !all.some(({ id }) => id === word));
  const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
  const bad = rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1);
  if (options.help || options.list || unknown.length > 0 || bad) {
    for (const word of unknown) console.error(`There is no workload ${word}.`);
    if (bad) console.error("--rounds must be a whole number of at least 1.");
    const stops = Object.entries(TOUR).map(([group, stops]) =>
      `--tour ${group}: ${stops.map(({ id }) => id).join(" ")}`
    );
    console.log([USAGE, ...stops, "", ...all.map(({ id }) => id)].join("\n"));
    return options.help || options.list ? 0 : 2;
  }
  const wanted = tour ? tourOf(all, words) : all.filter(({ id }) => words.length === 0 || words.includes(id))
    .map((entry): Wanted => ({
      entry,
      rounds: ROUNDS,
      budgetSeconds: quick ? BUDGET_SECONDS.quick : BUDGET_SECONDS.full,
      cold: false,
    }));
  return await runAll(wanted.map((each) => ({ ...each, rounds: rounds ?? each.rounds })), args, quick);
}

/** The stops of the tour, or of the groups and workloads that were named. */
function tourOf(all: readonly Entry[], words: readonly string[]): Wanted[] {
  return Object.entries(TOUR).flatMap(([group, stops]) =>
    stops.filter(({ id }) => words.length === 0 || words.includes(group) || words.includes(id))
      .map(({ id, rounds, budgetSeconds, cold = false }) => ({
        ...{ rounds, budgetSeconds, cold },
        entry: all.find((entry) => entry.id === id)!,
      }))
  );
}

async function runAll(wanted: readonly Wanted[], args: readonly string[], quick: boolean): Promise<number> {
  const startedAt = new Date().toISOString();
  const { version: ssh, serverVersionNumber } = await openssh();
  const directory = new URL("results/", import.meta.url);
  const results = new ResultFile(
    directory.pathname.replace(/\/$/, ""),
    `${startedAt.slice(0, 19).replace(/:/g, "-")}${quick ? "-quick" : ""}`,
  );
  const own = { carpool: version, ssh, sshd: serverVersionNumber.join("."), ssh2: await pinnedSsh2() };
  const versions = quick ? own : { ...own, ...await peerVersions() };
  await results.run({ startedAt, machine: await describeMachine(), versions, arguments: args });
  let failures = 0;
  for (const { entry, rounds, budgetSeconds, cold } of wanted) {
    const from = performance.now();
    try {
      await using world = await World.start(entry.world);
      const workload = await entry.make(world);
      const onTurn = progress(rounds);
      const raw = await runRounds(workload, { rounds, cold, budgetMs: budgetSeconds * 1000, onTurn });
      clearProgress();
      const summary = summarize(raw);
      await results.workload(raw, summary);
      console.log(table(raw, summary));
      if (quick) console.log(`${sharingSentence(raw, CARPOOL_KEEPER, CARPOOL_PER_COMMAND)}\n`);
      failures += raw.failed.size;
    } catch (error) {
      // One workload whose world cannot be made must not take the others with it.
      clearProgress();
      console.log(`${entry.id}: FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
      failures++;
    }
    console.log(`  (${entry.id}: ${((performance.now() - from) / 1000).toFixed(0)} s)\n`);
  }
  for (const name of await drawInto(charts(await readResults(directory)), directory)) {
    console.log(`Drawn: ${name}`);
  }
  console.log(`Raw rounds: ${results.path}`);
  return failures > 0 ? 1 : 0;
}

/** Each tool to compare with, as it says itself, or why it is not there. */
async function peerVersions(): Promise<Record<string, string>> {
  const peers = Object.values(await findPeers());
  return Object.fromEntries(
    peers.map((peer) => [peer.id, "missing" in peer ? `missing: ${peer.missing}` : peer.version]),
  );
}

function progress(rounds: number): ((round: number, contender: string) => void) | undefined {
  if (!Deno.stderr.isTerminal()) return undefined;
  return (round, contender) => {
    const text = round < 1 ? "warm-up" : `round ${round} of ${rounds}`;
    Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}: ${contender}`));
  };
}

function clearProgress(): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
}

Deno.exit(await main(Deno.args));
