import { findHosts } from "../job/find_hosts.ts";
import type { Job } from "../job/job.ts";
import type { JobConnect } from "../job/job_host.ts";
import type { Plan } from "../job/planned.ts";
import type { ActionStep } from "../job/step.ts";
import { planJob, type PlannedHost } from "../job/plan.ts";
import { runPlan } from "../job/run.ts";
import { connectWith } from "../job/run_job.ts";
import { type CommandLine, helpSpec, numberOf, type OptionSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus, exitStatusOf } from "./exit_status.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import { CopyTally, updateHelp, updateOf, updateSpecs, withCopyOptions } from "./copy_update.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { reportHelp, reportSpecs, runOutputOf, runReporter } from "./run_reporter.ts";
import { Interrupts } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool copy [options] <src…> <dst>: copy files and trees to or from hosts

One side is host:path, the other a local path; trees are copied as they are, with modes and symlinks.
The host may be a group or a range: then every host gets the files, all at once; files from several
hosts need {host} in the local path. Half a file is never left under its real name. Files that are there
already, unchanged, are skipped; a large one that was interrupted goes on where it was. On a terminal,
and with -v, the last line says how many there were of each.

  --parallel N           hosts worked on at once; default 32
${updateHelp}
${hostOptionHelp}
${reportHelp}

${targetOptionHelp}

Examples:
  carpool copy ./dist/ web1:/srv/app/
  carpool copy app.conf README.md 'web[01-20]:/srv/app/'
  carpool copy 'web[01-20]:/var/log/app.log' './logs/{host}.log'
`;

const specs: readonly OptionSpec[] = [
  { name: "parallel", kind: "text" },
  ...updateSpecs,
  ...hostOptionSpecs,
  ...reportSpecs,
  ...targetOptionSpecs,
  helpSpec,
];

/** `carpool copy`. */
export async function copy(args: readonly string[]): Promise<number> {
  const line = await readArguments("copy", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const update = updateOf(line);
  const places = [...line.words, ...line.rest].map(parsePlace);
  const to = places.pop();
  if (!to || places.length === 0) {
    throw usage("copy", "copy", "it needs a source and a destination", "carpool copy <src…> <dst>");
  }
  const findOptions = { ...hostOptionsOf(line), configFile: line.text("config") };
  const strategy = {
    parallel: numberOf("copy", line, "parallel", 1, 10_000) ?? 32,
    batch: undefined,
    maxFailures: undefined,
    maxUnreachable: undefined,
  };
  // Several files can only go into a folder.
  const target = places.length > 1 && !/[\/\\]$/.test(to.path) ? `${to.path}/` : to.path;
  const planned: PlannedHost[] = [];
  const planFor = async (host: string, steps: readonly ActionStep[]) => {
    const job: Job = { checked: true, name: "copy", file: undefined, hosts: [], strategy, env: {}, steps };
    planned.push(...(await planJob(job, await findHosts(host, findOptions))).hosts);
  };
  const step = { name: undefined, timeoutMs: undefined, retries: 0, where: "carpool copy" };
  if (to.host !== undefined) {
    const remote = places.find((place) => place.host !== undefined);
    if (remote) throw usage("copy", remote.text, "both sides are on hosts", "copy it here first, then there");
    const steps = places.map(({ path }) =>
      ({ kind: "copy", from: path, to: target, creates: undefined, ...step }) as const
    );
    await planFor(to.host, steps);
  } else {
    const local = places.find((place) => place.host === undefined);
    if (local) throw usage("copy", local.text, "both sides are on this machine", "one side is host:path");
    for (const host of new Set(places.map((place) => place.host!))) {
      const mine = places.filter((place) => place.host === host);
      await planFor(
        host,
        mine.map(({ path }) => ({ kind: "fetch", from: path, to: target, ...step }) as const),
      );
    }
  }
  const connect = connectWith(targetOptionsOf("copy", line), new Map(planned.map((one) => [one.host, one])));
  const tally = new CopyTally();
  const plan = { job: "copy", file: undefined, strategy, hosts: planned };
  const status = await show(line, plan, withCopyOptions(connect, update, tally));
  const moved = tally.toText();
  // Where nobody looks, what went well is not told; what reads events or JUnit has its own words for it.
  const tells = ["auto", "lines"].includes(runOutputOf("copy", line)) &&
    (Deno.stderr.isTerminal() || line.flag("verbose"));
  if (moved !== undefined && tells) write(`${moved}\n`, "stderr");
  return status;
}

/** Runs it and shows how it goes, until the last host is done. */
async function show(line: CommandLine, plan: Plan, connect: JobConnect): Promise<number> {
  using reporter = await runReporter("copy", line, "exec");
  using interrupts = new Interrupts();
  const run = runPlan(plan, { connect, signal: interrupts.signal });
  for await (const event of run) reporter.event(event);
  return exitStatusOf(await run.result);
}

/** A path on this machine, or one on a host. */
export interface Place {
  /** As typed, for messages. */
  readonly text: string;
  /** A destination, a group or a range; undefined: this machine. */
  readonly host: string | undefined;
  readonly path: string;
}

/**
 * Reads `path` or `host:path` as scp does: what has a colon before any slash is on a host; `./a:b` is a local file.
 * An IPv6 address stands in brackets. An empty path is the home directory.
 */
export function parsePlace(text: string): Place {
  if (/^[a-z]+:\/\//i.test(text)) {
    throw usage("copy", text, "a URL is not a place to copy", "write user@host:path, and the port with -p");
  }
  if (Deno.build.os === "windows" && /^[a-z]:[\/\\]/i.test(text)) {
    return { text, host: undefined, path: text };
  }
  // Ranges hold colons nowhere, addresses do: skip over brackets.
  const [, host, path] = /^((?:[^:\/\[]|\[[^\]\/]*\])+):(.*)$/s.exec(text) ?? [];
  if (host === undefined || path === undefined) return { text, host: undefined, path: text };
  return { text, host, path: path === "" ? "." : path };
}
