import { CarpoolError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import { shellQuote } from "../base/shell_quote.ts";
import { Environment } from "../deps/cel.ts";
import { type ShellContext, ShellReader } from "./shell_context.ts";
import type { Scope } from "./step_definition.ts";
import { textParts } from "./text_parts.ts";

// The language is CEL (https://cel.dev): no loops, no assignments, nothing of JavaScript. Values reach it as maps,
// lists and scalars that own what they have, so that no name leads to a prototype.

/** What an expression is for, and so how its value is put into the text around it. */
export type TextUse = "plain" | "shell";

/** Names of the language, which no variable can have. */
const reservedNames = new Set([
  ...["bool", "bytes", "double", "duration", "dyn", "false", "google", "in", "int", "list", "map", "null"],
  ...["null_type", "optional", "string", "timestamp", "true", "type", "uint"],
  ...[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
  ],
  ...["namespace", "return", "var", "void", "while", "cel", "math", "strings"],
]);

/** What every expression finds besides variables; none of them can be a variable's name. */
export const scopeNames = ["host", "group", "hosts", "job", "vars", "failed", "failure"];

/** Why a name cannot be a variable's; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "a name has letters, digits and _";
  if (reservedNames.has(name)) return "that is a word of the expression language";
  return scopeNames.includes(name) ? "that name has a meaning of its own in expressions" : undefined;
}

/** An expression that cannot be read or has no value here. */
export class ExpressionProblem extends CarpoolError {
  override name = "ExpressionProblem";
  declare readonly why: string;

  constructor(why: string, fix?: string, cause?: unknown) {
    super("bad-expression", { what: "Cannot use the expression", why, fix, cause, outcome: "not-started" });
  }
}

const environments = new Map<string, Environment>();
const parsed = new Map<string, (scope: Record<string, unknown>) => unknown>();

function environmentFor(names: readonly string[]): Environment {
  const key = names.join(" ");
  const known = environments.get(key);
  if (known) return known;
  const made = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true });
  for (const name of names) if (!reservedNames.has(name)) made.registerVariable(name, "dyn");
  // A run knows few sets of names; a program that plans for ever should not keep all it ever saw.
  if (environments.size >= 256) environments.clear();
  environments.set(key, made);
  return made;
}

/** What is wrong with an expression whatever its variables hold; undefined where nothing is. */
export function syntaxProblem(source: string): ExpressionProblem | undefined {
  if (source.trim() === "") return new ExpressionProblem("there is no expression between {{ and }}");
  try {
    environmentFor([]).parse(source);
    return undefined;
  } catch (error) {
    return explain(source, error, []);
  }
}

/** What is wrong with an expression that can only see these names; undefined where nothing is. */
export function namesProblem(source: string, names: readonly string[]): ExpressionProblem | undefined {
  const { valid, error } = environmentFor([...names].sort()).check(source);
  return valid ? undefined : explain(source, error, names);
}

/**
 * The value of an expression.
 *
 * @throws {ExpressionProblem} where it cannot be read, or names what is not there.
 */
export function evaluate(source: string, scope: Scope): unknown {
  const names = Object.keys(scope).sort();
  const key = `${names.join(" ")}\n${source}`;
  try {
    let run = parsed.get(key);
    if (!run) {
      const made = environmentFor(names).parse(source);
      run = (values) => made(values);
      if (parsed.size >= 4096) parsed.clear();
      parsed.set(key, run);
    }
    // Converting what the expression does not name would cost more than evaluating it: `hosts` may be a thousand.
    const named = names.filter((name) => source.includes(name));
    const values = Object.fromEntries(named.map((name) => [name, toCel(scope[name])]));
    return fromCel(run(values));
  } catch (error) {
    throw explain(source, error, names);
  }
}

/** Whether a condition holds. @throws {ExpressionProblem} also where its value is not true or false. */
export function holds(source: string, scope: Scope): boolean {
  const value = evaluate(source, scope);
  if (typeof value === "boolean") return value;
  throw new ExpressionProblem(
    `the condition ${JSON.stringify(source)} is ${describe(value)}, not true or false`,
    "compare it, as in code == 0 or size(name) > 0",
  );
}

/**
 * Text with its expressions filled in; for the shell each value becomes one quoted word (a list: one word for each),
 * unless the expression ends in `| raw`.
 *
 * @throws {ExpressionProblem}
 */
export function fillText(text: string, scope: Scope, use: TextUse): string {
  const parts = textParts(text);
  if ("offset" in parts) throw openProblem;
  return parts.map((part) => {
    if (part.kind === "text") return part.text;
    const value = evaluate(part.source, scope);
    if (use === "plain" || part.raw) return wordOf(value, part.source);
    return Array.isArray(value)
      ? value.map((one) => shellQuote(wordOf(one, part.source))).join(" ")
      : shellQuote(wordOf(value, part.source));
  }).join("");
}

const openProblem = new ExpressionProblem(
  "{{ has no }}",
  "end the expression with }}, or write {{ '{{' | raw }} for two braces",
);

const betweenQuotes = ["between quotes, and its value brings its own", "take the quotes away"] as const;

/** Where the quotes that a value gets mean nothing, so that `$(…)` or a new line in it would run. */
const unquotable: Readonly<Record<Exclude<ShellContext, "plain">, readonly [where: string, fix: string]>> = {
  single: betweenQuotes,
  ansi: betweenQuotes,
  double: betweenQuotes,
  backtick: ["between backticks, which a value could end", "write $(…) instead"],
  comment: ["in a comment, which a new line in its value would end", "take it out of the comment"],
  "here-document": ["in a here-document, where quotes are only characters", "use a template step or printf"],
  escape: ["behind a backslash, which takes its quote away", "take the backslash away"],
};

/** Everything that is wrong with the expressions of a text, whatever its variables hold. */
export function textProblems(text: string, use: TextUse): readonly ExpressionProblem[] {
  const parts = textParts(text);
  if ("offset" in parts) return [openProblem];
  const shell = new ShellReader();
  const problems: ExpressionProblem[] = [];
  for (const part of parts) {
    if (part.kind === "text") {
      if (use === "shell") shell.read(part.text);
      continue;
    }
    const problem = syntaxProblem(part.source);
    if (problem) problems.push(problem);
    const { context } = shell;
    if (use === "shell" && !part.raw && context !== "plain") {
      const [where, fix] = unquotable[context];
      problems.push(
        new ExpressionProblem(
          `{{ ${part.source} }} stands ${where}`,
          `${fix}, or write | raw at its end where the value is known to be harmless`,
        ),
      );
    }
    shell.read("x");
  }
  return problems;
}

/** The expressions of a text. */
export function expressionsOf(text: string): readonly string[] {
  const parts = textParts(text);
  return "offset" in parts ? [] : parts.flatMap((part) => part.kind === "expression" ? [part.source] : []);
}

/** Whether an expression speaks of one of these names. Errs on the side of yes. */
export function mentions(source: string, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  const bare = source.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""');
  return [...bare.matchAll(/(\.\s*)?\b([A-Za-z_]\w*)/g)].some(([, , name]) => names.has(name!));
}

/** A value as text: scalars only. */
function wordOf(value: unknown, source: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return String(value);
  }
  if (Array.isArray(value)) return value.map((one) => wordOf(one, source)).join(" ");
  throw new ExpressionProblem(
    `{{ ${source} }} is ${describe(value)}, which is no text`,
    "name the part of it that is meant",
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing (null)";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object"
    ? "a map"
    : `the ${typeof value} ${JSON.stringify(String(value).slice(0, 40))}`;
}

/** Data for CEL: whole numbers are its integers, maps own their keys. */
function toCel(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (value === undefined) return null;
  if (value !== null && typeof value === "object") {
    return new Map(Object.entries(value).map(([key, one]) => [key, toCel(one)]));
  }
  return value;
}

function fromCel(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [String(k), fromCel(v)]));
  if (value !== null && typeof value === "object") {
    const prototype = Object.getPrototypeOf(value);
    // Timestamps, durations and the like have no meaning in a task file; an optional has to be resolved.
    if (prototype !== Object.prototype && prototype !== null) return null;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fromCel(one)]));
  }
  return value;
}

function explain(source: string, error: unknown, names: readonly string[]): ExpressionProblem {
  if (error instanceof ExpressionProblem) return error;
  const told = error as { readonly summary?: string; readonly message?: string } | undefined;
  const summary = (told?.summary ?? told?.message ?? String(error)).split("\n")[0]!;
  const where = `in ${JSON.stringify(source.length > 80 ? `${source.slice(0, 77)}…` : source)}`;
  const unknown = /^Unknown variable: (\w+)/.exec(summary)?.[1];
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, names);
    const known = names.length > 0 ? `known here: ${names.join(", ")}` : undefined;
    const fix = nearest === undefined ? known : `did you mean ${JSON.stringify(nearest)}?`;
    const what = source.trim() === unknown ? "" : `${where} `;
    return new ExpressionProblem(`${what}${JSON.stringify(unknown)} is not known`, fix, error);
  }
  const fix = /no such overload/.test(summary)
    ? "both sides need one type: string(x), int(x) and double(x) convert"
    : /No such key/.test(summary)
    ? "has(x.key) tells whether it is there"
    : undefined;
  return new ExpressionProblem(`${where}: ${summary.replace(/^./, (c) => c.toLowerCase())}`, fix, error);
}
