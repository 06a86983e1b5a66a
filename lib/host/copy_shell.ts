import { concat } from "../base/bytes.ts";
import { CopyError, LinkError } from "../base/errors.ts";
import { shellJoin } from "../base/shell_quote.ts";
import { ByteInbox } from "../channel/byte_inbox.ts";
import type { Session, SessionEnd } from "../channel/session.ts";
import { encodeInit, FXP } from "../wire/sftp.ts";
import { SftpClient } from "./sftp_client.ts";

/** How long an account may take to show that it runs our script: one that does something else instead may never. */
const GREETING_MS = 15_000;
/** How long a script may take to clean up. */
const CLEANUP_MS = 5_000;
/** What start-up files of a login shell may print before the script begins. */
const MAX_NOISE_BYTES = 256 * 1024;
/** Of what a script says on standard error, this much is kept. */
const MAX_STDERR_BYTES = 4096;

/**
 * What every script of ours begins with: it says that it runs. Its words are `$1`…; `$0` is the mark. The other side may
 * be no shell at all: an account that is forced to SFTP runs its server whatever the command was, and waits. So the
 * first bytes that it is sent are SFTP's INIT, which {@linkcode SKIP_INIT} skips in a script.
 */
const GREETING = 'printf "%s:" "$0"; export LC_ALL=C; ';
const INIT = encodeInit();

/** To stand in a script before it reads its standard input at once. */
export const SKIP_INIT = `dd bs=1 count=${INIT.length} of=/dev/null 2>/dev/null`;
/** The same without a program, where a LF comes before what is to be read. A shell takes no byte more than the line. */
export const SKIP_LINE = "read -r go || exit 0";
/** That LF. It is no part of {@linkcode INIT}: a server that reads packets would take it for the next one's length. */
export const LINE_END: Uint8Array = new Uint8Array([0x0a]);

/**
 * One session that runs a script of ours by `sh`, whatever the login shell: bytes both ways, and how it ended. The
 * script travels in one word; it must have no newline (csh) and is better without a backslash.
 */
export class CopyShell {
  readonly where: string;
  /** Never rejects. */
  readonly ended: Promise<SessionEnd>;
  readonly #session: Session;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #signal: AbortSignal;
  #unread: Uint8Array[] = [];
  #stderr = "";
  #closed = false;
  #noise = false;

  private constructor(session: Session, signal: AbortSignal) {
    this.where = session.where;
    this.ended = session.ended;
    this.#session = session;
    this.#signal = signal;
    const inbox = new ByteInbox((bytes) => session.consumed(bytes));
    this.#reader = inbox.stream.getReader();
    const decoder = new TextDecoder();
    this.#onOutput = (data, stream) => {
      if (stream === "stdout") return inbox.push(data);
      if (this.#stderr.length < MAX_STDERR_BYTES) this.#stderr += decoder.decode(data, { stream: true });
      session.consumed(data.length);
    };
    // The script cleans up when its input ends, and must get the chance; whoever reads need not wait for that.
    const abort = () => {
      this.endInput();
      this.#reader.cancel().catch(() => {});
    };
    signal.addEventListener("abort", abort, { once: true });
    session.ended.then(() => {
      signal.removeEventListener("abort", abort);
      inbox.end();
    });
  }

  readonly #onOutput: (data: Uint8Array, stream: "stdout" | "stderr") => void;

  /**
   * Starts a script; `asked` is called when that has been asked for, and the answer is on its way. `sftp` instead, where
   * the account has none for it: with a client, when it turned out to serve SFTP whatever was asked for.
   */
  static async start(
    session: Session,
    script: string,
    words: readonly string[],
    signal: AbortSignal,
    asked?: () => void,
  ): Promise<CopyShell | { readonly sftp: SftpClient | undefined }> {
    const shell = new CopyShell(session, signal);
    const mark = `carpool-${crypto.randomUUID()}`;
    const command = `exec ${shellJoin(["sh", "-c", GREETING + script, mark, ...words])}`;
    session.start({ kind: "exec", command }, { onOutput: shell.#onOutput, onOutputEnd: () => {} });
    session.write(INIT).catch(() => {}); // an end is seen by whoever reads
    asked?.();
    const timer = setTimeout(() => session.close(), GREETING_MS);
    try {
      const found = await shell.#findMark(new TextEncoder().encode(`${mark}:`));
      if (found === "shell") return shell;
      if (found === "sftp") return { sftp: await shell.#asSftp(signal) };
    } finally {
      clearTimeout(timer);
    }
    session.close();
    const end = await session.ended;
    signal.throwIfAborted();
    if (end.error !== undefined && end.outcome === "unknown" && shell.#lostLink(end)) {
      throw shell.#interrupted(end);
    }
    return { sftp: undefined };
  }

  async #findMark(mark: Uint8Array): Promise<"shell" | "sftp" | undefined> {
    let seen: Uint8Array = new Uint8Array(0);
    for (;;) {
      const chunk = await this.read();
      if (chunk === undefined) return undefined;
      seen = concat([seen, chunk]);
      // `uint32 length · byte 2 · …`: no text begins like this.
      if (seen.length >= 5 && seen[0] === 0 && seen[1] === 0 && seen[4] === FXP.VERSION) {
        this.#unread.unshift(seen);
        return "sftp";
      }
      const at = indexOf(seen, mark);
      if (at >= 0) {
        this.#noise = at > 0;
        const rest = seen.subarray(at + mark.length);
        if (rest.length > 0) this.#unread.unshift(rest);
        return "shell";
      }
      if (seen.length > MAX_NOISE_BYTES) return undefined;
    }
  }

  #asSftp(signal: AbortSignal): Promise<SftpClient> {
    const session = this.#session;
    let greeted = false;
    return SftpClient.open({
      where: this.where,
      readable: new ReadableStream({
        pull: async (controller) => {
          const chunk = await this.read();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel: (reason) => this.#reader.cancel(reason),
      }, { highWaterMark: 0 }),
      writable: new WritableStream({
        write: (chunk) => {
          const isInit = !greeted; // it has been sent
          greeted = true;
          return isInit ? undefined : session.write(chunk);
        },
        close: () => session.endInput(),
      }),
      [Symbol.asyncDispose]: async () => {
        session.close();
        await session.ended;
      },
    }, { signal });
  }

  /** The next bytes of standard output; undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    const unread = this.#unread.shift();
    if (unread) return unread;
    const { value } = await this.#reader.read();
    return value;
  }

  /** Puts back what was read too far. */
  unread(data: Uint8Array): void {
    if (data.length > 0) this.#unread.unshift(data);
  }

  /** Everything up to `mark`, which is dropped; undefined when it ends first, or is more than `maxBytes`. */
  async readUntil(mark: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const pattern = new TextEncoder().encode(mark);
    const parts: Uint8Array[] = [];
    let length = 0;
    // Only the end of what was there before can belong to a mark that the next chunk completes.
    let tail: Uint8Array = new Uint8Array(0);
    for (;;) {
      const chunk = await this.read();
      if (chunk === undefined) return undefined;
      const joined = concat([tail, chunk]);
      const at = indexOf(joined, pattern);
      if (at >= 0) {
        this.unread(joined.subarray(at + pattern.length));
        parts.push(chunk);
        return concat(parts).subarray(0, length - tail.length + at);
      }
      parts.push(chunk);
      length += chunk.length;
      if (length > maxBytes) return undefined;
      tail = joined.slice(Math.max(0, joined.length - pattern.length + 1));
    }
  }

  /** Sends bytes to the script's standard input; see `Channel.write`. */
  write(data: Uint8Array): Promise<void> {
    return this.#session.write(data);
  }

  endInput(): void {
    this.#session.endInput();
  }

  /** Ends the session at once, and waits for nothing; the script finds its input ended. */
  close(): void {
    this.#closed = true;
    this.#session.close();
  }

  /** Ends a script that is not needed any more, giving it time to clean up behind itself. */
  async stop(): Promise<void> {
    if (this.#closed) return;
    this.endInput();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLEANUP_MS);
    await Promise.race([this.ended, late]);
    clearTimeout(timer);
    this.close();
  }

  /** Whether the script came to its end with status 0; throws what ended it, where that was the link or the caller. */
  async succeeded(): Promise<boolean> {
    const end = await this.ended;
    this.#signal.throwIfAborted();
    if (this.#lostLink(end)) throw this.#interrupted(end);
    return end.code === 0;
  }

  /** Whether the account's shell printed nothing of its own before the script began. */
  get quiet(): boolean {
    return !this.#noise;
  }

  /** What it said on standard error, for a message. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  #lostLink(end: SessionEnd): boolean {
    return end.error instanceof LinkError;
  }

  #interrupted(end: SessionEnd): CopyError {
    return new CopyError("interrupted", {
      what: "The copy was interrupted",
      where: this.where,
      why: end.error?.why ?? "the connection broke",
      cause: end.error,
    });
  }
}

function indexOf(data: Uint8Array, pattern: Uint8Array): number {
  const last = data.length - pattern.length;
  for (let at = data.indexOf(pattern[0]); at >= 0 && at <= last; at = data.indexOf(pattern[0], at + 1)) {
    let matched = 1;
    while (matched < pattern.length && data[at + matched] === pattern[matched]) matched++;
    if (matched === pattern.length) return at;
  }
  return -1;
}
