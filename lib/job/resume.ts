import type { RunEvent, StepEndEvent } from "../base/run_event.ts";
import type { RunJournal } from "./journal.ts";
import type { HashOf } from "./journal_hash.ts";
import type { JournalState, StepKnowledge } from "./journal_record.ts";
import { actionsOf, type Plan, type PlannedAction, type PlannedHost, type PlannedStep } from "./planned.ts";

/** What a step that may or may not have run comes to: it fails its host, or is run again. */
export type DoubtPolicy = "fail" | "retry";

/** What an earlier sitting of the run means for a step; undefined where it is simply to be run. */
export type Settlement =
  | {
    readonly kind: "done";
    readonly reason: string;
    /** What it registered; undefined where nothing was kept. */
    readonly registered: unknown;
    /** It was not needed then. */
    readonly skipped: boolean;
  }
  | { readonly kind: "doubtful"; readonly why: string }
  /** It needs what an earlier step registered, and the journal does not have that. */
  | { readonly kind: "refused"; readonly why: string };

/** What a run needs of its journal; steps go by it without knowing about files. */
export interface StepLedger {
  /** What is known of a step from before. */
  settled(host: string, step: string): Settlement | undefined;
  /**
   * Steps are about to be sent, in one go; resolves when that is on disk. Steps that were announced before cost nothing.
   * `parcel` names the notes that the host keeps of steps that travel together.
   */
  starting(host: string, steps: readonly string[], parcel?: string): Promise<void>;
  /** Steps that were to be sent together and did not begin. */
  handedBack(host: string, steps: readonly string[]): void;
  /** A step has ended and registers a value that later steps may need; before its `step-end`. */
  registered(host: string, step: string, value: unknown): void;
  /** Sees every event before anybody else. */
  note(event: RunEvent): Promise<void>;
}

/** Registered values larger than this are not kept: a journal is no place for a host's logs. */
const maxRegisteredBytes = 64 * 1024;

/** The journal of a run as its steps see it. */
export class RunLedger implements StepLedger {
  readonly #journal: RunJournal;
  readonly #hashOf: HashOf;
  readonly #settled: Remainder["settled"];
  readonly #announced = new Set<string>();
  readonly #values = new Map<string, unknown>();

  constructor(journal: RunJournal, hashOf: HashOf, settled: Remainder["settled"] = () => undefined) {
    this.#journal = journal;
    this.#hashOf = hashOf;
    this.#settled = settled;
  }

  settled(host: string, step: string): Settlement | undefined {
    return this.#settled(host, step);
  }

  async starting(host: string, steps: readonly string[], parcel?: string): Promise<void> {
    const fresh = steps.filter((step) => !this.#announced.has(keyOf(host, step)));
    if (fresh.length === 0 && parcel === undefined) return;
    // A parcel's notes count its steps from the first one: all of them are listed, in their order.
    const hashes = (parcel === undefined ? fresh : steps).map((step) =>
      [step, this.#hashOf(host, step)] as const
    );
    const notes = parcel === undefined ? {} : { parcel };
    await this.#journal.commit({ type: "started", atMs: Date.now(), host, steps: hashes, ...notes });
    // Only now: what could not be written down must not count as known the second time.
    for (const step of fresh) this.#announced.add(keyOf(host, step));
  }

  handedBack(host: string, steps: readonly string[]): void {
    for (const step of steps) {
      this.#announced.delete(keyOf(host, step));
      this.#journal.append({ type: "ended", atMs: Date.now(), host, step, status: "not-started" });
    }
  }

  registered(host: string, step: string, value: unknown): void {
    if ((JSON.stringify(value) ?? "").length <= maxRegisteredBytes) {
      this.#values.set(keyOf(host, step), value);
    }
  }

  async note(event: RunEvent): Promise<void> {
    switch (event.type) {
      case "step-start":
        // A step in doubt is only told of, not begun.
        if (this.settled(event.host, event.step)) return;
        return await this.starting(event.host, [event.step]);
      case "step-skip": {
        const { atMs, host, step } = event;
        if (this.settled(host, step) !== undefined) return;
        const hash = this.#hashOf(host, step);
        return this.#journal.append({ type: "ended", atMs, host, step, status: "skipped", hash });
      }
      case "step-end":
        return this.#ended(event);
      case "host-end":
        if (event.status === "skipped") return;
        return this.#journal.append({
          type: "host",
          atMs: event.atMs,
          host: event.host,
          status: event.status,
        });
      case "run-end":
        return await this.#journal.commit({ type: "end", atMs: event.atMs, status: event.status });
    }
  }

  #ended(event: StepEndEvent): void {
    const { atMs, host, step, status, outcome, code, signal } = event;
    // The doubt is what is known, and stays; and what was refused has not begun.
    if (this.settled(host, step) !== undefined) return;
    const registered = this.#values.get(keyOf(host, step));
    this.#values.delete(keyOf(host, step));
    this.#journal.append({
      type: "ended",
      atMs,
      host,
      step,
      status,
      outcome,
      ...(code === null ? {} : { code }),
      ...(signal === null ? {} : { signal }),
      ...(registered === undefined ? {} : { registered }),
    });
  }
}

/** What of a plan is left to do, after what a journal says. */
export interface Remainder {
  /** With the hosts that need it alone. */
  readonly plan: Plan;
  /** Hosts with nothing left to do, of which the journal does not know that they came to their end. */
  readonly doneHosts: readonly string[];
  /** What is known of a step; undefined where it is simply to be run. */
  readonly settled: (host: string, step: string) => Settlement | undefined;
  /** Steps that may or may not have run, and that are not repeated without being asked for. */
  readonly doubtful: readonly { readonly host: string; readonly step: string; readonly title: string }[];
}

/** Which hosts are taken up again. */
export type ResumeScope = "unfinished" | "failed";

/**
 * Compares a plan with the journal of an earlier sitting.
 *
 * A step that is known to have succeeded (or was not needed) is done, unless its input has changed since: then it runs
 * again, and so does all that follows it on that host. A step that is known to have failed runs again. One that may or
 * may not have run is repeated where that does no harm: a copy, and a command with a guard, which is asked first; for
 * any other `policy` decides.
 */
export function remainderOf(
  plan: Plan,
  state: JournalState,
  hashOf: HashOf,
  options: { readonly policy?: DoubtPolicy; readonly scope?: ResumeScope } = {},
): Remainder {
  const { policy = "fail", scope = "unfinished" } = options;
  const decisions = new Map<string, Settlement>();
  const doubtful: { host: string; step: string; title: string }[] = [];
  const doneHosts: string[] = [];
  const needs = (host: PlannedHost): boolean => {
    const ended = state.hosts.get(host.host);
    if (scope === "failed" && ended !== "failed" && ended !== "unreachable") return false;
    const known = trusted(state, host.host);
    let changed = false;
    /** Whether something of these steps is left to do. */
    const decide = (steps: readonly PlannedStep[]): boolean => {
      let open = false;
      for (const step of steps) {
        let changedHere = false;
        for (const action of step.kind === "parallel" ? step.steps : [step]) {
          const before = known.get(action.step);
          if (before !== undefined && before.hash !== hashOf(host.host, action.step)) changedHere = true;
          const settlement = changed || changedHere || before === undefined
            ? undefined
            : settle(action, before, state.run.id, policy);
          if (settlement?.kind !== "done") open = true;
          if (settlement) decisions.set(keyOf(host.host, action.step), settlement);
          if (settlement?.kind === "doubtful") {
            doubtful.push({ host: host.host, step: action.step, title: action.title });
          }
        }
        changed ||= changedHere;
      }
      return open;
    };
    // What is done last is done again behind whatever is done now.
    const open = decide(host.steps) || decide(host.finally ?? []);
    if (open) keepValues(host, decisions, state.run.id);
    else if (ended !== "ok") doneHosts.push(host.host);
    return open;
  };
  return {
    plan: { ...plan, hosts: plan.hosts.filter(needs) },
    doneHosts,
    settled: (host, step) => decisions.get(keyOf(host, step)),
    doubtful,
  };
}

/**
 * Steps that are done and whose registered value the journal does not have: it was secret, or too large. Where a step
 * that is left needs it, the first one is run again if that does no harm, and else the second refused.
 */
function keepValues(host: PlannedHost, decisions: Map<string, Settlement>, run: string): void {
  const actions = actionsOf([...host.steps, ...host.finally ?? []]);
  for (const [index, action] of actions.entries()) {
    const key = keyOf(host.host, action.step);
    const settlement = decisions.get(key);
    const { register } = action;
    if (register === undefined || settlement?.kind !== "done" || settlement.registered !== undefined) {
      continue;
    }
    // A skipped one has registered that it was skipped, and does so again; a question is asked again.
    if (settlement.skipped || action.kind === "prompt") continue;
    const needing = actions.slice(index + 1).filter((later) =>
      decisions.get(keyOf(host.host, later.step))?.kind !== "done" && speaksOf(later, register)
    );
    if (needing.length === 0) continue;
    if (isRepeatable(action)) {
      decisions.delete(key);
      continue;
    }
    const why =
      `it needs ${register}, which step ${action.step} registered in run ${run}, and a journal keeps no ` +
      "value that is secret or large; run the task anew";
    for (const { step } of needing) decisions.set(keyOf(host.host, step), { kind: "refused", why });
  }
}

/** Whether a step's text, or a function of it, may look at a registered name. */
function speaksOf(action: PlannedAction, name: string): boolean {
  if (action.whenCalls !== undefined || ("commandCall" in action && action.commandCall !== undefined)) {
    return true;
  }
  return new RegExp(`\\b${RegExp.escape(name)}\\b`).test(JSON.stringify({ ...action, scope: undefined }));
}

function settle(
  action: PlannedAction,
  before: StepKnowledge,
  run: string,
  policy: DoubtPolicy,
): Settlement | undefined {
  const done = (how: string): Settlement => ({
    kind: "done",
    reason: `${how} in run ${run}`,
    registered: before.registered,
    skipped: before.status === "skipped",
  });
  switch (before.status) {
    case "ok":
      return done("done");
    case "skipped":
      return done("not needed");
    case "failed":
      return action.ignoreErrors ? done("failed, which is ignored,") : undefined;
    default: {
      // Stopped from here, and the host told how it ended.
      if (before.outcome !== null && before.outcome !== "unknown") return undefined;
      if (isRepeatable(action) || policy === "retry") return undefined;
      return {
        kind: "doubtful",
        why:
          `it was under way when run ${run} broke off and may have run; look on the host, then resume with ` +
          "--retry-unknown to run it again",
      };
    }
  }
}

/** Whether a step that may have run does no harm when it runs again: what it does is whole or not at all, or guarded. */
function isRepeatable(action: PlannedAction): boolean {
  const { kind } = action as { readonly kind: string };
  if (kind !== "exec" && kind !== "script") return true;
  const { creates, unless } = action as { readonly creates?: unknown; readonly unless?: unknown };
  return creates !== undefined || unless !== undefined;
}

/**
 * What is known of a host's steps. Steps that were sent together are announced together: where the host came to its end
 * and told how each that ran had ended, the others did not run.
 */
function trusted(state: JournalState, host: string): ReadonlyMap<string, StepKnowledge> {
  const known = state.steps.get(host) ?? new Map<string, StepKnowledge>();
  const inDoubt = [...known.values()].some(({ status, outcome }) =>
    status === "unknown" || (status === "interrupted" && (outcome === null || outcome === "unknown"))
  );
  if (!state.hosts.has(host) || inDoubt) return known;
  return new Map([...known].filter(([, { status }]) => status !== "started"));
}

function keyOf(host: string, step: string): string {
  return `${host}\0${step}`;
}
