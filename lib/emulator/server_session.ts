// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2's server side: its objects are untyped here.

/** Called when a client starts something on a session. */
export interface SessionHandlers {
  exec(command: string, output: ServerSession): void;
  sftp(output: ServerSession): void;
}

/**
 * One session channel of ssh2's server, without its traps:
 *
 * - a write to a channel that closes is never called back: here it resolves;
 * - standard output and standard error that wait for window at once mix each other up (what was left of one is sent
 *   again for the other): here only one write is under way;
 * - window granted before the `exec` request is forgotten, and a client that opens channels ahead of need with
 *   window 0 then never gets a byte;
 * - after the client's EOF, signals are refused: RFC 4254 §5.3 lets requests pass.
 */
export class ServerSession {
  readonly env = new Map<string, string>();
  readonly #channel: any;
  readonly #closed: Promise<void>;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Called for each `signal` request, with the name without SIG. */
  onSignal: (name: string) => void = () => {};

  constructor(channel: any, env: ReadonlyMap<string, string>) {
    this.#channel = channel;
    for (const [name, value] of env) this.env.set(name, value);
    this.#closed = new Promise((resolve) => {
      channel.once("close", () => {
        this.#isClosed = true;
        resolve();
      });
    });
    channel.on("error", () => {});
  }

  /** Resolves when the channel is closed, or the connection is. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Bytes from the client, each taken before the next comes: the channel's window follows. `end` comes last. */
  receive(data: (bytes: Uint8Array) => Promise<void>, end: () => void): void {
    let last: Promise<void> = Promise.resolve();
    this.#channel.on("data", (bytes: Uint8Array) => {
      this.#channel.pause();
      last = data(bytes).then(() => void this.#channel.resume());
    });
    this.#channel.once("end", () => last.then(end));
  }

  /** Sends bytes; resolves when the client's window has taken them, or the channel is closed. */
  write(bytes: Uint8Array, stream: "stdout" | "stderr" = "stdout"): Promise<void> {
    return this.#writing = this.#writing.then(async () => {
      if (this.#isClosed) return;
      const sink = stream === "stderr" ? this.#channel.stderr : this.#channel;
      const written = new Promise<void>((resolve) => sink.write(bytes, () => resolve()));
      await Promise.race([written, this.#closed]);
      const channel = this.#channel;
      channel._chunk =
        channel._chunkcb =
        channel._chunkErr =
        channel._chunkcbErr =
          undefined;
    });
  }

  /** Says how the command ended, and closes; a signal's name is without SIG. */
  async exit(status: number | string): Promise<void> {
    await this.#writing;
    if (this.#isClosed) return;
    this.#channel.exit(status);
    this.close();
  }

  /** EOF and close. */
  close(): void {
    this.#channel.end();
    this.#channel.resume(); // what the client still sends goes nowhere, or the close would never be seen
  }
}

/** Passes on what is started on a session that has just been accepted. */
export function serveSession(session: any, handlers: SessionHandlers): void {
  const env = new Map<string, string>();
  let started: ServerSession | undefined;
  const begin = (acceptStart: () => any): ServerSession => started = new ServerSession(acceptStart(), env);
  session.on("env", (yes: (() => void) | undefined, _: unknown, info: { key: string; val: string }) => {
    env.set(info.key, info.val);
    yes?.();
  });
  session.on("exec", (start: () => any, _: unknown, info: { command: string }) => {
    handlers.exec(info.command, begin(start));
  });
  session.on("subsystem", (start: () => any, refuse: (() => void) | undefined, info: { name: string }) => {
    if (info.name === "sftp") handlers.sftp(begin(start));
    else refuse?.();
  });
  session.on("signal", (yes: (() => void) | undefined, _: unknown, info: { name: string }) => {
    started?.onSignal(info.name);
    yes?.();
  });
  session.on("eof", () => session._ending = false);
}

/** Keeps window that is granted on a session before anything runs on it. Called once for each connection. */
export function keepEarlyWindow(client: any): void {
  const handlers = client._protocol._handlers;
  const original = handlers.CHANNEL_WINDOW_ADJUST;
  handlers.CHANNEL_WINDOW_ADJUST = (protocol: unknown, recipient: number, bytes: number) => {
    const session = client._chanMgr.get(recipient);
    if (session?._chanInfo && !session._channel) session._chanInfo.outgoing.window += bytes;
    else original(protocol, recipient, bytes);
  };
}
