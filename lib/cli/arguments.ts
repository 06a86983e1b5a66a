import { UsageError } from "../base/errors.ts";
import { parseArgs } from "../deps/std_cli.ts";

/** One option of a command. */
export interface OptionSpec {
  /** Its long name, without dashes: `identity`. */
  readonly name: string;
  /** Its letter, without the dash: `i`. */
  readonly letter?: string;
  /** `flag` takes no value; `text` one; `list` one, any number of times; `maybe` one behind `=`, or none. */
  readonly kind: "flag" | "text" | "list" | "maybe";
}

/** `--help`, of every command. */
export const helpSpec: OptionSpec = { name: "help", letter: "h", kind: "flag" };

/** What a command line said. */
export interface CommandLine {
  /** What is not an option, up to `--` or the place where options end. */
  readonly words: readonly string[];
  /** What came behind `--`, or behind the words that end the options. */
  readonly rest: readonly string[];
  /** Whether a flag, or a `maybe`, was given. */
  flag(name: string): boolean;
  /** Empty for a `maybe` that was given without a value. */
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  /** How often a flag was given: `-vv` is 2. */
  count(name: string): number;
}

/** How a command's line is read. */
export interface ReadOptions {
  /**
   * Options end behind this many words, as ssh's do: in `exec web1 ls -l`, with 1, `-l` belongs to `ls`. An option right
   * behind the word is still one (`ssh host -p 22 ls`). Default: options may stand anywhere.
   */
  readonly wordsBeforeRest?: number;
}

/**
 * Reads a command's arguments. What ssh's users write works: `-p2222`, `-oPort=22`, `-vv`, `-At`.
 *
 * @throws {UsageError} for an option that is not there, one without its value, or one given twice.
 */
export async function readArguments(
  command: string,
  args: readonly string[],
  specs: readonly OptionSpec[],
  options: ReadOptions = {},
): Promise<CommandLine> {
  const words: string[] = [];
  const rest: string[] = [];
  // parseArgs reads `-oPort=22` as five flags, and `-o -x` as an option without a value: it is given long options with
  // their values joined on, which it reads as written.
  const long: string[] = [];
  const counts = new Map<string, number>();
  const limit = options.wordsBeforeRest ?? Infinity;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      if (words.length >= limit) {
        rest.push(...args.slice(i));
        break;
      }
      words.push(arg);
      continue;
    }
    const take = (spec: OptionSpec, shown: string, joined: string | undefined) => {
      counts.set(spec.name, (counts.get(spec.name) ?? 0) + 1);
      if (spec.kind === "flag") {
        if (joined !== undefined) throw usage(command, shown, "takes no value");
        long.push(`--${spec.name}`);
        return;
      }
      const value = joined ?? (spec.kind === "maybe" ? "" : args[++i]);
      if (value === undefined || (value === "" && joined === undefined && spec.kind !== "maybe")) {
        throw usage(command, shown, "needs a value");
      }
      if (spec.kind !== "list" && counts.get(spec.name)! > 1) throw usage(command, shown, "was given twice");
      long.push(`--${spec.name}=${value}`);
    };
    if (arg.startsWith("--")) {
      const [, name = "", joined] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
      const spec = specs.find((candidate) => candidate.name === name);
      if (!spec) throw await unknown(command, `--${name}`, specs);
      take(spec, `--${name}`, joined);
      continue;
    }
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at]!;
      const spec = specs.find((candidate) => candidate.letter === letter);
      if (!spec) throw await unknown(command, arg.length > 2 ? `-${letter} (in ${arg})` : arg, specs);
      if (spec.kind === "flag") {
        take(spec, `-${letter}`, undefined);
        continue;
      }
      take(spec, `-${letter}`, at + 1 < arg.length ? arg.slice(at + 1) : undefined);
      break;
    }
  }
  const names = (kind: OptionSpec["kind"]) =>
    specs.filter((spec) => spec.kind === kind).map((spec) => spec.name);
  const parsed = parseArgs(long, {
    boolean: names("flag"),
    string: [...names("text"), ...names("maybe"), ...names("list")],
    collect: names("list"),
  });
  const isMaybe = (name: string) => specs.some((spec) => spec.name === name && spec.kind === "maybe");
  return {
    words,
    rest,
    flag: (name) => parsed[name] === true || (typeof parsed[name] === "string" && isMaybe(name)),
    text: (name) => parsed[name] as string | undefined,
    list: (name) => (parsed[name] ?? []) as string[],
    count: (name) => counts.get(name) ?? 0,
  };
}

/** A whole number given as an option. */
export function numberOf(
  command: string,
  line: CommandLine,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const text = line.text(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw usage(
    command,
    `--${name}`,
    `found ${JSON.stringify(text)}; a whole number from ${min} to ${max} is allowed`,
  );
}

/** Refuses words that a command does not take: what was meant by them would not be done. */
export function refuseWords(command: string, words: readonly string[], fix?: string): void {
  if (words[0] !== undefined) throw usage(command, words[0], "it takes no such argument", fix);
}

/** A mistake in how a command was used. */
export function usage(command: string, where: string, why: string, fix?: string): UsageError {
  return new UsageError(
    { what: `Cannot read the command line`, where, why, fix: fix ?? seeHelp(command) },
    "bad-option",
  );
}

async function unknown(command: string, shown: string, specs: readonly OptionSpec[]): Promise<UsageError> {
  const { nearestName } = await import("../base/nearest_name.ts");
  const nearest = shown.startsWith("--")
    ? nearestName(shown.slice(2), specs.map((spec) => spec.name))
    : undefined;
  return usage(
    command,
    shown,
    "there is no such option",
    nearest && `did you mean --${nearest}? ${seeHelp(command)}`,
  );
}

function seeHelp(command: string): string {
  return `see carpool ${command} --help`;
}
