import { CarpoolError } from "../base/errors.ts";
import { quotePath } from "../host/command_line.ts";
import { parentPath } from "../host/copy_names.ts";
import { diffStep, type StepDiff } from "./diff.ts";
import type { JobConnect, JobHost } from "./job_host.ts";
import { actionsOf, type Plan, type PlannedAction, type PlannedHost } from "./planned.ts";

/** What a run would do with a step on a host, as things stand now. */
export interface StepForecast {
  readonly step: string;
  readonly kind: PlannedAction["kind"];
  readonly title: string;
  /** `perhaps`: something decides that was not asked, or that only the run can know. */
  readonly would: "run" | "skip" | "perhaps";
  /** Why it would be skipped, or run although it has a guard, or what decides. */
  readonly why?: string;
  /** What of it could not be asked or compared, and why not. */
  readonly notAsked?: string;
  readonly diff?: StepDiff;
}

/** What a run would do on a host. */
export interface HostForecast {
  readonly host: string;
  readonly steps: readonly StepForecast[];
  /** Why the host could not be asked; the steps are then told without it. */
  readonly error?: string;
}

/** What a forecast may look at. */
export interface ForecastOptions {
  /** Ask `creates` and `unless` on the hosts; default false. */
  readonly checkGuards?: boolean;
  /** Compare what copies and templates would write with what is there; default false. */
  readonly diff?: boolean;
  /** Needed where the hosts are asked. */
  readonly connect?: JobConnect;
  readonly signal: AbortSignal;
  /** Hides what must not be shown. */
  readonly redact?: (text: string) => string;
  /** What an earlier sitting of the run did, or may have done: the host is asked about that. */
  readonly settled?: (host: string, step: string) => SettledForecast | undefined;
}

/** What an earlier sitting of a run means for a step: done, or to be asked of the host. */
export type SettledForecast = Pick<StepForecast, "would" | "why">;

/**
 * What a run of a plan would do, host by host, in the order of the plan. Contacts nobody unless guards or differences are
 * asked for, and then only reads.
 */
export async function* forecast(plan: Plan, options: ForecastOptions): AsyncGenerator<HostForecast> {
  const asks = options.connect !== undefined && (options.checkGuards || options.diff);
  const width = asks ? Math.max(1, plan.strategy.parallel) : 1;
  const queue: Promise<HostForecast>[] = [];
  for (const host of plan.hosts) {
    const one = asks
      ? askHost(host, options)
      : Promise.resolve({ host: host.host, ...untold(host, options) });
    // Whoever reads gets it in turn; until then it must not count as unhandled.
    one.catch(() => {});
    queue.push(one);
    if (queue.length >= width) yield await queue.shift()!;
  }
  for (const one of queue) yield await one;
}

function untold(host: PlannedHost, options: ForecastOptions): { readonly steps: StepForecast[] } {
  return { steps: allActions(host).map((action) => withoutAsking(host.host, action, options)) };
}

/** The steps of a host with what is done last. */
function allActions(host: PlannedHost): readonly PlannedAction[] {
  return [...actionsOf(host.steps), ...actionsOf(host.finally ?? [])];
}

async function askHost(host: PlannedHost, options: ForecastOptions): Promise<HostForecast> {
  const name = host.host;
  const actions = allActions(host);
  const plain = actions.map((action) => withoutAsking(name, action, options));
  if (!actions.some((action, i) => plain[i]!.would !== "skip" && needsAsking(action, options))) {
    return { host: name, steps: plain };
  }
  let connection: JobHost;
  try {
    connection = await options.connect!(name, { signal: options.signal });
  } catch (error) {
    options.signal.throwIfAborted();
    return { host: name, steps: plain, error: messageOf(error) };
  }
  await using held = connection;
  const steps: StepForecast[] = [];
  const made = new Set<string>();
  for (const [i, action] of actions.entries()) {
    const step = await ask(held, action, plain[i]!, { ...options, made });
    // A step that would fail makes nothing.
    if (step.diff?.missing === undefined) {
      for (const { path } of step.diff?.files ?? []) addDirectories(path, made);
    }
    steps.push(step);
  }
  return { host: name, steps };
}

/** The directories that a file lies in will be there for later steps. */
function addDirectories(path: string, made: Set<string>): void {
  for (let directory = parentPath(path); !made.has(directory); directory = parentPath(directory)) {
    made.add(directory);
  }
}

function needsAsking(action: PlannedAction, { checkGuards, diff }: ForecastOptions): boolean {
  return (checkGuards === true && guardsOf(action) !== undefined) ||
    (diff === true && (action.kind === "copy" || action.kind === "template"));
}

/** What is known without the host. */
function withoutAsking(host: string, action: PlannedAction, options: ForecastOptions): StepForecast {
  const { step, kind, title } = action;
  const base = { step, kind, title };
  const settled = options.settled?.(host, step);
  if (settled !== undefined) return { ...base, ...settled };
  if (action.skip !== undefined) return { ...base, would: "skip", why: action.skip };
  if (action.when !== undefined || action.whenCalls !== undefined) {
    const conditions = action.when?.join(" and ");
    return { ...base, would: "perhaps", why: conditions ? `when ${conditions}` : "a function decides" };
  }
  const guards = guardsOf(action);
  return guards === undefined ? { ...base, would: "run" } : { ...base, would: "perhaps", why: guards };
}

/** The guards of a step in words. */
function guardsOf({ creates, unless, secret }: PlannedAction): string | undefined {
  const words = [
    ...(creates === undefined ? [] : [`skipped where ${creates} exists`]),
    ...(unless === undefined
      ? []
      : [secret ? "skipped where its guard succeeds" : `skipped where this succeeds: ${unless}`]),
  ];
  return words.length > 0 ? words.join("; ") : undefined;
}

async function ask(
  host: JobHost,
  action: PlannedAction,
  known: StepForecast,
  options: ForecastOptions & { readonly made: ReadonlySet<string> },
): Promise<StepForecast> {
  if (known.would === "skip") return known;
  const { step, kind, title } = known;
  let told = known;
  try {
    const guards = options.checkGuards ? guardsOf(action) : undefined;
    const reason = whyNotAsked(action);
    if (guards !== undefined && reason !== undefined) told = { ...known, notAsked: reason };
    else if (guards !== undefined) {
      const { holds, says } = await askGuards(host, action, options.signal);
      if (holds) return { step, kind, title, would: "skip", why: says };
      // What its conditions say is still open.
      const open = action.when !== undefined || action.whenCalls !== undefined;
      told = open
        ? { ...known, why: `${known.why}; ${says}` }
        : { step, kind, title, would: "run", why: says };
    }
    if (!options.diff || action.late || (action.kind !== "copy" && action.kind !== "template")) return told;
    const { signal, made, redact = (text: string) => text } = options;
    return { ...told, diff: await diffStep(host, action, { signal, made, redact }) };
  } catch (error) {
    options.signal.throwIfAborted();
    return { ...told, notAsked: messageOf(error) };
  }
}

/** A guard with text that only the run can fill in, or that needs another account, cannot be asked now. */
function whyNotAsked({ late, user }: PlannedAction): string | undefined {
  if (late) return "its guard is known only in the run";
  return user && `its guard is asked as ${user.name}, in the run only`;
}

/** Whether a guard makes the step needless, and what was found, in words. */
interface Guarded {
  readonly holds: boolean;
  readonly says: string;
}

async function askGuards(host: JobHost, action: PlannedAction, signal: AbortSignal): Promise<Guarded> {
  const { creates, unless, cwd, env } = action;
  const shown = action.secret ? "its guard" : unless;
  const against: string[] = [];
  if (creates !== undefined) {
    const { success } = await host.exec(`test -e ${quotePath(creates)}`, { cwd, signal });
    if (success) return { holds: true, says: `${creates} exists` };
    against.push(`${creates} does not exist`);
  }
  if (unless !== undefined) {
    const { success } = await host.exec(unless, { cwd, env, signal });
    if (success) return { holds: true, says: `${shown} succeeds` };
    against.push(`${shown} fails`);
  }
  return { holds: false, says: against.join("; ") };
}

function messageOf(error: unknown): string {
  return error instanceof CarpoolError || error instanceof Error ? error.message : String(error);
}
