import { CarpoolError } from "../base/errors.ts";
import { shellQuote } from "../base/shell_quote.ts";
import { Liquid } from "../deps/liquid.ts";
import { ShellReader } from "./shell_context.ts";
import type { Scope } from "./step_definition.ts";

/** How values are made safe for the file that they come into. */
export type TemplateEscape = "html" | "shell" | "json" | "none";

/** What the ending of the file's name says about it. */
export function escapeFor(path: string): TemplateEscape {
  if (/\.(html?|xml|svg)$/i.test(path)) return "html";
  if (/\.(sh|bash)$/i.test(path)) return "shell";
  return /\.json$/i.test(path) ? "json" : "none";
}

/** `marked`: as for the shell, with a mark around each value. */
const engines = new Map<TemplateEscape | "marked", Liquid>();

/** No template has it in it. */
const mark = `\0${crypto.randomUUID()}\0`;

/** Templates see variables and nothing else: no file, no prototype, no JavaScript. */
function engineFor(escape: TemplateEscape | "marked"): Liquid {
  const known = engines.get(escape);
  if (known) return known;
  const outside = () => {
    throw new CarpoolError("bad-template", { what: "a template cannot take in another file" });
  };
  const engine = new Liquid({
    // It needs file names, and there are none; without this it warns on standard error.
    relativeReference: false,
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    outputEscape: escapes[escape],
    // A template that never ends must not stop the run for ever.
    renderLimit: 10_000,
    memoryLimit: 1e8,
    fs: {
      sep: "/",
      resolve: outside,
      contains: () => Promise.resolve(false),
      containsSync: () => false,
      exists: () => Promise.resolve(false),
      existsSync: () => false,
      readFile: outside,
      readFileSync: outside,
    },
  });
  engine.registerFilter("shell", (value: unknown) => escapes.shell(value));
  engine.registerFilter("json", (value: unknown) => escapes.json(value));
  engines.set(escape, engine);
  return engine;
}

const escapes = {
  none: textOf,
  html: (value: unknown) => textOf(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`),
  shell: (value: unknown) =>
    Array.isArray(value) ? value.map((one) => shellQuote(textOf(one))).join(" ") : shellQuote(textOf(value)),
  json: (value: unknown) => JSON.stringify(value ?? null),
  marked: (value: unknown): string => `${mark}${escapes.shell(value).replaceAll(mark, "")}${mark}`,
} as const;

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The variables that a template names, but for those it makes itself. @throws {CarpoolError} for one that cannot be read. */
export function templateNames(source: string, file: string): readonly string[] {
  try {
    const engine = engineFor("none");
    return engine.globalVariablesSync(engine.parse(source));
  } catch (error) {
    throw explain(error, file);
  }
}

/** A template filled in. @throws {CarpoolError} with line and column, also for a variable that is not there. */
export function renderTemplate(source: string, file: string, scope: Scope, escape: TemplateEscape): string {
  try {
    const text: string = engineFor(escape).parseAndRenderSync(source, scope);
    if (escape === "shell") checkPlaces(engineFor("marked").parseAndRenderSync(source, scope));
    return text;
  } catch (error) {
    throw explain(error, file);
  }
}

/** A value's own quotes hold only where no others are: elsewhere `$(…)` in it would run. */
function checkPlaces(marked: string): void {
  const reader = new ShellReader();
  let line = 1;
  for (const [index, piece] of marked.split(mark).entries()) {
    if (index % 2 === 0) {
      reader.read(piece);
      line += piece.split("\n").length - 1;
      continue;
    }
    const { context } = reader;
    // One that needed no quotes is harmless anywhere; in a comment all but a new line is.
    const risky = context === "comment" ? piece.includes("\n") : context !== "plain" && piece.includes("'");
    if (risky) {
      // Not the value itself: it may be secret.
      const where = `in line ${line} of what it makes, a value that needs quotes stands`;
      throw new CarpoolError("bad-template", {
        what: context === "comment" || context === "here-document" || context === "escape"
          ? `${where} in a place (${context}) where they mean nothing`
          : `${where} between others: take those away, or write | raw`,
      });
    }
    reader.read("x");
  }
}

function explain(error: unknown, file: string): CarpoolError {
  const message = error instanceof Error ? error.message.split("\n")[0]! : String(error);
  const [, why = message, line, column] = /^(.*?)(?:, file:[^,]*)?, line:(\d+), col:(\d+)$/.exec(message) ??
    [];
  const where = line === undefined ? file : `${file}:${line}:${column}`;
  const fix = /undefined variable/.test(why) ? 'the task file\'s "vars" give it a value' : undefined;
  return new CarpoolError("bad-template", {
    what: "Cannot fill in the template",
    where,
    why,
    fix,
    cause: error,
    outcome: "not-started",
  });
}
