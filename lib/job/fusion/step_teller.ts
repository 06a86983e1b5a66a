import type { Outcome } from "../../base/errors.ts";
import type { ErrorInfo } from "../../base/run_event.ts";
import { type StepContext, type StepResult, whyOf } from "../run_step.ts";
import type { FusableAction } from "./fusable.ts";

/** How an attempt at a step that travelled came out. */
export interface FusedAttempt {
  readonly status: "ok" | "failed" | "unknown" | "interrupted";
  readonly outcome: Outcome | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly error?: ErrorInfo;
}

/** Tells of one step that travels with others as `runStep` tells of one that is alone. */
export class StepTeller {
  readonly action: FusableAction;
  readonly #context: StepContext;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  readonly #startedAtMs = Date.now();
  #begun = false;
  #attempts = 0;
  #bytes = 0;
  #delayMs: number;

  constructor(action: FusableAction, context: StepContext) {
    this.action = action;
    this.#context = context;
    this.#delayMs = action.delayMs ?? Math.min(context.retryDelayMs, 10_000);
  }

  #at() {
    return { atMs: Date.now(), host: this.#context.host, step: this.action.step };
  }

  /** An attempt begins. */
  async begin(): Promise<void> {
    const { kind, title } = this.action;
    if (!this.#begun) await this.#context.emit({ type: "step-start", ...this.#at(), kind, title });
    this.#begun = true;
    this.#attempts++;
    this.#bytes = 0;
  }

  /** It has written something. */
  async output(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    await this.#tell(stream, this.#decoders[stream].decode(bytes, { stream: true }));
  }

  async #tell(stream: "stdout" | "stderr", text: string): Promise<void> {
    if (text !== "") await this.#context.emit({ type: "step-output", ...this.#at(), stream, text });
  }

  /** What a decoder holds of a character whose end never came. */
  async #flush(): Promise<void> {
    for (const stream of ["stdout", "stderr"] as const) {
      await this.#tell(stream, this.#decoders[stream].decode());
    }
  }

  /** The attempt failed, and another follows. */
  async retry(attempt: FusedAttempt): Promise<void> {
    await this.#flush();
    const delayMs = this.#delayMs;
    if (this.action.delayMs === undefined) this.#delayMs = Math.min(delayMs * 2, 10_000);
    await this.#context.emit({
      type: "step-retry",
      ...this.#at(),
      attempt: this.#attempts,
      why: whyOf(attempt),
      delayMs,
    });
  }

  /** The step was not needed. */
  async skip(reason: string): Promise<StepResult> {
    const { kind, title } = this.action;
    await this.#context.emit({ type: "step-skip", ...this.#at(), kind, title, reason });
    return { status: "skipped" };
  }

  /** It is over. `bytes` of a copy are those it moved. */
  async end(attempt: FusedAttempt, bytes?: number): Promise<StepResult> {
    if (!this.#begun) await this.begin();
    await this.#flush();
    const end = {
      ...attempt,
      host: this.#context.host,
      step: this.action.step,
      bytes: bytes ?? this.#bytes,
      attempts: this.#attempts,
      durationMs: Date.now() - this.#startedAtMs,
    };
    await this.#context.emit({ type: "step-end", atMs: Date.now(), ...end });
    return end;
  }
}
