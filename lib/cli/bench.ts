import { LinkError } from "../base/errors.ts";
import type { Prompter } from "../target/prompter.ts";
import { plainText } from "../report/plain_text.ts";
import { type CommandLine, helpSpec, numberOf, readArguments, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { Interrupts } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool bench [options] <host>: what sharing a connection saves on this host

Runs "true" there, and nothing else, in three ways: on the shared connection, with a connection for each command,
and with a new ssh each time where that is installed. In turns, for 40 seconds at most, and never longer than a
minute. It asks first. The shared connection stays for its linger time, as after any other command.

      --rounds N         turns of each, 1 to 50; default 5
  -y, --yes              do not ask

${targetOptionHelp}

Example:
  carpool bench web1
`;

const ROUNDS = 5;

/** No round is begun after this long. */
const BUDGET_MS = 40_000;

/** Whatever hangs is broken off then. */
const LIMIT_MS = 60_000;

/** `carpool bench`. */
export async function bench(args: readonly string[]): Promise<number> {
  const line = await readArguments("bench", args, [
    { name: "rounds", kind: "text" },
    { name: "yes", letter: "y", kind: "flag" },
    ...targetOptionSpecs,
    helpSpec,
  ]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const [host, ...more] = [...line.words, ...line.rest];
  if (host === undefined || more.length > 0) {
    throw usage("bench", more[0] ?? "bench", "it needs one host", "carpool bench <host>");
  }
  if (line.flag("no-share") || line.flag("fresh") || line.text("socket") === "none") {
    throw usage("bench", "--no-share", "what sharing saves cannot be found without sharing", "leave it out");
  }
  const rounds = numberOf("bench", line, "rounds", 1, 50) ?? ROUNDS;
  const shown = plainText(host);
  using interrupts = new Interrupts();
  if (!line.flag("yes") && !await mayBegin(shown, rounds, interrupts.signal)) {
    write("Nothing was done.\n", "stdout");
    return exitStatus.ok;
  }
  const [{ measure }, { benchTable, conclusion }] = await Promise.all([
    import("./bench_measure.ts"),
    import("./bench_report.ts"),
  ]);
  const limit = AbortSignal.timeout(LIMIT_MS);
  const found = await measure(host, {
    target: targetOptionsOf("bench", line),
    sshOptions: sshOptionsOf(line),
    rounds,
    budgetMs: BUDGET_MS,
    signal: interrupts.signal,
    limit,
    onRound: (round) => {
      if (Deno.stderr.isTerminal()) write(`\r\x1b[Kround ${round} of ${rounds}`, "stderr");
    },
  }).catch((error) => {
    throw limit.aborted && !interrupts.signal.aborted ? tooSlow(shown) : error;
  }).finally(() => {
    if (Deno.stderr.isTerminal()) write("\r\x1b[K", "stderr");
  });
  write(`${shown}: one "true", median\n\n${plainText(benchTable(found))}\n`, "stdout");
  write(`${conclusion(found)}\n`, "stdout");
  return exitStatus.ok;
}

function tooSlow(where: string): LinkError {
  return new LinkError("timeout", {
    what: "Cannot measure",
    where,
    why: `not one round was over after ${LIMIT_MS / 1000} s`,
    fix: `try carpool exec ${where} -- true`,
  });
}

/** Asks on the terminal; where there is none, nobody has agreed. */
async function mayBegin(host: string, rounds: number, signal: AbortSignal): Promise<boolean> {
  const { hasTerminal, TerminalPrompter } = await import("../target/terminal_prompter.ts");
  if (!hasTerminal()) {
    throw usage("bench", host, "it asks before it begins, and nobody can answer", "say so with --yes");
  }
  const prompter: Prompter = new TerminalPrompter();
  const logins = 2 * rounds + 2;
  const answer = await prompter.line(
    `Log in to ${host} up to ${logins} times and run "true" there some ${7 * rounds} times? (y/N) `,
    signal,
  );
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

/** The options that say which connection is meant, as ssh takes them. */
function sshOptionsOf(line: CommandLine): string[] {
  const one = (letter: string, name: string) => {
    const value = line.text(name);
    return value === undefined ? [] : [`-${letter}`, value];
  };
  return [
    ...one("F", "config"),
    ...one("J", "jump"),
    ...one("l", "user"),
    ...one("p", "port"),
    ...line.list("identity").flatMap((file) => ["-i", file]),
    ...line.list("option").flatMap((option) => ["-o", option]),
    ...(line.flag("agent") ? ["-A"] : []),
  ];
}
