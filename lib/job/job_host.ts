import type { CloseInfo } from "../channel/link.ts";
import type { CarpoolError, Outcome } from "../base/errors.ts";
import type { ConnectionKind } from "../base/run_event.ts";
import type { CopyOptions, CopyResult } from "../host/copy_options.ts";
import type { ExecOptions, ExecResult } from "../host/exec_options.ts";

/** How a spawned command ended. */
export interface JobProcessStatus {
  readonly code: number | null;
  readonly signal: string | null;
  readonly success: boolean;
  readonly outcome: Outcome;
  readonly timedOut?: boolean;
  /** Why the outcome is `not-started` or `unknown`. */
  readonly error?: CarpoolError | undefined;
}

/** The part of a remote process that a run uses. */
export interface JobProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Never rejects. */
  readonly status: Promise<JobProcessStatus>;
  /** Resolves when the process itself has ended, though others may hold its streams; where that is told. */
  readonly reported?: Promise<void>;
  /** The output for a loop without the cost of a stream, and the end of the input without one; where it has that. */
  chunks?(stream: "stdout" | "stderr"): AsyncIterable<Uint8Array>;
  endInput?(): void;
}

/** What a process writes, as cheaply as it can be had. */
export function chunksOf(process: JobProcess, stream: "stdout" | "stderr"): AsyncIterable<Uint8Array> {
  return process.chunks?.(stream) ?? process[stream];
}

/** The part of a host that a run uses; `Host` of lib/host/ is one, and so is a few lines of a test. */
export interface JobHost extends AsyncDisposable {
  /** `user@host:port`. */
  readonly where: string;
  readonly closed: Promise<CloseInfo>;
  /** How the connection came about; default: `new`. */
  readonly connection?: ConnectionKind;
  /** The shortest round trip seen so far, in milliseconds. */
  readonly rttMs?: number | undefined;
  /** Its commands run in a shell as sshd starts it, so that steps can travel together; default: not known, so false. */
  readonly fuses?: boolean;
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  spawn(command: string, options?: Omit<ExecOptions, "stdin">): Promise<JobProcess>;
  copy(local: string, remote: string, options?: CopyOptions): Promise<CopyResult>;
  fetch(remote: string, local: string, options?: CopyOptions): Promise<CopyResult>;
}

/** Connects to a destination; `signal` gives up; `fresh` is a login of its own, not a shared one. */
export type JobConnect = (
  destination: string,
  options: { readonly signal: AbortSignal; readonly fresh?: boolean },
) => Promise<JobHost>;
