import { formatDuration } from "../base/format_duration.ts";
import { bold } from "../deps/std_colors.ts";
import { fromFileUrl, join } from "../deps/node_path.ts";
import { connect } from "../host/connect.ts";
import type { Job } from "../job/job.ts";
import type { JobConnect } from "../job/job_host.ts";
import { loadJob } from "../job/load.ts";
import { runJob } from "../job/run_job.ts";
import { lines } from "../report/lines.ts";
import { PerCommandHost } from "./demo_host.ts";
import { DemoHosts } from "./demo_hosts.ts";
import { exitStatus, exitStatusOf } from "./exit_status.ts";
import { noTemporary } from "./no_temporary.ts";

/** What a demo is given. */
export interface DemoOptions {
  readonly hosts: number;
  readonly rttMs: number;
  readonly signal: AbortSignal;
  readonly color: boolean;
  readonly write: (text: string) => void;
}

/** What one way to connect cost. */
interface Cost {
  readonly durationMs: number;
  readonly connections: number;
  readonly roundTrips: number;
}

/** Runs the demo and returns its exit status. */
export async function runDemo({ hosts: count, rttMs, signal, color, write }: DemoOptions): Promise<number> {
  await using directory = await TemporaryDirectory.make();
  const job = await loadDemoJob(directory.path);
  await writeSite(join(directory.path, "site"));
  await Deno.mkdir(join(directory.path, "logs"));
  await using hosts = await DemoHosts.start(count, rttMs, directory.path);
  const options = { configFile: hosts.configFile, controlMaster: "no" } as const;
  const shared: JobConnect = (name, { signal }) => connect(name, { ...options, signal });
  const perCommand: JobConnect = (name, { signal }) =>
    Promise.resolve(new PerCommandHost(name, () => connect(name, { ...options, signal })));
  {
    // Loads and compiles everything once, past the link, so that whoever runs first does not pay for it.
    await using warm = await connect(hosts.names[0], { ...options, port: hosts.directPort, signal });
    await warm.exec("true");
  }

  const measure = async (through: JobConnect): Promise<Cost | number> => {
    const counted = hosts.measure();
    const told: string[] = [];
    const reporter = lines((text) => told.push(text));
    const run = runJob(job, { hosts: hosts.names, cwd: directory.path, connect: through, signal });
    for await (const event of run) reporter.event(event);
    const result = await run.result;
    if (result.status === "ok") return { durationMs: result.durationMs, ...counted() };
    write(`${told.join("")}\n`);
    return exitStatusOf(result);
  };

  const steps = job.steps.length;
  write(`${plural(count, "SSH host")} in this process, behind links with a round trip of ${rttMs} ms.\n`);
  write(`The job: tasks/demo.yaml, ${steps} steps on each host.\n\n`);
  const heading = row("", "wall time", "connections", "round trips in a row");
  write(`${color ? bold(heading) : heading}\n`);
  const costs: Cost[] = [];
  for (
    const [title, through] of [["a connection per command", perCommand], ["one shared", shared]] as const
  ) {
    const cost = await measure(through);
    if (typeof cost === "number") return cost;
    costs.push(cost);
    write(`${row(title, formatDuration(cost.durationMs), `${cost.connections}`, `${cost.roundTrips}`)}\n`);
  }
  write(`\n${conclusion(costs[0], costs[1], count)}\n`);
  return exitStatus.ok;
}

function row(title: string, ...cells: string[]): string {
  const widths = [12, 14, 23];
  return `  ${title.padEnd(26)}${cells.map((cell, index) => cell.padStart(widths[index])).join("")}`;
}

function conclusion(alone: Cost, shared: Cost, hosts: number): string {
  const saved = alone.durationMs - shared.durationMs;
  const fewer = alone.connections - shared.connections;
  const trips = alone.roundTrips - shared.roundTrips;
  if (saved <= 0) {
    return "Sharing saves no time here: without a round trip to wait for there is little to save.";
  }
  const times = (alone.durationMs / shared.durationMs).toFixed(1);
  return `Sharing the connection saves ${formatDuration(saved)} of ${formatDuration(alone.durationMs)} ` +
    `(${times} times as fast): ${plural(fewer, "handshake")} fewer on ${plural(hosts, "host")}, ` +
    `and each host waits for ${plural(trips, "round trip")} fewer.`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The job file beside this module; a module that was imported by URL has to get it first. */
async function loadDemoJob(directory: string): Promise<Job> {
  const url = new URL("../../tasks/demo.yaml", import.meta.url);
  if (url.protocol === "file:") return await loadJob(fromFileUrl(url));
  const response = await fetch(url);
  const path = join(directory, "demo.yaml");
  await Deno.writeFile(path, await response.bytes());
  return await loadJob(path);
}

/** Something to copy: a few small files. */
async function writeSite(directory: string): Promise<void> {
  await Deno.mkdir(join(directory, "pages"), { recursive: true });
  for (let page = 1; page <= 8; page++) {
    await Deno.writeTextFile(
      join(directory, "pages", `${page}.html`),
      `<h1>Page ${page}</h1>\n`.repeat(page * 20),
    );
  }
  await Deno.writeTextFile(join(directory, "index.html"), "<h1>Shop</h1>\n");
}

/** A directory of its own for the demo, mode 0700, removed at the end, also when a second Ctrl-C ends it at once. */
class TemporaryDirectory implements AsyncDisposable {
  readonly #onExit = () => Deno.removeSync(this.path, { recursive: true });

  private constructor(readonly path: string) {
    addEventListener("unload", this.#onExit);
  }

  static async make(): Promise<TemporaryDirectory> {
    const prefix = "carpool-demo-";
    try {
      return new TemporaryDirectory(await Deno.makeTempDir({ prefix }));
    } catch (error) {
      // `deno task demo` may write below /tmp alone, and TMPDIR may lie elsewhere.
      if (!(error instanceof Deno.errors.NotCapable)) throw noTemporary(error);
      return new TemporaryDirectory(await Deno.makeTempDir({ prefix, dir: "/tmp" }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
    removeEventListener("unload", this.#onExit);
  }
}
