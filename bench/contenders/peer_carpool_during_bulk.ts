/** Short commands on a host, idle and again while bulk runs on it. */
import { connect } from "../../mod.ts";
import { quantile } from "../method/statistics.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken } from "./report.ts";

interface DuringBulkOptions extends ContenderOptions {
  /** A command whose output is read, one that reads, a file to fetch or one to copy. */
  readonly kind: "spawn-pull" | "spawn-push" | "fetch" | "copy";
  /** The command, for the first two. */
  readonly bulk: string;
  /** For the others. */
  readonly local: string;
  readonly remote: string;
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

const flowing = Promise.withResolvers<void>();
let bytes = 0;
const moved = (all: number) => {
  bytes = all;
  if (bytes >= options.afterBytes) flowing.resolve();
};

const kinds = {
  async "spawn-pull"() {
    const process = await host.spawn(options.bulk);
    for await (const chunk of process.stdout) moved(bytes + chunk.length);
  },
  async "spawn-push"() {
    const process = await host.spawn(options.bulk);
    const writer = process.stdin.getWriter();
    const chunk = new Uint8Array(64 * 1024);
    while (true) {
      await writer.write(chunk);
      moved(bytes + chunk.length);
    }
  },
  fetch: () => host.fetch(options.remote, options.local, { onProgress: ({ bytes }) => moved(bytes) }),
  copy: () => host.copy(options.local, options.remote, { onProgress: ({ bytes }) => moved(bytes) }),
};

await timed(3);
const idle = await timed(options.count);
const running = (async () => {
  await kinds[options.kind]();
  throw broken("the bulk was over before the commands were");
})();
await Promise.race([flowing.promise, running]);
const [before, startedAt] = [bytes, performance.now()];
const loaded = await Promise.race([timed(options.count), running]);
const bulkMBPerSecond = (bytes - before) / 1e3 / (performance.now() - startedAt);
console.log(JSON.stringify({
  idleP50Ms: quantile(idle, 0.5),
  idleP99Ms: quantile(idle, 0.99),
  p50Ms: quantile(loaded, 0.5),
  p99Ms: quantile(loaded, 0.99),
  bulkMBPerSecond,
}));
Deno.exit(0); // the bulk has no end
