/** What the model is made of, measured: the links' own round trips, the operations over them, and what a command costs in a row. */
import process from "node:process";
import { emulateLink } from "../lib/emulator/emulated_link.ts";
import type { LinkCounters } from "../lib/emulator/flights.ts";
import { countOnce, LONG_RTT } from "./guard_count.ts";
import type { CountedWorld } from "./guard_world.ts";
import { median } from "./method/statistics.ts";
import { type Operation, operations, release } from "./model_operations.ts";

/** Round trips that the model is tried at; 0 is where the local cost is taken. */
export const RTTS_MS = [0, 25, 50, 100, 200];

/** What an operation takes over one link. */
export interface Point {
  /** What the link was asked for. */
  readonly rttMs: number;
  /** What a ping-pong over such a link takes: the emulator's timers add to it. */
  readonly pingMs: number;
  /** The least of the rounds: what else runs on the machine can only add. */
  readonly measuredMs: number;
  readonly roundsMs: readonly number[];
  readonly predictedMs: number;
}

/** One line of the model. */
export interface ModelLine {
  readonly id: string;
  readonly title: string;
  readonly roundTrips: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** What remains without round trips: what both machines and the relay between them take. */
  readonly localMs: number;
  /** The round trip at which that was taken; its own prediction proves nothing. */
  readonly localAtRttMs: number;
  /** Of it, what a round trip of the same length hides; see {@linkcode stallOf}. */
  readonly stallMs: number;
  readonly points: readonly Point[];
}

/**
 * Of a tree much of the work is done while answers are under way, and so are the first steps of a job whose other text
 * comes on stdin. At round trip 0 there is no such while, and the local time found there would be too long everywhere
 * else: it is taken at the shortest link.
 */
const PIPELINED = new Set(["copy-tree", "fetch-tree", "job-stdin"]);
const PIPELINED_LOCAL_AT_MS = 25;

/** A count is an upper bound: the least of so many, and of all that is measured over links that are as long as this. */
const COUNTS = 3;
const COUNTED_FROM_MS = 100;

/** Measured and no line of their own: `exec-10` is ten times `exec-keeper`. */
const LEFT_OUT = new Set(["exec-10"]);

/** What is over so soon is done so often in a round: a moment's disturbance would be all of it. */
const SHORT_MS = 250;
const SHORT_TIMES = 3;

export interface ModelOptions {
  readonly rounds: number;
  /** No further round is begun after so long; the first one always is. */
  readonly budgetMs: number;
  readonly onProgress: (what: string) => void;
}

/** What was found. */
export interface Model {
  readonly lines: readonly ModelLine[];
  /** Rounds that were kept. */
  readonly rounds: number;
  /** Operations that failed, with the reason: they have no line. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Counts and measures every operation at every round trip. */
export async function measureModel(world: CountedWorld, options: ModelOptions): Promise<Model> {
  const all = operations.filter(({ id }) => !LEFT_OUT.has(id));
  const failed = new Map<string, string>();
  const attempt = async (id: string, work: () => Promise<void>) => {
    if (failed.has(id)) return;
    try {
      await work();
    } catch (error) {
      failed.set(id, error instanceof Error ? error.message : String(error));
      options.onProgress(`${id} failed: ${failed.get(id)}`);
    }
  };
  const until = performance.now() + options.budgetMs;
  options.onProgress("counting");
  const counted = new Map<string, LinkCounters>();
  {
    await using own = await world.connect(LONG_RTT, false);
    await using shared = await world.connect(LONG_RTT, true);
    for (const { id } of all) {
      await attempt(id, async () => {
        const place = { world, rttMs: LONG_RTT, own, shared };
        const counts: LinkCounters[] = [];
        for (let at = 0; at < COUNTS; at++) counts.push(await countOnce(place, id));
        counted.set(id, counts.toSorted((a, b) => a.roundTrips - b.roundTrips)[0]);
      });
    }
  }
  const pings = new Map<number, number>();
  for (const rttMs of RTTS_MS) pings.set(rttMs, await pingMs(rttMs));
  const times = new Map<string, number[]>();
  let rounds = 0;
  for (let round = 0; round <= options.rounds; round++) {
    if (round > 1 && performance.now() > until) break;
    rounds = round;
    for (const rttMs of round % 2 === 0 ? RTTS_MS : RTTS_MS.toReversed()) {
      options.onProgress(
        round === 0 ? `warm-up, ${rttMs} ms` : `round ${round} of ${options.rounds}, ${rttMs} ms`,
      );
      await using own = await world.connect(rttMs, false);
      await using shared = await world.connect(rttMs, true);
      for (const operation of all) {
        await attempt(operation.id, async () => {
          const place = { world, rttMs, own, shared };
          const key = `${operation.id} ${rttMs}`;
          const took: number[] = [];
          do {
            const { ms, counters } = await time(operation, place);
            took.push(ms);
            const least = counted.get(operation.id)!;
            if (rttMs >= COUNTED_FROM_MS && counters.roundTrips < least.roundTrips) {
              counted.set(operation.id, counters);
            }
          } while (took.length < SHORT_TIMES && took[0] < SHORT_MS);
          if (round > 0) times.set(key, [...times.get(key) ?? [], Math.min(...took)]);
        });
      }
    }
  }
  const lines = all.filter(({ id }) => !failed.has(id)).map(({ id, title }): ModelLine => {
    const { roundTrips, bytesUp, bytesDown } = counted.get(id)!;
    const localOf = (of: string) => Math.min(...times.get(`${of} 0`) ?? []);
    const stallMs = stallOf(id, localOf);
    const waitMs = (rttMs: number) => {
      const more = pings.get(rttMs)! - pings.get(0)!;
      return roundTrips * more - Math.min(stallMs, more);
    };
    const localAtRttMs = PIPELINED.has(id) ? PIPELINED_LOCAL_AT_MS : 0;
    const localMs = Math.min(...times.get(`${id} ${localAtRttMs}`)!) - waitMs(localAtRttMs);
    const points = RTTS_MS.map((rttMs): Point => {
      const roundsMs = times.get(`${id} ${rttMs}`)!;
      return {
        rttMs,
        pingMs: pings.get(rttMs)!,
        measuredMs: Math.min(...roundsMs),
        roundsMs,
        predictedMs: localMs + waitMs(rttMs),
      };
    });
    return { id, title, roundTrips, bytesUp, bytesDown, localMs, localAtRttMs, stallMs, points };
  });
  return { lines, rounds, failed };
}

/**
 * The first command on a new connection takes some 40 ms more than login and command do apart: sshd writes twice after
 * the login, and the kernel holds the second packet back until the first is acknowledged, which it delays (Nagle). Meanwhile
 * a longer link is waiting anyway.
 */
function stallOf(id: string, localOf: (id: string) => number): number {
  if (id !== "per-command") return 0;
  const stall = localOf(id) - localOf("login") - localOf("exec");
  return Number.isFinite(stall) ? Math.max(0, stall) : 0;
}

async function time(
  operation: Operation,
  place: Parameters<Operation["prepare"]>[0],
): Promise<{ ms: number; counters: LinkCounters }> {
  const work = await operation.prepare(place);
  // A close that is still under way is not this operation's.
  await new Promise((resolve) => setTimeout(resolve, place.rttMs + 10));
  using meter = place.world.link(place.rttMs).mark();
  const startedAt = performance.now();
  const held = await work();
  const ms = performance.now() - startedAt;
  const counters = meter.counters();
  await release(held);
  return { ms, counters };
}

/** The link's round trip as a ping-pong finds it. */
async function pingMs(rttMs: number): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const echo = (async () => {
    const connection = await listener.accept();
    await connection.readable.pipeTo(connection.writable);
  })();
  const { hostname, port } = listener.addr;
  const samples: number[] = [];
  {
    await using link = await emulateLink({ to: { hostname, port }, rttMs });
    using connection = await Deno.connect({ hostname: link.hostname, port: link.port });
    connection.setNoDelay(true);
    const byte = new Uint8Array(1);
    for (let at = 0; at < 12; at++) {
      const startedAt = performance.now();
      await connection.write(byte);
      await connection.read(byte);
      if (at > 1) samples.push(performance.now() - startedAt);
    }
  }
  await echo.catch(() => {}); // its connection ended with the link
  return median(samples);
}

/** What one connection costs beside time. */
export interface ConnectionCost {
  /** CPU of this process per login, user and system; the mean of many. */
  readonly loginCpuMs: number;
  /** A question whether the server is alive, and its answer, without headers of TCP and IP. */
  readonly keepaliveBytesUp: number;
  readonly keepaliveBytesDown: number;
}

const LOGINS = 40;

/** Measures it: past every link, so that no relay's work is counted. */
export async function measureConnection(world: CountedWorld): Promise<ConnectionCost> {
  const { connect } = await import("../lib/host/connect.ts");
  const options = world.options(false);
  await (await connect("test1", options)).close();
  const before = process.cpuUsage();
  for (let at = 0; at < LOGINS; at++) await (await connect("test1", options)).close();
  const { user, system } = process.cpuUsage(before);
  await using idle = await connect("rtt0", { ...options, serverAliveInterval: 1 });
  await idle.exec("true");
  await new Promise((resolve) => setTimeout(resolve, 500)); // the exec's close is none of it
  using meter = world.link(0).mark();
  await new Promise((resolve) => setTimeout(resolve, 3500));
  const { bytesUp, bytesDown, chunksUp, chunksDown } = meter.counters();
  return {
    loginCpuMs: (user + system) / 1000 / LOGINS,
    keepaliveBytesUp: bytesUp / chunksUp,
    keepaliveBytesDown: bytesDown / chunksDown,
  };
}
