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
 * in one flight; the answer to the last one and the output come back in one. A terminal is waited for, which costs a
 * round trip: a command sent along with a request for one that is refused runs without it (OpenSSH's sshd does that), and
 * nobody could say that it did not.
 */
export class Session {
  /** Called once, when the requests have been sent. */
  onStart: (() => void) | undefined;
  /** Resolves when the channel is over; never rejects. */
  readonly ended: Promise<SessionEnd>;
  readonly #resolveEnded: (end: SessionEnd) => void;
  /** Called when the server has told how the command ended; output may still come, while others hold its streams. */
  onReport: (() => void) | undefined;
  #report: { readonly code: number | null; readonly signal: string | null } | undefined;
  #refused: ChannelError | undefined;
  #requestName = "";
  #started = false;
  /** Whether what starts the command has been sent. */
  #asked = false;
  #outputEnded = false;
  #channel: Channel;
  /** Opens another channel, where this one may have been closed before its request arrived. */
  #reopen: (() => Promise<Channel>) | undefined;
  /** Something came back, or was sent that cannot be sent again: it is this channel or none. */
  #settled = Promise.withResolvers<void>();
  #closed = false;
  #inputEnded = false;
  /** Writes that wait until it is settled. */
  #waitingWrites = 0;

  private constructor(channel: Channel, reopen?: () => Promise<Channel>) {
    this.#channel = channel;
    this.#reopen = reopen;
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    if (reopen === undefined) return;
    channel.attach({
      onData: () => {}, // nothing has been asked for
      onEof: () => {},
      onRequest: () => false,
      onClose: (lost) => this.#resolveEnded(this.#notStarted(lost)),
    });
  }

  /**
   * Opens a session channel; rejects as `Connection.open` does. A `spare` may be closed by the server before what it is
   * asked for arrives: then it is asked for on another channel, once, as if nothing had happened.
   */
  static async open(
    connection: Connection,
    options: { readonly window?: number; readonly signal?: AbortSignal; readonly spare?: boolean } = {},
  ): Promise<Session> {
    const channel = await connection.open("session", options);
    return new Session(channel, options.spare ? () => connection.open("session") : undefined);
  }

  /** The channel it is on. */
  get channel(): Channel {
    return this.#channel;
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
    if (this.#reopen !== undefined && this.#channel.state !== "open") return options.onOutputEnd();
    this.#begin(request, options);
    this.onStart?.();
  }

  #begin(request: SessionRequest, options: StartOptions): void {
    const channel = this.#channel;
    channel.resizeReceiveWindow(DEFAULT_WINDOW_BYTES);
    channel.attach({
      onData: (data, extendedType) => {
        this.#settle();
        if (extendedType === undefined) options.onOutput(data, "stdout");
        else if (extendedType === EXTENDED_DATA_STDERR) options.onOutput(data, "stderr");
        else channel.consumed(data.length);
      },
      onEof: () => {
        this.#settle();
        this.#endOutput(options);
      },
      onRequest: (type, data) => this.#onRequest(type, data),
      onClose: (lost) => {
        if (lost === undefined && this.#mayStartAnew) return void this.#startAnew(request, options);
        this.#settle();
        this.#endOutput(options);
        this.#resolveEnded(this.#asked || this.#refused ? this.#end(lost) : this.#notStarted(lost));
      },
    });
    if (options.agent) channel.notify("auth-agent-req@openssh.com");
    for (const [name, value] of Object.entries(options.env ?? {})) {
      channel.notify("env", encodeEnvRequest(name, value));
    }
    if (options.pty) this.#ask("pty-req", encodePtyRequest(options.pty), () => this.#run(request));
    else this.#run(request);
  }

  #run(request: SessionRequest): void {
    if (this.#closed) return;
    this.#asked = true;
    switch (request.kind) {
      case "exec":
        this.#ask("exec", encodeStringRequest(request.command));
        break;
      case "shell":
        this.#ask("shell");
        break;
      case "subsystem":
        this.#ask("subsystem", encodeStringRequest(request.name));
    }
    if (this.#inputEnded) this.#endInput();
  }

  /**
   * Whether the server closed the channel before it saw what we asked for. Had it seen the request, it would have
   * answered it first (RFC 4254 §5.4), so nothing was started.
   */
  get #mayStartAnew(): boolean {
    return this.#reopen !== undefined && !this.#channel.answered && !this.#closed &&
      this.#report === undefined &&
      this.#refused === undefined;
  }

  async #startAnew(request: SessionRequest, options: StartOptions): Promise<void> {
    const reopen = this.#reopen!;
    this.#reopen = undefined;
    try {
      this.#channel = await reopen();
    } catch (error) {
      this.#settled.resolve();
      this.#endOutput(options);
      const known = error instanceof LinkError || error instanceof ChannelError;
      return this.#resolveEnded({ ...this.#notStarted(undefined), ...(known ? { error } : {}) });
    }
    this.#begin(request, options);
    this.#settled.resolve();
    if (this.#closed) this.#channel.close();
  }

  #settle(): void {
    this.#reopen = undefined;
    this.#settled.resolve();
  }

  #ask(name: string, data?: Uint8Array, onAccepted = () => {}): void {
    this.#requestName = name;
    this.#channel.request(name, data).then((accepted) => {
      this.#settle();
      if (accepted) return onAccepted();
      this.#refused = new ChannelError("request-failed", {
        what: name === "pty-req" ? "Cannot get a pseudo-terminal" : `Cannot start the ${name} request`,
        where: this.where,
        why: `the server refused ${name}`,
        fix: FIXES[name],
        outcome: "not-started",
      });
      this.#channel.close();
    }, () => {
      // The channel ended before it answered: `ended` tells.
    });
  }

  #onRequest(type: string, data: Uint8Array): boolean {
    this.#settle();
    // The first report counts: nothing can end twice.
    if (type === "exit-status") {
      this.#report ??= { code: decodeExitStatus(data), signal: null };
      this.onReport?.();
      return true;
    }
    if (type === "exit-signal") {
      this.#report ??= { code: null, signal: decodeExitSignal(data).signal };
      this.onReport?.();
      return true;
    }
    return false;
  }

  #endOutput(options: StartOptions): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    options.onOutputEnd();
  }

  #notStarted(lost: CloseInfo | undefined): SessionEnd {
    const what = "Cannot use a session";
    const { where } = this;
    const error = lost
      ? new LinkError(lost.how === "closed" ? "closed" : "lost", {
        what,
        where,
        why: lost.why,
        cause: lost.error,
        outcome: "not-started",
      })
      : new ChannelError("closed", {
        what,
        where,
        why: "the server closed it before anything was started",
        outcome: "not-started",
      });
    return { outcome: "not-started", code: null, signal: null, error };
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
  async write(data: Uint8Array): Promise<void> {
    if (this.#reopen !== undefined) {
      // OpenSSH grants nothing before it has answered, so waiting costs nothing; where something is granted, what is sent
      // cannot be sent again.
      if (this.#channel.sendWindow === 0) {
        this.#waitingWrites++;
        await this.#settled.promise;
        this.#waitingWrites--;
      } else this.#settle();
    }
    return await this.#channel.write(data);
  }

  /** Ends the remote standard input. */
  endInput(): void {
    this.#inputEnded = true;
    if (this.#asked) this.#endInput();
  }

  /** Behind what starts the command, and behind what is still to be written. */
  #endInput(): void {
    if (this.#waitingWrites === 0) this.#channel.eof();
    else this.#settled.promise.then(() => this.#channel.eof()); // behind them: they have been waiting for longer
  }

  /** Sends a signal to what runs (RFC 4254 §6.9); name without SIG. */
  signal(name: string): void {
    this.#channel.notify("signal", encodeSignalRequest(name));
  }

  /** Nobody reads the output any more: OpenSSH's sshd closes the command's pipe (its PROTOCOL §2.1), others ignore it. */
  stopOutput(): void {
    this.#channel.notify("eow@openssh.com");
  }

  /** Tells the remote terminal its new size (RFC 4254 §6.7), in characters. */
  resize(columns: number, rows: number): void {
    this.#channel.notify("window-change", encodeWindowChange(columns, rows));
  }

  /** Closes the channel at once; what runs remotely may go on. */
  close(): void {
    this.#closed = true;
    this.#channel.close();
  }
}

const FIXES: Readonly<Record<string, string>> = {
  "pty-req": "the account or key may forbid terminals (no-pty, PermitTTY)",
  subsystem: "the server does not offer it (Subsystem in sshd_config)",
  exec: "the account or key may forbid commands",
};
