import { JobFileError, UsageError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { nearestName } from "../base/nearest_name.ts";
import { systemWhy } from "../base/system_why.ts";
import { dirname, resolve } from "../deps/node_path.ts";
import type { Job, VarSource } from "./job.ts";

/** Variables as the user gave them beside the task file. */
export interface VarsOptions {
  /** Values by name; they win over everything else. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** YAML or JSON files of names and values; a later one wins. */
  readonly varsFiles?: readonly string[];
  /** What relative paths are relative to; default: the current directory. */
  readonly cwd?: string;
}

/** What variables of a job have been found to be. */
export interface JobVars {
  /** What the task file says, in its order; `{{ }}` still in place. An inventory's variables win over these. */
  readonly own: Readonly<Record<string, unknown>>;
  /** What `varsFiles` and `vars` say. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The names of those that are secret. */
  readonly secret: ReadonlySet<string>;
  /** Those that have no value: an inventory may still give it. */
  readonly missing: Readonly<Record<string, JobFileError>>;
}

const what = "Cannot use the variables";

/**
 * Finds the values of a job's variables: from the task file, the environment, files, `varsFiles` and `vars`.
 *
 * @throws {CarpoolError} for a name that the job does not have, a value of the wrong kind, a file that cannot be read.
 */
export async function findVars(job: Job, options: VarsOptions): Promise<JobVars> {
  const sources = job.vars ?? {};
  const cwd = options.cwd ?? Deno.cwd();
  const given: Record<string, unknown> = {};
  for (const file of options.varsFiles ?? []) Object.assign(given, await readVarsFile(file, cwd));
  for (const [name, value] of Object.entries(options.vars ?? {})) {
    given[name] = asDeclared(name, value, sources, job.file ?? job.name);
  }
  const own: Record<string, unknown> = {};
  const missing: Record<string, JobFileError> = {};
  const secret = new Set<string>();
  const base = job.file === undefined ? cwd : resolve(cwd, dirname(job.file));
  for (const [name, source] of Object.entries(sources)) {
    if (source.secret) secret.add(name);
    if (name in given) continue;
    const found = await valueOf(source, base);
    if (found.has) own[name] = found.value;
    else {
      missing[name] = new JobFileError({
        what,
        where: job.file ?? job.name,
        why: `${JSON.stringify(name)} has no value${found.why === undefined ? "" : `: ${found.why}`}`,
        fix: `give it one with --var ${name}=…`,
      });
    }
  }
  return { own, given, secret, missing };
}

type Found = { readonly has: true; readonly value: unknown } | { readonly has: false; readonly why?: string };

async function valueOf(source: VarSource, base: string): Promise<Found> {
  if (source.value !== undefined) return { has: true, value: source.value };
  const fallback = (why?: string): Found =>
    source.default === undefined ? { has: false, why } : { has: true, value: source.default };
  if (source.env !== undefined) {
    const value = Deno.env.get(source.env);
    return value === undefined ? fallback(`$${source.env} is not set`) : { has: true, value };
  }
  if (source.file === undefined) return fallback();
  const path = resolve(base, source.file);
  try {
    return { has: true, value: (await Deno.readTextFile(path)).replace(/\r?\n$/, "") };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return fallback(`there is no ${path}`);
    throw new JobFileError({
      what,
      where: path,
      why: systemWhy(cause),
      cause,
    });
  }
}

/** Text of a command line takes the kind of value that the task file has for it. */
function asDeclared(
  name: string,
  value: unknown,
  sources: Readonly<Record<string, VarSource>>,
  where: string,
): unknown {
  const source = sources[name];
  const names = Object.keys(sources);
  if (source === undefined) {
    const nearest = nearestName(name, names);
    throw new UsageError({
      what,
      where: `--var ${name}`,
      why: `${where} has no variable of that name`,
      fix: nearest !== undefined
        ? `did you mean ${JSON.stringify(nearest)}?`
        : names.length > 0
        ? `it has: ${names.join(", ")}`
        : 'add it to "vars" of the task file',
    }, "bad-value");
  }
  const declared = source.value ?? source.default;
  if (typeof value !== "string" || typeof declared === "string" || declared === undefined) return value;
  const bad = (allowed: string) =>
    new UsageError({
      what,
      where: `--var ${name}`,
      why: `found ${JSON.stringify(source.secret ? "…" : value)}`,
      fix: `allowed here: ${allowed}`,
    }, "bad-value");
  if (typeof declared === "number") {
    if (value.trim() === "" || !Number.isFinite(Number(value))) throw bad("a number");
    return Number(value);
  }
  if (typeof declared === "boolean") {
    if (value !== "true" && value !== "false") throw bad("true or false");
    return value === "true";
  }
  return Array.isArray(declared)
    ? value.split(",").map((one) => one.trim()).filter((one) => one !== "")
    : value;
}

async function readVarsFile(file: string, cwd: string): Promise<Readonly<Record<string, unknown>>> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(resolve(cwd, file));
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "no such file"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new JobFileError({ what, where: file, why, cause });
  }
  const [{ readYaml }, { nameProblem }] = await Promise.all([
    import("./yaml_text.ts"),
    explainMissingPackage(() => import("./expression.ts")),
  ]);
  const { content, locate } = await readYaml(bytes, file, what);
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new JobFileError({
      what,
      ...locate([], "value"),
      why: "it is no map",
      fix: "write one name: value a line",
    });
  }
  for (const name of Object.keys(content)) {
    const fix = nameProblem(name);
    if (fix !== undefined) {
      throw new JobFileError({ what, ...locate([name], "key"), why: `found ${JSON.stringify(name)}`, fix });
    }
  }
  return content as Readonly<Record<string, unknown>>;
}
