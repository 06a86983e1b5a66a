/** Runs a client as a user would, from its start to its end, and counts what it cost on both sides. */
import { CarpoolError } from "../../lib/base/errors.ts";
import type { Measurement } from "../method/workload.ts";
import { gone, signalProcess } from "../../tests/support/processes.ts";
import type { RunResult } from "../../tests/support/run.ts";
import { parseTimes } from "../world/programs.ts";
import { failed, type World } from "../world/world.ts";
import { clientPids, cpuSeconds, serverCpuSeconds } from "./cpu.ts";
import { peakMemory } from "./memory.ts";
import { pathWithSsh } from "./peers.ts";

export interface ClientRun {
  /** The program and its arguments, or a shell script that runs with `args` as `$@`. */
  readonly words?: readonly string[];
  readonly script?: string;
  readonly args?: readonly string[];
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of a run: `value` is per operation. */
  readonly operations: number;
  /** Ends before it everything that earlier runs left in the background, and after it what this one left. */
  readonly cold: boolean;
  /** Done before the clock starts, and after everything was ended: what a warm run finds there, a place to copy to. */
  readonly prepare?: () => Promise<unknown>;
  /** It is stopped after so long, and the measurement says that it was. */
  readonly limitMs?: number;
  /** Watches memory too, which costs up to a twentieth of a core. */
  readonly peak?: boolean;
  /** Looks at what was printed, and fails if that is not what was to be done. */
  readonly check?: (result: RunResult) => Measurement["more"] | void;
  /** Looks at what was done, and fails if it was not. */
  readonly verify?: () => Promise<void>;
}

/**
 * Measures it. The client's CPU time is that of the program, its children and all that it left in the background or
 * that served it from there; the server's is that of sshd and of what ran under it.
 */
export async function clientRun(world: World, run: ClientRun): Promise<Measurement> {
  const { operations, cold, env, within = [], args = [] } = run;
  if (cold) await endClients(world);
  // Sockets of ssh's masters.
  await Deno.mkdir(`${world.home.path}/cm`, { mode: 0o700, recursive: true });
  await run.prepare?.();
  const before = clientPids(world);
  const [clientBefore, serverBefore] = [await cpuSeconds(before), await serverCpuSeconds(world)];
  const body = run.script ?? '"$@" || exit';
  // `times` last: it speaks of the children of this shell, all of which have been waited for.
  const [program, ...rest] = [
    ...within,
    ...["/bin/sh", "-c", `exec </dev/null; ${body}\ntimes >&2`, "sh"],
    ...(run.words ?? []),
    ...args,
  ];
  const options = {
    env: { ...world.env, PATH: await pathWithSsh(), ...env },
    ...(run.limitMs === undefined ? {} : { deadlineMs: run.limitMs }),
  };
  let [value, result, peakMB] = [NaN, undefined as RunResult | undefined, undefined as number | undefined];
  const timed = async () => {
    const startedAt = performance.now();
    result = await untilLimit(world.run(program, rest, options), run.limitMs);
    value = (performance.now() - startedAt) / operations;
  };
  if (run.peak) peakMB = (await peakMemory(world, timed)).pssMB;
  else await timed();
  if (result === undefined) {
    await endClients(world);
    await connectionsGone(world);
    return { value, operations, stopped: true, peakMB };
  }
  const more = run.check?.(result) ?? {};
  await run.verify?.();
  const clientAfter = await cpuSeconds(clientPids(world));
  if (cold) {
    await endClients(world);
    // What served the connections is charged to the listener when it has ended and has been reaped.
    await connectionsGone(world);
  }
  const serverCpuMs = (await serverCpuSeconds(world) - serverBefore) * 1000 / operations;
  const background = Math.max(0, clientAfter - clientBefore) * 1000;
  const clientCpuMs = (parseTimes(result.stderr) + background) / operations;
  const server: Record<string, number> = world.countsServerCpu ? { serverCpuMs } : {};
  return { value, operations, clientCpuMs, peakMB, more: { ...server, ...more } };
}

/** Nothing where it was stopped because its time was over. */
async function untilLimit(work: Promise<RunResult>, limitMs?: number): Promise<RunResult | undefined> {
  try {
    return await work;
  } catch (error) {
    if (limitMs !== undefined && error instanceof CarpoolError && error.code === "deadline") return undefined;
    throw error;
  }
}

/** How long a command on the host may outlive its connection before it is ended. */
const OUTLIVES_MS = 5000;

/** Waits until the server has noticed that nobody is connected any more. */
async function connectionsGone({ sshd, idleServerPids }: World): Promise<void> {
  const busy = () => sshd.processes().filter((pid) => !idleServerPids.includes(pid));
  const late = AbortSignal.timeout(OUTLIVES_MS);
  for (let pids = busy(); pids.length > 0; pids = busy()) {
    if (late.aborted) { for (const pid of pids) signalProcess(pid, "SIGKILL"); }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ends masters and the keeper, whoever left them. */
export async function endClients(world: World): Promise<void> {
  for (let pids = clientPids(world); pids.length > 0; pids = clientPids(world)) {
    for (const pid of pids) signalProcess(pid, "SIGTERM");
    await Promise.race([gone(pids), new Promise((resolve) => setTimeout(resolve, 2000))]);
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await gone(pids);
  }
  // The sockets of what was ended lie there still.
  await Deno.remove(`${world.home.path}/cm`, { recursive: true }).catch(() => {});
}

/** A check that `count` lines of the output end in a word: most tools put the host in front. */
export function linesEnd(word: string, count: number): (result: RunResult) => void {
  return ({ stdout }) => {
    const found = stdout.split("\n").filter((each) => each.split(" ").at(-1) === word).length;
    if (found !== count) throw failed(`${count} lines that end in "${word}"`, `there are ${found}`);
  };
}
