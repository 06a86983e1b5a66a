import type { PlannedAction, PlannedExec, PlannedStep } from "../planned.ts";

/** An action that may travel with others: an exec, a copy, or whatever the plan skips. */
export type FusableAction = PlannedAction;

/** Steps that travel together at most: what is sent must be held in memory on both sides. */
export const maxSteps = 500;
/** Attempts, retries among them, of steps that travel together; each has its place in the remote script's list. */
export const maxAttempts = 2000;

/** What an exec step may have and travel with others. A field that is not known here keeps a step by itself. */
const execFields: ReadonlySet<string> = new Set<keyof PlannedExec>([
  ...["kind", "step", "name", "title", "timeoutMs", "retries", "delayMs", "scope", "env", "cwd"] as const,
  ...[
    "creates",
    "unless",
    "ignoreErrors",
    "register",
    "tags",
    "quiet",
    "secret",
    "where",
    "command",
  ] as const,
]);

const copyFields: ReadonlySet<string> = new Set<keyof Extract<PlannedAction, { kind: "copy" }>>([
  ...["kind", "step", "name", "title", "retries", "delayMs", "scope", "creates", "ignoreErrors"] as const,
  ...["register", "tags", "quiet", "where", "from", "to", "mode"] as const,
]);

/**
 * Whether a step may travel with its neighbours in one session. It may not:
 *
 * - a group of steps that run at once, and whatever is no `exec` and no `copy`: a fetch brings bytes here, a prompt asks
 *   here, a wait and a reconnect are about the connection;
 * - a step whose text, or whose being needed, depends on what happened before it and is worked out here: a condition or
 *   a text that speaks of a registered result, a function of a task file in TypeScript;
 * - a step as another user, which may ask for a password;
 * - a step with something to do when it fails;
 * - a copy with a timeout, an owner or exclusions, one that would be a tree, larger than 64 KiB, or that goes to the home
 *   of another user (`~other`).
 *
 * Neither do few steps where a round trip is so short that nothing is saved (see `pays` in fusion.ts), nor steps of a run
 * whose strategy has all hosts wait for each other after each.
 *
 * Besides, by what the host turns out to be: a shell that is none (no `sh`, `mkfifo`, no /tmp), and a small copy
 * that meets anything unusual, are done the ordinary way. What follows a step that was done by itself travels again.
 */
export function mayTravel(step: PlannedStep): step is FusableAction {
  if (step.kind !== "parallel" && step.skip !== undefined) return true;
  if (step.kind === "exec") return hasOnly(step, execFields);
  return step.kind === "copy" && step.timeoutMs === undefined && hasOnly(step, copyFields) &&
    !/^~[^/]/.test(step.to) && !step.to.includes("\0") && !/[\/\\]$/.test(step.from);
}

function hasOnly(step: object, fields: ReadonlySet<string>): boolean {
  return Object.entries(step).every(([name, value]) => value === undefined || fields.has(name));
}
