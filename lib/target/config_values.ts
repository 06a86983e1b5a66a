import { nearestName } from "../base/nearest_name.ts";
import { portNumber } from "./destination.ts";

/** One keyword with its arguments, wherever it came from. */
export interface Directive {
  /** As written. */
  readonly keyword: string;
  readonly args: readonly string[];
  /** The rest of the line as it stands. */
  readonly rest: string;
  /** Throws a `TargetError` that names the place. */
  fail(why: string, fix?: string): never;
}

/** Checks the arguments of a keyword and gives them in one spelling. */
export type ReadValue = (directive: Directive) => readonly string[];

/** Exactly one argument, not empty. */
export const text: ReadValue = (directive) => [single(directive)];

/** Any number of arguments, at least one; `none` only alone. */
export const words: ReadValue = (directive) => {
  const { args, keyword, fail } = directive;
  if (args.length === 0 || args.includes("")) return fail(`${keyword} has an empty argument`);
  if (args.length > 1 && args.some((arg) => arg.toLowerCase() === "none")) {
    return fail(`"none" must be the only argument of ${keyword}`);
  }
  return args;
};

/** The rest of the line, for keywords that take a command. */
export const command: ReadValue = ({ rest, keyword, fail }) => {
  const value = rest.replace(/^[ \t\r\n=]+/, "");
  return value === "" ? fail(`${keyword} has no argument`) : [value];
};

/** Anything at all; not looked at. */
export const anything: ReadValue = ({ args }) => args;

/** One of some words, in any case; a word that maps to another is given as that one. */
export function choice(...choices: (string | readonly [string, string])[]): ReadValue {
  const meanings = new Map(choices.map((entry) => typeof entry === "string" ? [entry, entry] : entry));
  return (directive) => {
    const typed = single(directive);
    const meaning = meanings.get(typed.toLowerCase());
    if (meaning !== undefined) return [meaning];
    const names = [...meanings.keys()];
    const near = nearestName(typed, names);
    return directive.fail(
      `${show(typed)} is not a value of ${directive.keyword}`,
      `${near ? `did you mean ${near}? ` : ""}allowed: ${names.join(", ")}`,
    );
  };
}

const YES_NO = [["true", "yes"], ["false", "no"], "yes", "no"] as const;

/** yes or no. */
export const flag: ReadValue = choice(...YES_NO);

/** yes, no or something more. */
export const flagOr = (...more: (string | readonly [string, string])[]): ReadValue =>
  choice(...YES_NO, ...more);

/** A whole number. */
export const integer: ReadValue = (directive) => {
  const typed = single(directive);
  if (!/^[+-]?\d{1,10}$/.test(typed) || Math.abs(Number(typed)) > 0x7fffffff) {
    return directive.fail(`${show(typed)} is not a number`);
  }
  return [String(Number(typed))];
};

/** A time in seconds, with units as in `1h30m`; `none` stays. */
export const time: ReadValue = (directive) => {
  const typed = single(directive);
  return [typed === "none" ? typed : seconds(typed, directive)];
};

export const port: ReadValue = (directive) => {
  const typed = single(directive);
  const number = portNumber(typed);
  return number === undefined
    ? directive.fail(`${show(typed)} is not a port`, "a port is a number from 1 to 65535")
    : [String(number)];
};

/** no, yes (for ever), or a time. Gives `no`, `yes` or seconds. */
export const controlPersist: ReadValue = (directive) => {
  const typed = single(directive);
  if (typed === "yes" || typed === "true") return ["yes"];
  if (typed === "no" || typed === "false") return ["no"];
  const given = seconds(typed, directive);
  return [given === "0" ? "yes" : given];
};

/** Bytes with K, M or G, or `default`; perhaps a time behind. Gives bytes (0: default) and seconds (`none`). */
export const rekeyLimit: ReadValue = (directive) => {
  const { args, fail } = directive;
  if (args.length < 1 || args.length > 2 || args.includes("")) {
    return fail("RekeyLimit wants a size and perhaps a time");
  }
  const match = /^(\d+)([kmgKMG]?)$/.exec(args[0]);
  if (args[0] !== "default" && !match) {
    return fail(`${show(args[0])} is not a size`, "write bytes, or 512K, 100M, 1G");
  }
  const unit = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2].toLowerCase() ?? ""]!;
  const bytes = match ? Number(match[1]) * unit : 0;
  if (bytes !== 0 && bytes < 16) return fail("the size is too small", "at least 16 bytes");
  const after = args[1] === undefined || args[1] === "none" ? "none" : seconds(args[1], directive);
  return [String(bytes), after];
};

/** yes, no, or the agent to forward: a path or `$NAME`. */
export const forwardAgent: ReadValue = (directive) => {
  const typed = single(directive);
  const word = new Map<string, string>([["true", "yes"], ["false", "no"]]).get(typed.toLowerCase()) ??
    typed.toLowerCase();
  return word === "yes" || word === "no" ? [word] : agentPath(directive);
};

/** A socket path, `none`, `SSH_AUTH_SOCK` or `$NAME`. */
export const agentPath: ReadValue = (directive) => {
  const typed = single(directive);
  if (/^\$(?!\{)/.test(typed) && !/^\$\w+$/.test(typed)) {
    return directive.fail(`${show(typed)} is not the name of an environment variable`);
  }
  return [typed];
};

/** Names of variables, perhaps patterns; `-` before one takes it away. */
export const sendEnv: ReadValue = ({ args, keyword, fail }) => {
  if (args.length === 0) return fail(`${keyword} names no variable`);
  const bad = args.find((arg) => arg === "" || arg.includes("="));
  return bad === undefined
    ? args
    : fail("an environment name cannot be empty or contain =", "values go into SetEnv");
};

/** `NAME=value` words. What they hold may be secret and is never shown. */
export const setEnv: ReadValue = ({ args, keyword, fail }) => {
  if (args.length === 0) return fail(`${keyword} sets no variable`);
  return args.every((arg) => arg.indexOf("=") > 0)
    ? args
    : fail("it is not NAME=value", "write SetEnv NAME=value");
};

/** A list of algorithm names, `+`, `-` or `^` before it. */
export const algorithms: ReadValue = (directive) => {
  const typed = single(directive);
  const ok = /^[+\-^]?[\w@.*?!-]+(,[\w@.*?!-]+)*$/.test(typed);
  return ok ? [typed] : directive.fail(`${show(typed)} is not a list of algorithms`);
};

/** yes, no, ask, confirm, a time, or `confirm` and a time. */
export const addKeysToAgent: ReadValue = (directive) => {
  const { args, fail } = directive;
  if (args.length < 1 || args.length > 2) return fail("AddKeysToAgent wants yes, no, ask, confirm or a time");
  if (args.length === 2 && args[0].toLowerCase() !== "confirm") {
    return fail("only confirm takes a time behind it");
  }
  if (args.length === 2) return ["confirm", seconds(args[1], directive)];
  return /^\d/.test(args[0]) ? [seconds(args[0], directive)] : flagOr("ask", "confirm")(directive);
};

/** Where to listen and where to connect, not taken apart: forwards are named in warnings only. */
export const forward: ReadValue = ({ args, keyword, fail }) => {
  if (args.length < 1 || args.length > 2 || args.includes("")) {
    return fail(`${keyword} wants where to listen and where to connect`);
  }
  return args;
};

export function single({ args, keyword, fail }: Directive): string {
  if (args.length === 0 || args[0] === "") return fail(`${keyword} has no argument`);
  if (args.length > 1) {
    return fail(`${keyword} has more than one argument`, "put a value with blanks between quotes");
  }
  return args[0];
}

const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

function seconds(typed: string, { fail }: Directive): string {
  if (!/^(\d{1,10}[smhdw]?)+$/i.test(typed)) {
    return fail(`${show(typed)} is not a time`, "write seconds, or 90s, 10m, 1h30m");
  }
  let total = 0;
  for (const [, count, unit] of typed.matchAll(/(\d+)([smhdw]?)/gi)) {
    total += Number(count) * UNITS[unit.toLowerCase()];
  }
  return total > 0x7fffffff ? fail(`${show(typed)} is too long a time`) : String(total);
}

function show(typed: string): string {
  return JSON.stringify(typed.length > 60 ? `${typed.slice(0, 60)}…` : typed);
}
