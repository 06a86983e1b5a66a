import { ByteInbox } from "../channel/byte_inbox.ts";
import type { Session, SessionEnd } from "../channel/session.ts";
import { type CarpoolError, ChannelError, type Outcome } from "../base/errors.ts";
import type { PtyOptions } from "./exec_options.ts";

/** How a remote process ended; the first three fields are those of `Deno.CommandStatus`. */
export interface RemoteStatus {
  /** `code === 0`. */
  readonly success: boolean;
  /** The exit status; null unless `outcome` is `exited`. */
  readonly code: number | null;
  /** The signal's name without SIG; null unless `outcome` is `signalled`. */
  readonly signal: string | null;
  /** What became of it. */
  readonly outcome: Outcome;
  /** Whether `timeoutMs` ran out. */
  readonly timedOut: boolean;
  /** Why the outcome is `not-started` or `unknown`. */
  readonly error: CarpoolError | undefined;
}

/** What {@linkcode RemoteProcess} needs to know to start. */
export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly pty?: boolean | PtyOptions;
  /** Ask for agent forwarding. */
  readonly agent?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Where output goes when nobody wants streams: buffered by `exec`, without the cost of a stream. */
export type OutputSink = (data: Uint8Array, stream: "stdout" | "stderr") => void;

/** A process gets this long after SIGTERM, and again after SIGKILL, before the channel is closed on it. */
const GRACE_MS = 2000;

/**
 * A command running on a host, shaped like `Deno.ChildProcess`: Web Streams whose backpressure is the channel window,
 * a status, `kill`. Disposing it ends it.
 */
export class RemoteProcess implements AsyncDisposable {
  /** What the process reads; closing it is its end of file. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#stdin ??= new WritableStream<Uint8Array>({
      write: (chunk) => this.write(chunk),
      close: () => this.endInput(),
      abort: () => this.endInput(),
    });
  }

  /** What the process writes; unread, it stops the process once the channel's window is full. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#stdout.stream;
  }

  /** Like `stdout`; empty with a pseudo-terminal. */
  get stderr(): ReadableStream<Uint8Array> {
    return this.#stderr.stream;
  }

  /**
   * What it writes, for a loop: as the stream of that name, without what a stream costs. One or the other; a loop that is
   * left early drops what still comes.
   */
  chunks(stream: "stdout" | "stderr"): AsyncIterableIterator<Uint8Array> {
    return (stream === "stdout" ? this.#stdout : this.#stderr).chunks();
  }

  /** Resolves when the process is over and its output has all arrived; never rejects. */
  readonly status: Promise<RemoteStatus>;
  /** Resolves when the command itself has ended, as the server says; what it left behind may still hold its streams. */
  readonly reported: Promise<void>;
  readonly #session: Session;
  readonly #stdout: ByteInbox;
  readonly #stderr: ByteInbox;
  #stdin: WritableStream<Uint8Array> | undefined;
  #timedOut = false;
  #ended = false;
  #killTimer: ReturnType<typeof setTimeout> | undefined;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when nothing more is to be waited for: the channel was closed, and its server says nothing to that. */
  readonly #abandoned = Promise.withResolvers<SessionEnd>();

  /** @ignore Use {@linkcode Host.spawn}. */
  constructor(session: Session, command: string, options: ProcessOptions = {}, sink?: OutputSink) {
    this.#session = session;
    const { promise: reported, resolve: onReport } = Promise.withResolvers<void>();
    this.reported = reported;
    session.onReport = onReport;
    const consumed = (bytes: number) => session.consumed(bytes);
    const stdout = this.#stdout = new ByteInbox(consumed);
    const stderr = this.#stderr = new ByteInbox(consumed);
    session.start({ kind: "exec", command }, {
      env: options.env,
      pty: ptyOf(options.pty),
      agent: options.agent,
      onOutput: sink
        ? (data, stream) => {
          sink(data, stream);
          consumed(data.length);
        }
        : (data, stream) => (stream === "stdout" ? stdout : stderr).push(data),
      onOutputEnd: () => {
        stdout.end();
        stderr.end();
      },
    });
    this.status = this.#watch(options);
  }

  /** Writes to the standard input without a stream; resolves when the link has taken it. */
  write(data: Uint8Array): Promise<void> {
    return this.#session.write(data);
  }

  /** Ends the standard input without a stream. */
  endInput(): void {
    this.#session.endInput();
  }

  async #watch(options: ProcessOptions): Promise<RemoteStatus> {
    const { timeoutMs, signal } = options;
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => {
      this.#timedOut = true;
      this.#endGently();
    }, timeoutMs);
    const abort = () => this.#endGently();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    const end = await Promise.race([this.#session.ended, this.#abandoned.promise]);
    this.#ended = true;
    clearTimeout(this.#stopTimer);
    this.#stdout.end();
    this.#stderr.end();
    clearTimeout(timer);
    clearTimeout(this.#killTimer);
    signal?.removeEventListener("abort", abort);
    return this.#statusOf(end);
  }

  #statusOf(end: SessionEnd): RemoteStatus {
    const { code, signal, outcome } = end;
    const error = outcome === "unknown" && this.#timedOut
      ? new ChannelError("closed", {
        what: "Cannot tell how the command ended",
        where: this.#session.where,
        why: "it ran out of time and did not end on SIGTERM or SIGKILL",
        fix: "it may still be running: look on the host",
        cause: end.error,
        outcome,
      })
      : end.error;
    return { success: code === 0, code, signal, outcome, timedOut: this.#timedOut, error };
  }

  /** TERM, then KILL, then the channel is closed: sshd before 7.9, and for root before 9.8, ignores signals. */
  #endGently(): void {
    if (this.#ended || this.#killTimer !== undefined) return;
    this.#session.signal("TERM");
    this.#killTimer = setTimeout(() => {
      this.#session.signal("KILL");
      this.#killTimer = setTimeout(() => {
        this.#session.close();
        this.#killTimer = setTimeout(() => this.#abandoned.resolve(silent(this.#session.where)), GRACE_MS);
      }, GRACE_MS);
    }, GRACE_MS);
  }

  /** Sends a signal to the process; `SIGTERM` or `TERM`; default TERM. */
  kill(signal = "TERM"): void {
    this.#session.signal(signal.replace(/^SIG/, ""));
  }

  /** Nobody reads the output any more: the process meets a closed pipe when it writes, and is ended if it goes on. */
  stopOutput(): void {
    this.#session.stopOutput();
    if (this.#stopTimer === undefined && !this.#ended) {
      this.#stopTimer = setTimeout(() => this.#endGently(), GRACE_MS);
    }
  }

  /** Tells the remote terminal its new size, in characters. */
  resize(columns: number, rows: number): void {
    this.#session.resize(columns, rows);
  }

  /** Ends the process if it still runs, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#endGently();
    await Promise.all([
      this.#stdout.isRead ? undefined : this.stdout.cancel(),
      this.#stderr.isRead ? undefined : this.stderr.cancel(),
      this.status,
    ]);
  }
}

function ptyOf(pty: boolean | PtyOptions | undefined) {
  if (!pty) return undefined;
  const { term = "xterm-256color", columns = 80, rows = 24 } = pty === true ? {} : pty;
  return { term, columns, rows };
}

/** A server that does not even answer the end of a channel: the connection is as good as dead. */
function silent(where: string): SessionEnd {
  const error = new ChannelError("closed", {
    what: "Cannot tell how the command ended",
    where,
    why: "the server does not answer",
    fix: "it may still be running: look on the host",
    outcome: "unknown",
  });
  return { outcome: "unknown", code: null, signal: null, error };
}
