import { JobFileError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { systemWhy } from "../base/system_why.ts";
import { basename, isAbsolute, join, resolve } from "../deps/node_path.ts";
import type { HostEntry } from "./inventory.ts";
import type { Job } from "./job.ts";
import { type Filled, plannedBase, withHost, withJobEnv } from "./plan_base.ts";
import type { FilledStep } from "./plan_texts.ts";
import type { PlannedAction, PlannedStep } from "./planned.ts";
import type { ActionStep, Step } from "./step.ts";
import type { Scope } from "./step_definition.ts";
import { needsFilling } from "./step_texts.ts";

/** What planning the steps of a job needs. */
export interface StepPlanning {
  readonly job: Job;
  readonly cwd: string;
  /** Fills in a step; undefined where no step of the job needs it. */
  readonly fill?: (step: ActionStep, scope: Scope) => FilledStep;
  /** Names whose value only the run knows. */
  readonly late: ReadonlySet<string>;
  /** Whether a step is among those that were asked for. */
  readonly wanted: (step: ActionStep) => boolean;
  /** The steps that planned ones came from, for their places in the file. */
  readonly sources: Map<string, ActionStep>;
}

/** Plans the steps of a job, host by host. */
export class StepPlanner {
  readonly #planning: StepPlanning;
  readonly #files = new Map<string, Promise<string>>();

  constructor(planning: StepPlanning) {
    this.#planning = planning;
  }

  /** Plans a list of steps; `prefix` stands before their numbers. */
  async steps(
    steps: readonly Step[],
    prefix: string,
    entry: HostEntry,
    scope: Scope,
  ): Promise<readonly PlannedStep[]> {
    const planned: PlannedStep[] = [];
    for (const [i, step] of steps.entries()) {
      const id = `${prefix}${i + 1}`;
      if (step.kind === "parallel") {
        const inner: PlannedAction[] = [];
        for (const [j, child] of step.steps.entries()) {
          if (!this.#planning.wanted(child)) continue;
          inner.push(await this.#action(child, `${id}.${j + 1}`, entry, scope));
        }
        if (inner.length === 0) continue;
        planned.push({
          kind: "parallel",
          step: id,
          title: step.name ?? `${inner.length} steps at once`,
          steps: inner,
        });
      } else if (this.#planning.wanted(step)) planned.push(await this.#action(step, id, entry, scope));
    }
    return planned;
  }

  async #action(step: ActionStep, id: string, entry: HostEntry, hostScope: Scope): Promise<PlannedAction> {
    const { job, fill } = this.#planning;
    this.#planning.sources.set(id, step);
    const merged = withJobEnv(step, job.env);
    const filled: Filled = fill && needsFilling(merged) ? fill(merged, hostScope) : { step: merged };
    const scope = filled.scope ?? hostScope;
    const onFailure: PlannedAction[] = [];
    if (filled.skip === undefined) {
      for (const [i, child] of (step.onFailure ?? []).entries()) {
        onFailure.push(await this.#action(child, `${id}.onFailure.${i + 1}`, entry, hostScope));
      }
    }
    const base = plannedBase(id, filled, { entry, hostScope, onFailure });
    const { step: with_ } = filled;
    const { cwd } = base;
    const named = (path: string) => withHost(path, entry);
    this.#refuseLateLocalPaths(step, filled);
    const local = (path: string) => this.#localPath(path, entry.host);
    const remote = (path: string) => below(cwd, named(path));
    switch (with_.kind) {
      case "exec": {
        const { command, env } = with_;
        const call = typeof command === "function" ? { commandCall: command, late: true as const } : {};
        return { kind: "exec", ...base, command: String(command), cwd, creates: base.creates, env, ...call };
      }
      case "script": {
        const path = local(with_.path);
        const content = filled.skip === undefined ? await this.#read(path, step, "script") : "";
        const interpreter = with_.interpreter ?? interpreterOf(content);
        return { kind: "script", ...base, path: with_.path, content, interpreter, args: with_.args };
      }
      case "copy": {
        const { mode, owner, exclude } = with_;
        return {
          kind: "copy",
          ...base,
          from: local(with_.from),
          to: remote(with_.to),
          creates: base.creates,
          ...(mode === undefined ? {} : { mode }),
          ...(owner === undefined ? {} : { owner }),
          ...(exclude === undefined ? {} : { exclude }),
        };
      }
      case "template": {
        const { mode, owner } = with_;
        const from = local(with_.from);
        const to = remote(with_.to);
        const { content, escape, late } = filled.skip === undefined
          ? await this.#template(step, with_, from, scope)
          : { content: "", escape: "none" as const, late: {} };
        return {
          kind: "template",
          ...base,
          from,
          to,
          content,
          escape,
          ...late,
          ...(mode === undefined ? {} : { mode }),
          ...(owner === undefined ? {} : { owner }),
        };
      }
      case "fetch":
        return { kind: "fetch", ...base, from: remote(with_.from), to: local(with_.to) };
      case "wait": {
        const { port, file, command, intervalMs } = with_;
        const what = port !== undefined
          ? { port }
          : file !== undefined
          ? { file: named(file) }
          : { command: command! };
        return { kind: "wait", ...base, ...what, intervalMs };
      }
      case "reconnect":
        return { kind: "reconnect", ...base, afterMs: with_.afterMs };
      case "prompt": {
        const { message, choices } = with_;
        const more = {
          ...(with_.default === undefined ? {} : { default: with_.default }),
          ...(choices === undefined ? {} : { choices }),
        };
        return { kind: "prompt", ...base, message, ...more };
      }
      case "confirm": {
        const more = with_.default === undefined ? {} : { default: with_.default };
        return { kind: "confirm", ...base, message: with_.message, ...more };
      }
    }
  }

  async #template(
    step: ActionStep,
    { to, escape: wanted }: Extract<ActionStep, { kind: "template" }>,
    from: string,
    scope: Scope,
  ) {
    const { escapeFor, renderTemplate, templateNames } = await explainMissingPackage(() =>
      import("./template.ts")
    );
    const source = await this.#read(from, step, "template");
    const escape = wanted ?? escapeFor(to);
    // What the step registers itself is not there yet when the template is filled in.
    const isLate = templateNames(source, from).some((name) => this.#planning.late.has(name));
    const late = isLate ? { late: true as const } : {};
    return { content: isLate ? source : renderTemplate(source, from, scope, escape), escape, late };
  }

  /** Local paths are looked at before the run, so they cannot wait for it. */
  #refuseLateLocalPaths(step: ActionStep, filled: Filled): void {
    const fields: Readonly<Record<string, string>> = {
      script: "path",
      copy: "from",
      template: "from",
      fetch: "to",
    };
    const field = fields[step.kind];
    if (field === undefined || !filled.late?.includes(field)) return;
    throw new JobFileError({
      what: "Cannot plan the job",
      where: step.where,
      why: "its local path speaks of what only the run can tell",
      fix: "use variables in it, or make it two steps with conditions",
    });
  }

  #localPath(path: string, host: string): string {
    // On this machine the host's name must stay one path segment; on the host it is only text.
    const filled = path.replaceAll("{host}", asFileName(host));
    // Resolving drops what means "the content of" to a copy: `dist/`, `dist/.`, `.`.
    const absolute = isAbsolute(filled) ? filled : resolve(this.#planning.cwd, filled);
    return /(^|[\/\\])\.{0,2}$/.test(filled) && !/[\/\\]$/.test(absolute) ? `${absolute}/` : absolute;
  }

  /** The text of a local file; read once, however many hosts it goes to. */
  #read(path: string, step: ActionStep, what: string): Promise<string> {
    const reading = this.#files.get(path) ?? readText(path, step.where, what);
    this.#files.set(path, reading);
    return reading;
  }
}

async function readText(path: string, where: string, what: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await Deno.readFile(path));
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? `the local ${what} ${JSON.stringify(basename(path))} does not exist`
      : cause instanceof TypeError
      ? `the local ${what} ${JSON.stringify(basename(path))} is not UTF-8 text`
      : `the local ${what} cannot be read (${systemWhy(cause)})`;
    const match = /:(\d+):(\d+)$/.exec(where);
    throw new JobFileError({
      what: "Cannot plan the job",
      where,
      why,
      fix: `looked for ${path}`,
      cause,
      ...(match ? { line: Number(match[1]), column: Number(match[2]) } : {}),
    });
  }
}

/** What the `#!` line of a script says; `sh` where it has none. */
export function interpreterOf(content: string): string {
  return /^#![ \t]*(\S[^\r\n]*?)[ \t]*\r?$/m.exec(content.split("\n", 1)[0]!)?.[1] ?? "sh";
}

/** A remote path, relative to the step's directory. */
function below(cwd: string | undefined, path: string): string {
  return cwd === undefined || /^[\/~]/.test(path) ? path : join(cwd, path);
}

/** A host's name as one segment of a local path: `ssh://a/b` and `..` must not lead elsewhere. */
export function asFileName(host: string): string {
  const safe = host.replace(/[\/\\\0]/g, "_");
  return /^\.+$/.test(safe) ? safe.replaceAll(".", "_") : safe;
}
