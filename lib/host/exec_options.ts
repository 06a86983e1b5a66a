import type { Outcome } from "../base/errors.ts";

/** A pseudo-terminal for a session (RFC 4254 §6.2). */
export interface PtyOptions {
  /** Terminal type; default `xterm-256color`. */
  readonly term?: string;
  /** Characters; default 80. */
  readonly columns?: number;
  /** Characters; default 24. */
  readonly rows?: number;
}

/** What one command may be given. */
export interface ExecOptions {
  /** Variables set for this command, whatever the server's AcceptEnv says. */
  readonly env?: Readonly<Record<string, string>>;
  /** Remote directory to run in; a leading `~/` is the remote home. */
  readonly cwd?: string;
  /** Bytes or text for the command's standard input; default: none, at once at its end. */
  readonly stdin?: string | Uint8Array | ReadableStream<Uint8Array>;
  /** A pseudo-terminal: `true` for the defaults. Standard error then arrives on standard output. */
  readonly pty?: boolean | PtyOptions;
  /** Milliseconds after which the command gets SIGTERM, and 2 s later SIGKILL; default: none. */
  readonly timeoutMs?: number;
  /** Ends the command as a timeout does; the call rejects with the signal's own reason. */
  readonly signal?: AbortSignal;
}

/** How a command ended, and what it wrote. */
export interface ExecResult<Output = string> {
  /** The exit status; null unless `outcome` is `exited`. */
  readonly code: number | null;
  /** The signal's name without SIG (`TERM`), null unless `outcome` is `signalled`. */
  readonly signal: string | null;
  /** `code === 0`. */
  readonly success: boolean;
  /** `exited` or `signalled`: in every other case the call rejects. */
  readonly outcome: Outcome;
  /** Text as UTF-8, or bytes with `encoding: "bytes"`. */
  readonly stdout: Output;
  /** Like `stdout`; empty with a pseudo-terminal, which has one stream for both. */
  readonly stderr: Output;
  /** Wall time from the request to the last byte, in milliseconds. */
  readonly durationMs: number;
  /** Whether `timeoutMs` ran out. */
  readonly timedOut: boolean;
  /** The command, as it was given. */
  readonly command: string;
  /** `user@host:port`. */
  readonly host: string;
}
