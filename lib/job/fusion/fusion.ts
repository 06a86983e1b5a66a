import type { PlannedAction, PlannedStep } from "../planned.ts";
import { errorInfo, type StepContext, type StepResult } from "../run_step.ts";
import type { JobHost } from "../job_host.ts";
import { maxAttempts, maxSteps, mayTravel } from "./fusable.ts";
import { attemptOf, copied, type ParcelEnd, runParcel, skipReason } from "./run_parcel.ts";
import { parseNotes, recoveryCommand, type RemoteNotes } from "./recover.ts";
import { packParcel, type Parcel, type Traveller } from "./script.ts";
import { readSmallCopy } from "./small_copy.ts";
import { type FusedAttempt, StepTeller } from "./step_teller.ts";

/** What came of one planned action. */
export interface ActionResult {
  readonly step: string;
  readonly title: string;
  readonly result: StepResult;
}

/** What fusing needs to know besides the steps. */
export interface FusionOptions {
  /** Whether steps travel together at all. */
  readonly on: boolean;
  /** Whether a text has something in it that must not be seen in a process list; default: none has. */
  readonly hides?: (text: string) => boolean;
}

/** All that is sent together, in characters: both sides hold it in memory. */
const maxText = 1024 * 1024;
/** A host that takes longer than this to tidy up is left to do so by itself. */
const leavingMs = 2000;
/** A command line that is longer is more than an exec request takes; as a part of a script it can run. */
const maxRequestText = 100 * 1024;

/** Sends consecutive steps of one host together, in one session. One for each host of a run. */
export class Fusion implements AsyncDisposable {
  readonly #context: StepContext;
  readonly #hides: (text: string) => boolean;
  #on: boolean;
  /** The next step is one that was handed back. */
  #alone = false;
  #leaving: Promise<unknown> | undefined;

  constructor(context: StepContext, { on, hides = () => false }: FusionOptions) {
    this.#context = context;
    this.#on = on;
    this.#hides = hides;
  }

  /**
   * Runs the first of these steps that may travel together, and tells everything as `runStep` would. Gives a result for
   * each that is over, which may be fewer than were sent: what is left is asked for again. Undefined where the first
   * step is to be run alone.
   */
  async run(steps: readonly PlannedStep[]): Promise<readonly ActionResult[] | undefined> {
    const alone = this.#alone;
    this.#alone = false;
    if (!this.#on || alone || this.#context.signal.aborted) return undefined;
    const travellers = await this.#collect(steps);
    if (travellers.length < 2 && !travellers.some(mustTravel)) return undefined;
    let host: JobHost;
    try {
      host = await this.#context.connection();
    } catch {
      // Whoever runs the step alone asks again, and tells what is wrong.
      return undefined;
    }
    if (!host.fuses || !(travellers.some(mustTravel) || pays(travellers.length, host.rttMs))) {
      return undefined;
    }
    let parcel: Parcel;
    try {
      parcel = packParcel(travellers, { retryDelayMs: this.#context.retryDelayMs });
    } catch {
      // A variable whose name is none: the step that has it says so when it is its turn.
      return undefined;
    }
    const ids = travellers.map(({ action }) => action.step);
    await this.#context.ledger?.starting(this.#context.host, ids, parcel.id);
    const sentAtMs = Date.now();
    const end = await runParcel(parcel, host, this.#context);
    if ((host.connection ?? "new") === "new") this.#leaving = end.left;
    const results = await this.#settle(end, parcel, host, sentAtMs);
    // What is known not to have begun is announced anew when its turn comes.
    if (end.how === "unable" || end.how === "copy-refused" || end.how === "not-started") {
      this.#context.ledger?.handedBack(this.#context.host, ids.slice(results.length));
    }
    if (results.length === 0 && !this.#context.signal.aborted) {
      this.#alone = false;
      return undefined;
    }
    return results.map((result, i) => {
      const { step, title } = travellers[i]!.action;
      return { step, title, result };
    });
  }

  /**
   * Before the connection is closed: what is on its way to the host is thrown away with it, and that would be the word
   * that lets the remote side remove its directory. A master that others ride stays, so that nobody has to wait.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#leaving) await bounded(this.#leaving, leavingMs);
  }

  /** The steps from the first on that may travel together. */
  async #collect(steps: readonly PlannedStep[]): Promise<readonly Traveller[]> {
    const { ledger, host } = this.#context;
    const travellers: Traveller[] = [];
    let text = 0;
    let attempts = 0;
    for (const action of steps) {
      if (travellers.length >= maxSteps || text > maxText || !mayTravel(action)) break;
      if (ledger?.settled(host, action.step) !== undefined) break;
      attempts += 1 + action.retries;
      if (attempts > maxAttempts) break;
      const copy = action.kind === "copy" && action.skip === undefined
        ? await readSmallCopy(action)
        : undefined;
      if (action.kind === "copy" && action.skip === undefined && copy === undefined) break;
      const secret = this.#isSecret(action) || copy?.isPrivate === true;
      const traveller = { action, secret, ...(copy ? { copy } : {}) };
      text += copy?.text.length ?? (action.kind === "exec" ? action.command.length : 0);
      travellers.push(traveller);
    }
    return travellers;
  }

  #isSecret(action: PlannedAction): boolean {
    if (action.secret) return true;
    const { command, creates, unless, cwd, env } = action as PlannedAction & { readonly command?: string };
    const texts = [command, creates, unless, cwd, ...Object.values(env ?? {})];
    return texts.some((text) => text !== undefined && this.#hides(text));
  }

  async #settle(
    end: ParcelEnd,
    parcel: Parcel,
    host: JobHost,
    sentAtMs: number,
  ): Promise<readonly StepResult[]> {
    const { results, running, status } = end;
    switch (end.how) {
      case "unable":
        this.#on = false;
        return [];
      case "copy-refused":
        this.#alone = true;
        return results;
      case "lost":
        return await this.#recover(end, parcel, host, sentAtMs);
      case "ended": {
        if (running === undefined || status === undefined) return results;
        // The remote side was ended along with the step, or by it.
        const { outcome, code, signal, timedOut = false } = status;
        const attempt = { outcome, code, signal, timedOut };
        const told = outcome === "unknown" ? "unknown" : "failed";
        const ended = this.#context.signal.aborted ? "interrupted" : told;
        return [...results, await running.end({ ...attempt, status: ended })];
      }
      default:
        return results;
    }
  }

  /** The connection was lost: a new one asks the host what it did. */
  async #recover(
    end: ParcelEnd,
    parcel: Parcel,
    host: JobHost,
    sentAtMs: number,
  ): Promise<readonly StepResult[]> {
    const { running, status } = end;
    const results = [...end.results];
    const unknown: FusedAttempt = {
      status: this.#context.signal.aborted ? "interrupted" : "unknown",
      outcome: "unknown",
      code: null,
      signal: null,
      timedOut: status?.timedOut ?? false,
      ...(status?.error === undefined ? {} : { error: errorInfo(status.error) }),
    };
    if (this.#context.signal.aborted) return running ? [...results, await running.end(unknown)] : results;
    const said = await this.#askHost(parcel, host);
    // Where something was heard of it, or the host has started anew meanwhile, its notes were there and are lost.
    const gone = said?.begun === false &&
      (running !== undefined || results.length > 0 || (said.upMs ?? Infinity) < Date.now() - sentAtMs);
    const notes = gone ? undefined : said;
    let teller = running;
    for (const { action, copy } of parcel.travellers.slice(results.length)) {
      const note = notes?.steps.get(results.length);
      if (notes !== undefined && note === undefined) break;
      teller ??= new StepTeller(action, this.#context);
      if (note === undefined || note.how === "begun") {
        results.push(await teller.end(unknown));
        if (note !== undefined) break;
      } else if (note.how === "skipped") {
        results.push(await teller.skip(skipReason(action, note.guard)));
      } else if (note.how === "copied") {
        results.push(await teller.end(copied, note.unchanged ? 0 : copy?.bytes));
      } else {
        const result = await teller.end(attemptOf(note, false));
        results.push(result);
        if (result.status !== "ok" && !action.ignoreErrors) break;
      }
      teller = undefined;
    }
    return results;
  }

  async #askHost(parcel: Parcel, lost: JobHost): Promise<RemoteNotes | undefined> {
    try {
      // The end of a session is heard of a moment before that of its connection; of a master's nothing is heard.
      await bounded(lost.closed, 100);
      const host = await this.#context.connection();
      const { stdout } = await host.exec(recoveryCommand(parcel.id), { signal: this.#context.signal });
      return parseNotes(stdout);
    } catch {
      // Nothing is known then, and that is what is told of every step.
      return undefined;
    }
  }
}

/**
 * What travelling together costs besides, in milliseconds of CPU: a shell, a directory, fifos, two `cat`, `rm`; and what a
 * step saves by having no session of its own, here, in the keeper and on the host. Measured with 40 to 100 warm hosts on
 * one machine, the CPU of all three, per host, together and one by one: four steps 19 and 15 ms, five 21 and 20, six 24
 * and 22, seven 25 and 26, ten 33 and 42. On the clock six are even, as a host's next step need not wait for this side.
 */
const overheadMs = 12;
const savedMs = 2;

/** Whether steps are sooner done together, as far as can be known: six always are. */
function pays(steps: number, rttMs: number | undefined): boolean {
  return rttMs === undefined || (steps - 1) * rttMs + steps * savedMs >= overheadMs;
}

/** What alone would be seen in the process list, or would not fit an exec request. */
function mustTravel({ action, secret }: Traveller): boolean {
  return action.kind === "exec" && action.skip === undefined &&
    (secret || action.command.length > maxRequestText);
}

/** Waits for something, but not for ever. */
async function bounded(something: Promise<unknown>, ms: number): Promise<void> {
  const { promise: later, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([something, later]);
  clearTimeout(timer);
}
