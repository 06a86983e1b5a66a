import { UsageError } from "../../base/errors.ts";
import { chunksOf, type JobHost, type JobProcess, type JobProcessStatus } from "../job_host.ts";
import type { StepContext, StepResult } from "../run_step.ts";
import type { PlannedAction } from "../planned.ts";
import { type Guard, type Mark, parseMark } from "./marks.ts";
import type { Parcel } from "./script.ts";
import { type Piece, Splitter } from "./splitter.ts";
import { type FusedAttempt, StepTeller } from "./step_teller.ts";

type StreamName = "stdout" | "stderr";

/** A step that ran out of time and its own watch gets this much longer than the watch: TERM, KILL, and a slow link. */
const afterTimeoutMs = 10_000;

/**
 * The remote side ends after its streams. Where it ended before them, it was killed: what is left of it waits for ever
 * for a fifo, and is given so long after the last that was heard.
 */
const orphanedMs = 2000;

/** How steps that were sent together came out. */
export interface ParcelEnd {
  /** Of the steps that are over, in order. */
  readonly results: readonly StepResult[];
  /**
   * - `done`: no further step of these runs: the last failed, or all are done, or it was stopped.
   * - `unable`: the host cannot do this; no step began.
   * - `copy-refused`: the next step is a copy to be done in the ordinary way.
   * - `not-started`: the request was never sent, or refused.
   * - `ended`: the remote side ended before it said so; what ran then is in `running`.
   * - `lost`: the connection was; what ran when it was last heard of is in `running`.
   */
  readonly how: "done" | "unable" | "copy-refused" | "not-started" | "ended" | "lost";
  /** The step that had begun and not ended. */
  readonly running?: StepTeller;
  /** How the session ended, where that is known. */
  readonly status?: JobProcessStatus;
  /** Resolves when nothing of it is left on the host. */
  readonly left?: Promise<unknown>;
}

/** Sends steps together and tells what they do, as it happens. */
export async function runParcel(parcel: Parcel, host: JobHost, context: StepContext): Promise<ParcelEnd> {
  const stop = new AbortController();
  // Not `AbortSignal.any`: whoever has read the last event of a run stops what it has left, which would be the remote
  // side's tidying up; it took SIGTERM for the answer that it waits for, and its directory stayed.
  const passOn = () => stop.abort(context.signal.reason);
  if (context.signal.aborted) passOn();
  context.signal.addEventListener("abort", passOn);
  try {
    return await follow(parcel, host, context, stop);
  } finally {
    context.signal.removeEventListener("abort", passOn);
  }
}

async function follow(
  parcel: Parcel,
  host: JobHost,
  context: StepContext,
  stop: AbortController,
): Promise<ParcelEnd> {
  let process: JobProcess;
  try {
    process = await host.spawn(parcel.command, { signal: stop.signal });
  } catch {
    // No session could be opened. Whoever runs the first step alone finds that out, too, and tells it.
    return { results: [], how: "not-started" };
  }
  const input = process.stdin.getWriter();
  // Whatever becomes of the input, the session's end tells more.
  if (parcel.input !== undefined) input.write(new TextEncoder().encode(parcel.input)).catch(() => {});
  const reader = new ParcelReader(parcel, context, stop);
  process.reported?.then(() => reader.orphaned());
  const listening = Promise.all([reader.listen("stdout", process), reader.listen("stderr", process)]);
  const end = await Promise.race([reader.said, listening.then(() => undefined)]);
  if (reader.failure) throw reader.failure.error;
  if (end !== undefined) {
    // It waits for this, and then removes its directory; nobody has to wait for that.
    input.write(new TextEncoder().encode("k\n")).then(() => input.close()).catch(() => {});
    return { results: reader.results, how: end, left: process.status };
  }
  input.close().catch(() => {});
  const status = await process.status;
  return reader.brokenOff(status);
}

/** Reads both streams of a session, which say the same marks in the same order; what is between them is output. */
class ParcelReader {
  readonly results: StepResult[] = [];
  /** What went wrong here, not on the host. */
  failure: { readonly error: unknown } | undefined;
  /** Resolves when the remote side has said how it ended. */
  readonly said: Promise<"done" | "unable" | "copy-refused">;
  readonly #say: (how: "done" | "unable" | "copy-refused") => void;
  readonly #parcel: Parcel;
  readonly #context: StepContext;
  readonly #stop: AbortController;
  #current: StepTeller | undefined;
  /** The last attempt, of which another may follow. */
  #attempt: FusedAttempt | undefined;
  #heard = false;
  #last: Mark["type"] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #overdue = false;
  #orphanTimer: ReturnType<typeof setTimeout> | undefined;
  #isOrphaned = false;
  /** The orphans were not waited for. */
  #isCutOff = false;
  /** Streams that have not ended. */
  #listening = 2;
  /** The stream that has come to a mark, and waits for the other one. */
  #waiting: { readonly text: string; readonly met: PromiseWithResolvers<boolean> } | undefined;
  #ended = false;

  constructor(parcel: Parcel, context: StepContext, stop: AbortController) {
    this.#parcel = parcel;
    this.#context = context;
    this.#stop = stop;
    ({ promise: this.said, resolve: this.#say } = Promise.withResolvers());
  }

  async listen(name: StreamName, process: JobProcess): Promise<void> {
    const splitter = new Splitter(this.#parcel.nonce);
    try {
      for await (const chunk of chunksOf(process, name)) {
        if (this.#isOrphaned) this.orphaned();
        for (const piece of splitter.push(chunk)) if (!await this.#take(name, piece)) return;
      }
      await this.#take(name, { bytes: splitter.end() });
    } catch {
      // The session's status says what happened to the connection.
    } finally {
      this.#ended = true;
      clearTimeout(this.#timer);
      if (--this.#listening === 0) clearTimeout(this.#orphanTimer);
      // The other stream waits for a mark that this one will never have.
      this.#waiting?.met.resolve(false);
    }
  }

  /** The remote side is over, and its streams are not. */
  orphaned(): void {
    this.#isOrphaned = true;
    clearTimeout(this.#orphanTimer);
    if (this.#listening === 0) return;
    this.#orphanTimer = setTimeout(() => {
      this.#isCutOff = true;
      this.#stop.abort();
    }, orphanedMs);
  }

  /** False where nothing of this stream matters any more. */
  async #take(name: StreamName, piece: Piece): Promise<boolean> {
    try {
      if ("mark" in piece) return await this.#meet(piece.mark);
      await this.#output(name, piece.bytes);
      return true;
    } catch (error) {
      // Nobody can be told what happens, so nothing more must.
      this.failure ??= { error };
      this.#stop.abort();
      return false;
    }
  }

  /** Before the first step and between two there is only what start-up files of the login shell write. */
  async #output(name: StreamName, bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) await this.#current?.output(name, bytes);
  }

  /** A stream has come to a mark: it goes on when the other one has, too. False where that will never be. */
  async #meet(text: string): Promise<boolean> {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      if (this.#ended) return false;
      this.#waiting = { text, met: Promise.withResolvers() };
      return await this.#waiting.met.promise;
    }
    this.#waiting = undefined;
    const mark = waiting.text === text ? parseMark(text) : undefined;
    if (mark) await this.#hear(mark);
    waiting.met.resolve(mark !== undefined);
    return mark !== undefined;
  }

  async #hear(mark: Mark): Promise<void> {
    this.#heard = true;
    clearTimeout(this.#timer);
    switch (mark.type) {
      case "begin": {
        this.#current ??= this.#teller(mark.index);
        const { timeoutMs } = this.#current.action;
        await this.#current.begin();
        if (timeoutMs !== undefined) {
          this.#timer = setTimeout(() => this.#giveUp(), timeoutMs + afterTimeoutMs);
        }
        break;
      }
      case "retry":
        await this.#current?.retry(this.#attemptOf(mark));
        break;
      case "end":
        if (this.#current) this.results.push(await this.#current.end(this.#attemptOf(mark)));
        this.#current = undefined;
        break;
      case "skip": {
        const teller = this.#current ?? this.#teller(mark.index);
        this.#current = undefined;
        this.results.push(await teller.skip(skipReason(teller.action, mark.guard)));
        break;
      }
      case "copied": {
        const bytes = mark.unchanged ? 0 : this.#parcel.travellers[mark.index]?.copy?.bytes;
        this.results.push(await this.#teller(mark.index).end(copied, bytes));
        break;
      }
      case "bye":
        if (this.#last === "stopped" && this.#current) {
          // It was between two attempts when it was stopped.
          const status = this.#context.signal.aborted ? "interrupted" : "failed";
          this.results.push(await this.#current.end({ ...this.#attempt!, status }));
          this.#current = undefined;
        }
        this.#say(this.#last === "copy-refused" ? "copy-refused" : "done");
        break;
      case "unable":
        this.#say("unable");
    }
    this.#last = mark.type;
  }

  #teller(index: number): StepTeller {
    const traveller = this.#parcel.travellers[index];
    if (traveller === undefined) {
      throw new UsageError({ what: "Cannot tell which step is meant", why: `there is no step ${index + 1}` });
    }
    return new StepTeller(traveller.action, this.#context);
  }

  #attemptOf({ code, signal, timedOut }: Extract<Mark, { type: "end" | "retry" }>): FusedAttempt {
    return this.#attempt = attemptOf({ code, signal, timedOut }, this.#context.signal.aborted);
  }

  #giveUp(): void {
    this.#overdue = true;
    this.#stop.abort();
  }

  /** The session ended before the remote side said that it was done. */
  brokenOff(status: JobProcessStatus): ParcelEnd {
    const results = this.results;
    const running = this.#current;
    if (status.outcome === "not-started") return { results, how: "not-started", status };
    if (status.outcome === "unknown") {
      return {
        results,
        how: "lost",
        running,
        status: this.#overdue ? { ...status, timedOut: true } : status,
      };
    }
    if (!this.#heard) return { results, how: "unable", status };
    // What became of the step itself, nobody saw.
    const unknown = { code: null, signal: null, success: false, outcome: "unknown" } as const;
    return { results, how: "ended", running, status: this.#isCutOff ? unknown : status };
  }
}

/** An attempt that came to its end. */
export function attemptOf(
  { code, signal, timedOut }: { readonly code: number; readonly signal?: string; readonly timedOut: boolean },
  interrupted: boolean,
): FusedAttempt {
  const good = code === 0 && signal === undefined;
  return {
    status: interrupted && !good ? "interrupted" : good && !timedOut ? "ok" : "failed",
    outcome: signal === undefined ? "exited" : "signalled",
    code: signal === undefined ? code : null,
    signal: signal ?? null,
    timedOut,
  };
}

/** A small file is in its place. */
export const copied: FusedAttempt = {
  status: "ok",
  outcome: null,
  code: null,
  signal: null,
  timedOut: false,
};

/** Why a step was not needed. */
export function skipReason(action: PlannedAction, guard: Guard): string {
  if (guard === "plan") return action.skip ?? "";
  if (guard === "creates") return `${action.creates} exists`;
  return `${action.secret ? "its guard" : action.unless} succeeded`;
}
