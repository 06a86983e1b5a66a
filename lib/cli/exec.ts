import { parseDuration } from "../job/duration.ts";
import { findHosts, optionsFor } from "../job/find_hosts.ts";
import type { ExecOptions } from "../host/exec_options.ts";
import type { Host } from "../host/host.ts";
import { type CommandLine, helpSpec, numberOf, type OptionSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus, exitStatusOf } from "./exit_status.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs, whyMissing } from "./target_options.ts";
import { reportHelp, reportSpecs, runOutputOf, runReporter } from "./run_reporter.ts";
import { Interrupts } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool exec [options] <hosts> -- <command…>: run a command on one host or on many

The words of the command are joined by spaces and read by the remote shell, as ssh does it.
<hosts> is a list with commas: aliases, user@host:port, ranges web[01-20], groups of inventory.yaml.

One host: its output is passed on as it is, a piped standard input too, and the exit status is the
command's own; 255 when it never ran, when a signal ended it, or when its end is not known, as in ssh.
Several: each line has its host in front, there is no standard input, and the exit status is
0 all well, 1 a host failed, 4 only unreachable hosts. Ctrl-C is passed on; a second one leaves at once.

  -t, --tty              a terminal on the host (one host)
  -n, --no-stdin         do not read standard input; several hosts never do
  --cwd DIR              remote directory to run in
  --env NAME=VALUE       a variable for the command; may be given again
  --timeout 30s          end the command after this long
  --parallel N           hosts worked on at once; default 32
${hostOptionHelp}
${reportHelp}

${targetOptionHelp}

Examples:
  carpool exec web1 -- uptime
  tar c . | carpool exec web1 -- tar x -C /srv/app
  carpool exec -l root 'web[01-20],db1' -- systemctl is-active nginx
`;

const specs: readonly OptionSpec[] = [
  { name: "tty", letter: "t", kind: "flag" },
  { name: "no-stdin", letter: "n", kind: "flag" },
  { name: "cwd", kind: "text" },
  { name: "env", kind: "list" },
  { name: "timeout", kind: "text" },
  { name: "parallel", kind: "text" },
  ...hostOptionSpecs,
  ...reportSpecs,
  ...targetOptionSpecs,
  helpSpec,
];

/** `carpool exec`. */
export async function exec(args: readonly string[]): Promise<number> {
  const line = await readArguments("exec", args, specs, { wordsBeforeRest: 1 });
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const [where] = line.words;
  if (where === undefined) {
    throw usage("exec", "exec", "it needs a host", "carpool exec <hosts> -- <command…>");
  }
  const command = line.rest.join(" ");
  if (command.trim() === "") {
    throw usage("exec", where, "it needs a command", `carpool exec ${where} -- <command…>`);
  }
  const output = runOutputOf("exec", line);
  const target = targetOptionsOf("exec", line);
  const options = { cwd: line.text("cwd"), env: envOf(line), timeoutMs: timeoutOf(line) };
  const hosts = await findHosts(where, { ...hostOptionsOf(line), configFile: target.configFile });
  const [first] = hosts;
  const report = line.text("report") !== undefined;
  if (first && hosts.length === 1 && output === "auto" && !report) {
    const { execOnOne } = await import("./exec_on_one.ts");
    const stdin = !line.flag("no-stdin");
    const remember = async (host: Host) => {
      // A key that is missing is told each time, which the short way does not do.
      if (line.list("identity").some((file) => whyMissing(file) !== undefined)) return;
      await (await import("./warm_write.ts")).writeRecord(args, host);
    };
    return await execOnOne(first.host, command, {
      ...options,
      stdin,
      tty: line.flag("tty"),
      target: optionsFor(first, target),
      remember,
    });
  }
  if (line.flag("tty")) throw usage("exec", "--tty", "a terminal is for one host", "leave it out");
  const [{ runPlan }, { connectWith }] = await Promise.all([
    import("../job/run.ts"),
    import("../job/run_job.ts"),
  ]);
  const step = {
    kind: "exec",
    step: "1",
    name: undefined,
    title: command,
    command,
    retries: 0,
    creates: undefined,
    ...options,
  } as const;
  using reporter = await runReporter("exec", line, "exec");
  using interrupts = new Interrupts();
  const run = runPlan({
    job: command,
    file: undefined,
    strategy: {
      parallel: numberOf("exec", line, "parallel", 1, 10_000) ?? 32,
      batch: undefined,
      maxFailures: undefined,
      maxUnreachable: undefined,
    },
    hosts: hosts.map((entry) => ({ ...entry, steps: [step] })),
  }, {
    connect: connectWith(target, new Map(hosts.map((one) => [one.host, one]))),
    signal: interrupts.signal,
  });
  for await (const event of run) reporter.event(event);
  return exitStatusOf(await run.result);
}

function envOf(line: CommandLine): Record<string, string> {
  return Object.fromEntries(
    line.list("env").map((pair) => {
      const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(pair) ?? [];
      // The value may be a secret: only what stands before it is shown.
      if (name === undefined) throw usage("exec", `--env ${pair.split("=")[0]}`, "NAME=VALUE is allowed");
      return [name, value ?? ""];
    }),
  );
}

function timeoutOf(line: CommandLine): ExecOptions["timeoutMs"] {
  const text = line.text("timeout");
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw usage(
      "exec",
      "--timeout",
      `found ${JSON.stringify(text)}; 500ms, 30s, 2m, 1h30m or seconds are allowed`,
    );
  }
  return ms;
}
