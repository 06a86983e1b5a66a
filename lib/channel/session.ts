import { ChannelError, LinkError, type Outcome } from "../base/errors.ts";
import {
  decodeExitSignal,
  decodeExitStatus,
  encodeEnvRequest,
  encodePtyRequest,
  encodeSignalRequest,
  encodeStringRequest,
  encodeWindowChange,
} from "../wire/session_requests.ts";
import { EXTENDED_DATA_STDERR } from "../wire/messages.ts";
import type { Channel } from "./channel.ts";
import { type Connection, DEFAULT_WINDOW_BYTES } from "./connection.ts";
import type { CloseInfo } from "./link.ts";

/** How what ran in a session ended (RFC 4254 §6.10). */
export interface SessionEnd {
  /** `not-started` when the server refused the request, `unknown` when it never told. */
  readonly outcome: Outcome;
  readonly code: number | null;
  readonly signal: string | null;
  /** Why the outcome is what it is, where the server did not report a status. */
  readonly error: LinkError | ChannelError | undefined;
}

/** What a session is to run. */
export type SessionRequest =
  | { readonly kind: "exec"; readonly command: string }
  | { readonly kind: "shell" }
  | { readonly kind: "subsystem"; readonly name: string };

/** A pseudo-terminal to ask for (RFC 4254 §6.2). */
export interface SessionPty {
  readonly term: string;
  readonly columns: number;
  readonly rows: number;
}

export interface StartOptions {
  readonly pty?: SessionPty;
  /** Ask for agent forwarding; a server that forbids it, or has it already, is silent about it. */
  readonly agent?: boolean;
  /** Variables to ask for; the server takes those that its AcceptEnv allows and is silent about the rest. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes from the remote side; must lead to {@linkcode Session.consumed} sooner or later. */
  readonly onOutput: (data: Uint8Array, stream: "stdout" | "stderr") => void;
  /** No more output will come. */
  readonly onOutputEnd: () => void;
}

/**
 * A session channel (RFC 4254 §6): opened, perhaps kept as a spare, then started once. All requests travel together
 * in one flight; the answer to the last one and the output come back in one.
 */
export class Session {
  readonly channel: Channel;
  /** Resolves when the channel is over; never rejects. */
  readonly ended: Promise<SessionEnd>;
  readonly #resolveEnded: (end: SessionEnd) => void;
  #report: { readonly code: number | null; readonly signal: string | null } | undefined;
  #refused: ChannelError | undefined;
  #requestName = "";
  #started = false;
  #outputEnded = false;

  private constructor(channel: Channel) {
    this.channel = channel;
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  /** Opens a session channel; rejects as `Connection.open` does. */
  static async open(
    connection: Connection,
    options: { readonly window?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Session> {
    return new Session(await connection.open("session", options));
  }

  get where(): string {
    return this.channel.where;
  }

  /**
   * Sends the requests that start the command. It does not wait for an answer: a refusal shows as an end with outcome
   * `not-started`.
   */
  start(request: SessionRequest, options: StartOptions): void {
    this.#started = true;
    const { channel } = this;
    channel.resizeReceiveWindow(DEFAULT_WINDOW_BYTES);
    channel.attach({
      onData: (data, extendedType) => {
        if (extendedType === undefined) options.onOutput(data, "stdout");
        else if (extendedType === EXTENDED_DATA_STDERR) options.onOutput(data, "stderr");
        else channel.consumed(data.length);
      },
      onEof: () => this.#endOutput(options),
      onRequest: (type, data) => this.#onRequest(type, data),
      onClose: (lost) => {
        this.#endOutput(options);
        this.#resolveEnded(this.#end(lost));
      },
    });
    if (options.agent) channel.notify("auth-agent-req@openssh.com");
    for (const [name, value] of Object.entries(options.env ?? {})) {
      channel.notify("env", encodeEnvRequest(name, value));
    }
    if (options.pty) this.#ask("pty-req", encodePtyRequest(options.pty));
    switch (request.kind) {
      case "exec":
        return this.#ask("exec", encodeStringRequest(request.command));
      case "shell":
        return this.#ask("shell");
      case "subsystem":
        return this.#ask("subsystem", encodeStringRequest(request.name));
    }
  }

  #ask(name: string, data?: Uint8Array): void {
    this.#requestName = name;
    this.channel.request(name, data).then((accepted) => {
      if (accepted || this.#refused) return;
      this.#refused = new ChannelError("request-failed", {
        what: name === "pty-req" ? "Cannot get a pseudo-terminal" : `Cannot start the ${name} request`,
        where: this.where,
        why: `the server refused ${name}`,
        fix: FIXES[name],
        outcome: "not-started",
      });
      this.channel.close();
    }, () => {
      // The channel ended before it answered: `ended` tells.
    });
  }

  #onRequest(type: string, data: Uint8Array): boolean {
    // The first report counts: nothing can end twice.
    if (type === "exit-status") {
      this.#report ??= { code: decodeExitStatus(data), signal: null };
      return true;
    }
    if (type === "exit-signal") {
      this.#report ??= { code: null, signal: decodeExitSignal(data).signal };
      return true;
    }
    return false;
  }

  #endOutput(options: StartOptions): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    options.onOutputEnd();
  }

  #end(lost: CloseInfo | undefined): SessionEnd {
    if (this.#refused) return { outcome: "not-started", code: null, signal: null, error: this.#refused };
    if (this.#report) {
      const outcome = this.#report.signal === null ? "exited" : "signalled";
      return { outcome, ...this.#report, error: undefined };
    }
    const what = `Cannot tell how the ${this.#requestName} request ended`;
    const error = lost
      ? new LinkError(lost.how === "closed" ? "closed" : "lost", {
        what,
        where: this.where,
        why: lost.why,
        fix: "it may or may not have run: check before you repeat it",
        cause: lost.error,
        outcome: "unknown",
      })
      : new ChannelError("closed", {
        what,
        where: this.where,
        why: "the channel was closed without an exit status",
        fix: "it may or may not have run: check before you repeat it",
        outcome: "unknown",
      });
    return { outcome: "unknown", code: null, signal: null, error };
  }

  /** Whether {@linkcode start} was called. */
  get started(): boolean {
    return this.#started;
  }

  /** Gives the window of `bytes` of output back: they have been read. */
  consumed(bytes: number): void {
    this.channel.consumed(bytes);
  }

  /** Sends bytes to the remote standard input; see `Channel.write`. */
  write(data: Uint8Array): Promise<void> {
    return this.channel.write(data);
  }

  /** Ends the remote standard input. */
  endInput(): void {
    this.channel.eof();
  }

  /** Sends a signal to what runs (RFC 4254 §6.9); name without SIG. */
  signal(name: string): void {
    this.channel.notify("signal", encodeSignalRequest(name));
  }

  /** Tells the remote terminal its new size (RFC 4254 §6.7), in characters. */
  resize(columns: number, rows: number): void {
    this.channel.notify("window-change", encodeWindowChange(columns, rows));
  }

  /** Closes the channel at once; what runs remotely may go on. */
  close(): void {
    this.channel.close();
  }
}

const FIXES: Readonly<Record<string, string>> = {
  "pty-req": "the account or key may forbid terminals (no-pty, PermitTTY)",
  subsystem: "the server does not offer it (Subsystem in sshd_config)",
  exec: "the account or key may forbid commands",
};
