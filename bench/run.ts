/**
 * The benchmark: `deno task bench [--quick] [--rounds N] [--list] [workload…]`. Prints a table and writes JSON lines to
 * bench/results/. How it measures, and what the figures say: bench/README.md.
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
import { attach } from "./workloads/attach.ts";
import { bulk } from "./workloads/bulk.ts";
import { coldConnect } from "./workloads/cold_connect.ts";
import { keeperMemory } from "./workloads/keeper_memory.ts";
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
  const exec = (rttMs: number): Entry => ({
    id: `exec-${rttMs}`,
    world: { rttsMs: rttMs > 0 ? [rttMs] : [] },
    make: (world) => warmExec(world, { rttMs, quick }),
  });
  if (quick) return [exec(0), exec(50)];
  return [
    { id: "start-up", world: {}, make: startUp },
    ...[0, 50, 100].map(exec),
    ...[0, 50].map((rttMs): Entry => ({
      id: `connect-${rttMs}`,
      world: { rttsMs: rttMs > 0 ? [rttMs] : [] },
      make: (world) => coldConnect(world, rttMs),
    })),
    { id: "attach", world: {}, make: attach },
    { id: "bulk-pull", world: {}, make: (world) => bulk(world, "pull") },
    { id: "bulk-push", world: {}, make: (world) => bulk(world, "push") },
    { id: "keeper-memory", world: { hosts: FLEET }, make: (world) => keeperMemory(world) },
  ];
}

/** Fewer would make a median of noise. */
const MIN_ROUNDS = 5;

async function main(args: readonly string[]): Promise<number> {
  const options = parseArgs([...args], { boolean: ["quick", "list", "help"], string: ["rounds"] });
  const quick = options.quick === true;
  const all = [...entries(quick), ...(quick ? [] : await peerEntries())];
  const wanted = options._.map(String);
  const unknown = wanted.filter((id) => !all.some((entry) => entry.id === id));
  const rounds = Number(options.rounds ?? MIN_ROUNDS);
  if (options.help || options.list || unknown.length > 0 || !(rounds >= MIN_ROUNDS)) {
    for (const id of unknown) console.error(`There is no workload ${id}.`);
    if (!(rounds >= MIN_ROUNDS)) console.error(`--rounds must be at least ${MIN_ROUNDS}.`);
    console.log(
      `deno task bench [--quick] [--rounds N] [workload…]\n\n${all.map(({ id }) => id).join("\n")}`,
    );
    return options.help || options.list ? 0 : 2;
  }
  const startedAt = new Date().toISOString();
  const { version: ssh, serverVersionNumber } = await openssh();
  const results = new ResultFile(
    new URL("results", import.meta.url).pathname,
    `${startedAt.slice(0, 19).replace(/:/g, "-")}${quick ? "-quick" : ""}`,
  );
  const versions = { carpool: version, ssh, sshd: serverVersionNumber.join("."), ssh2: "1.17.0" };
  await results.run({ startedAt, machine: await describeMachine(), versions, arguments: args });
  let failures = 0;
  for (const entry of all.filter(({ id }) => wanted.length === 0 || wanted.includes(id))) {
    await using world = await World.start(entry.world);
    const raw = await runRounds(await entry.make(world), { rounds, onTurn: progress(rounds) });
    clearProgress();
    const summary = summarize(raw);
    await results.workload(raw, summary);
    console.log(table(raw, summary));
    if (quick) console.log(`${sharingSentence(raw, CARPOOL_KEEPER, CARPOOL_PER_COMMAND)}\n`);
    failures += raw.failed.size;
  }
  console.log(`Raw rounds: ${results.path}`);
  return failures > 0 ? 1 : 0;
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
