/** Short commands on a host, idle and again while a bulk pull runs on it. */
import { connect } from "../../mod.ts";
import { quantile } from "../method/statistics.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken } from "./report.ts";

interface DuringBulkOptions extends ContenderOptions {
  readonly bulk: string;
  /** Bytes after which it counts as flowing. */
  readonly afterBytes: number;
}

const options = contenderOptions<DuringBulkOptions>();
await using host = await connect(options.host, connectOptions(options));

async function timed(count: number): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    const { code } = await host.exec("true");
    if (code !== 0) throw broken(`exit status ${code}`);
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

await timed(3);
const idle = await timed(options.count);
const process = await host.spawn(options.bulk);
const flowing = Promise.withResolvers<void>();
let bytes = 0;
const reading = (async () => {
  for await (const chunk of process.stdout) {
    bytes += chunk.length;
    if (bytes >= options.afterBytes) flowing.resolve();
  }
})();
reading.catch(() => {}); // it ends with the process, below
await flowing.promise;
const [before, startedAt] = [bytes, performance.now()];
const loaded = await timed(options.count);
const bulkMBPerSecond = (bytes - before) / 1e3 / (performance.now() - startedAt);
console.log(JSON.stringify({
  idleP50Ms: quantile(idle, 0.5),
  idleP99Ms: quantile(idle, 0.99),
  p50Ms: quantile(loaded, 0.5),
  p99Ms: quantile(loaded, 0.99),
  bulkMBPerSecond,
}));
Deno.exit(0); // the bulk has no end
