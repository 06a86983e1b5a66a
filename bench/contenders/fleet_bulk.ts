/** Copies a file to many hosts at once, with short commands on a further host before it and meanwhile. */
import { connect } from "../../mod.ts";
import { quantile } from "../method/statistics.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken } from "./report.ts";

interface FleetBulkOptions extends ContenderOptions {
  /** Hosts that the file goes to; `host` is the one with the commands. */
  readonly hosts: readonly string[];
  /** `ControlPath=…` of each host, that one's first, to ride masters that are there. */
  readonly controlPaths?: readonly string[];
  readonly local: string;
  readonly remote: string;
}

const options = contenderOptions<FleetBulkOptions>();
const connected = (host: string, at: number) => {
  const path = options.controlPaths?.[at];
  return connect(host, {
    ...connectOptions(options),
    ...(path === undefined ? {} : { configLines: [path] }),
  });
};
const all = await Promise.all([options.host, ...options.hosts].map(connected));
const [ninth, ...hosts] = all;
for (const host of all) await host.exec("true");

async function exec(): Promise<number> {
  const startedAt = performance.now();
  const { code } = await ninth.exec("true");
  if (code !== 0) throw broken(`exit status ${code}`);
  return performance.now() - startedAt;
}

const idle: number[] = [];
for (let i = 0; i < options.count; i++) idle.push(await exec());
const startedAt = performance.now();
let copying = true;
const copies = Promise.all(hosts.map((host, at) => host.copy(options.local, `${options.remote}${at}`)))
  .finally(() => copying = false);
copies.catch(() => {}); // awaited below
const loaded: number[] = [];
while (copying) loaded.push(await exec());
await copies;
const totalMs = performance.now() - startedAt;
for (const host of all) await host.close();
console.log(JSON.stringify({
  totalMs,
  idleP50Ms: quantile(idle, 0.5),
  p50Ms: quantile(loaded, 0.5),
  p99Ms: quantile(loaded, 0.99),
  commands: loaded.length,
}));
Deno.exit(0);
