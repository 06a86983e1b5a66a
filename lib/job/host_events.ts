import type { RunEvent, StepEndEvent, StepOutputEvent } from "../base/run_event.ts";
import type { HostScope } from "./host_scope.ts";
import type { PlannedAction } from "./planned.ts";
import type { RedactedStream, Redactor } from "./redactor.ts";

/** Of a registered result, so much of each stream is kept: its end. */
const keptChars = 1024 * 1024;

/** Of a quiet step, so much is shown when it fails: its end. */
const quietEvents = 2000;

/** What is kept about a step while it runs. */
interface StepRecord {
  readonly streams: Record<"stdout" | "stderr", RedactedStream>;
  readonly kept: Record<"stdout" | "stderr", string>;
  held: StepOutputEvent[];
}

/**
 * What happens on one host, on its way out: output of secret steps stays here, that of quiet ones until they fail,
 * secrets are taken out, and results that later steps speak of are kept.
 */
export class HostEvents {
  readonly #emit: (event: RunEvent) => Promise<void>;
  readonly #scope: HostScope;
  readonly #redactor: Redactor;
  readonly #registered: (step: string, value: unknown) => void;
  readonly #actions = new Map<string, PlannedAction>();
  readonly #records = new Map<string, StepRecord>();

  constructor(
    actions: readonly PlannedAction[],
    to: {
      readonly emit: (event: RunEvent) => Promise<void>;
      readonly scope: HostScope;
      readonly redactor: Redactor;
      readonly registered: (step: string, value: unknown) => void;
    },
  ) {
    this.#emit = to.emit;
    this.#scope = to.scope;
    this.#redactor = to.redactor;
    this.#registered = to.registered;
    const add = (action: PlannedAction) => {
      this.#actions.set(action.step, action);
      action.onFailure?.forEach(add);
    };
    actions.forEach(add);
  }

  /** Takes an event; resolves when it has been told, or has been kept. */
  readonly emit = (event: RunEvent): Promise<void> => {
    switch (event.type) {
      case "step-output":
        return this.#output(event);
      case "step-retry":
        return this.#retry(event.step, event);
      case "step-end":
        return this.#end(event);
      case "step-skip": {
        const action = this.#actions.get(event.step);
        if (action?.register !== undefined && action.kind !== "prompt") {
          this.#scope.set(action.register, { ...nothing, skipped: true });
        }
        return this.#emit(event);
      }
      default:
        return this.#emit(event);
    }
  };

  async #output(event: StepOutputEvent): Promise<void> {
    const action = this.#actions.get(event.step);
    const record = this.#record(event.step);
    const { stream } = event;
    if (action?.register !== undefined) {
      record.kept[stream] = (record.kept[stream] + event.text).slice(-keptChars);
    }
    if (action?.secret) return;
    const text = this.#redactor.idle ? event.text : record.streams[stream].push(event.text);
    if (text !== "") await this.#tell({ ...event, text }, action, record);
  }

  async #tell(event: StepOutputEvent, action: PlannedAction | undefined, record: StepRecord): Promise<void> {
    if (!action?.quiet) return await this.#emit(event);
    record.held.push(event);
    if (record.held.length > quietEvents) record.held.shift();
  }

  /** The ends of its streams, which were held because a secret could have begun there. */
  async #flush(event: { readonly host: string; readonly step: string }, record: StepRecord): Promise<void> {
    const action = this.#actions.get(event.step);
    if (action?.secret) return;
    for (const stream of ["stdout", "stderr"] as const) {
      const text = record.streams[stream].end();
      const { host, step } = event;
      if (text === "") continue;
      await this.#tell({ type: "step-output", atMs: Date.now(), host, step, stream, text }, action, record);
    }
  }

  async #retry(step: string, event: Extract<RunEvent, { type: "step-retry" }>): Promise<void> {
    const record = this.#records.get(step);
    if (record) {
      await this.#flush(event, record);
      // The result is that of the last attempt.
      record.kept.stdout = record.kept.stderr = "";
    }
    await this.#emit(event);
  }

  async #end(event: StepEndEvent): Promise<void> {
    const action = this.#actions.get(event.step);
    const record = this.#records.get(event.step);
    if (record) {
      await this.#flush(event, record);
      if (event.status !== "ok") { for (const held of record.held) await this.#emit(held); }
      this.#records.delete(event.step);
    }
    if (action?.register !== undefined && action.kind !== "prompt") {
      const value = resultOf(event, record?.kept ?? { stdout: "", stderr: "" }, action);
      if (action.secret) { for (const line of value.lines) this.#redactor.add(line); }
      this.#scope.set(action.register, value);
      // A journal is read by people: nothing secret goes there.
      const shown = !action.secret &&
        [value.stdout, value.stderr].every((text) => this.#redactor.text(text) === text);
      if (shown) this.#registered(event.step, value);
    }
    const ignored = action?.ignoreErrors && (event.status === "failed" || event.status === "unknown");
    await this.#emit(ignored ? { ...event, ignored: true } : event);
  }

  #record(step: string): StepRecord {
    const known = this.#records.get(step);
    if (known) return known;
    const made: StepRecord = {
      streams: { stdout: this.#redactor.stream(), stderr: this.#redactor.stream() },
      kept: { stdout: "", stderr: "" },
      held: [],
    };
    this.#records.set(step, made);
    return made;
  }
}

const nothing = {
  ok: false,
  failed: false,
  skipped: false,
  changed: false,
  code: null,
  stdout: "",
  stderr: "",
  lines: [],
} as const;

/** How a step came out, for expressions. Line ends at the end do not count, as in a shell's `$( )`. */
function resultOf(event: StepEndEvent, kept: StepRecord["kept"], action: PlannedAction) {
  const stdout = kept.stdout.replace(/[\r\n]+$/, "");
  const ok = event.status === "ok";
  const changed = ok &&
    (action.kind === "template"
      ? stdout.startsWith("changed ")
      : action.kind === "copy" || action.kind === "fetch"
      ? event.bytes > 0
      : true);
  return {
    ok,
    failed: !ok,
    skipped: false,
    changed,
    code: event.code,
    stdout,
    stderr: kept.stderr.replace(/[\r\n]+$/, ""),
    lines: stdout === "" ? [] : stdout.split(/\r?\n/),
  };
}
