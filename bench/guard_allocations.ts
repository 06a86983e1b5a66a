/**
 * What an exec leaves to the garbage collector, as a process of its own: started with `--expose-gc` and a young generation so
 * large that nothing is collected while it counts. Argument: as a contender's; prints one line of JSON.
 */
import { connect } from "../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./contenders/options.ts";
import { broken } from "./contenders/report.ts";

export interface AllocationReport {
  /** New on the heap per exec, the least of several batches. */
  readonly heapBytes: number;
  /** Still reachable after a collection, per exec. */
  readonly retainedBytes: number;
}

export const ALLOCATION_V8_FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64";

const BATCHES = 5;

if (import.meta.main) {
  const options = contenderOptions<ContenderOptions>();
  await using host = await connect(options.host, connectOptions(options));
  const execs = async (count: number) => {
    for (let at = 0; at < count; at++) {
      const { code } = await host.exec("true");
      if (code !== 0) throw broken(`exit status ${code}`);
    }
  };
  const collect = (globalThis as unknown as { gc: () => void }).gc;
  await execs(options.warmUp);
  collect();
  const reachable = Deno.memoryUsage().heapUsed;
  const heap: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    collect();
    const before = Deno.memoryUsage().heapUsed;
    await execs(options.count);
    heap.push((Deno.memoryUsage().heapUsed - before) / options.count);
  }
  collect();
  const retained = (Deno.memoryUsage().heapUsed - reachable) / (BATCHES * options.count);
  const report: AllocationReport = { heapBytes: Math.min(...heap), retainedBytes: retained };
  console.log(JSON.stringify(report));
  Deno.exit(0);
}
