import type { ErrorRecord } from "../base/error_record.ts";
import { ProtocolError } from "../base/errors.ts";
import type { Target } from "../target/target.ts";
import type { MasterInfo } from "./master.ts";

/** What a client asks of the keeper; the first message of each kind of conversation. */
export type KeeperRequest =
  | {
    readonly type: "open";
    readonly key: string;
    /** Resolved by the client, with its environment as far as this connection needs it. */
    readonly target: Target;
    /** Where the control socket is to lie; default: in the keeper's own directory, by key. */
    readonly controlPath?: string;
    /** Milliseconds; `forever` because JSON has no infinity. */
    readonly lingerMs?: number | "forever";
    readonly maxSessions?: number;
    /** Whether somebody can answer questions at this client. */
    readonly interactive: boolean;
    /** Somebody serves this path: ride it instead of connecting. */
    readonly ride?: Ridden;
  }
  | { readonly type: "list"; readonly probe: boolean }
  | { readonly type: "exit-all" };

/** A live master at a path that the client was told of: OpenSSH's, or one of ours that was bound there. */
export interface Ridden {
  readonly controlPath: string;
  readonly pid: number;
  /** Options that the client insists on and that cannot be known of an OpenSSH master. */
  readonly unknowable: readonly string[];
  /** The client has started it for Carpool: it ends when the linger time does. Otherwise it is never ended. */
  readonly ours?: boolean;
}

/** What the client answers to a question. */
export type KeeperAnswer = { readonly type: "answer"; readonly id: number; readonly text: string | null };

/** What the keeper says. */
export type KeeperReply =
  /** The first message, at once: a keeper that does not say it is wedged. */
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  | { readonly type: "ask"; readonly id: number; readonly kind: "secret" | "line"; readonly prompt: string }
  | { readonly type: "notice"; readonly message: string }
  | {
    readonly type: "opened";
    readonly controlPath: string;
    readonly started: boolean;
    readonly info: MasterInfo;
  }
  | { readonly type: "masters"; readonly masters: readonly MasterInfo[] }
  | { readonly type: "done"; readonly count: number }
  | { readonly type: "failed"; readonly error: ErrorRecord };

/** More than any message needs: a target with a whole environment. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Most messages are smaller than this; whoever has more to say is read in larger pieces. */
const MIN_READ_BYTES = 4 * 1024;
const MAX_READ_BYTES = 64 * 1024;

/** JSON, one message a line, over a Unix socket; either end. */
export class LineConn {
  readonly #conn: Deno.Conn;
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();
  #buffered = "";
  /** Read into again and again: what came is text by then. */
  #buffer = new Uint8Array(MIN_READ_BYTES);
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends a message; those sent at once leave in order. */
  send(message: KeeperRequest | KeeperAnswer | KeeperReply): Promise<void> {
    const bytes = this.#encoder.encode(JSON.stringify(message) + "\n");
    this.#writing = this.#writing.then(async () => {
      for (let done = 0; done < bytes.length;) done += await this.#conn.write(bytes.subarray(done));
    });
    return this.#writing;
  }

  /** The next message; undefined when the other end has left. */
  async next<Message>(): Promise<Message | undefined> {
    for (;;) {
      const end = this.#buffered.indexOf("\n");
      if (end >= 0) {
        const line = this.#buffered.slice(0, end);
        this.#buffered = this.#buffered.slice(end + 1);
        return parse<Message>(line);
      }
      if (this.#buffered.length > MAX_LINE_BYTES) {
        throw new ProtocolError(
          { what: "Cannot talk to the keeper", why: "a message has no end" },
          "too-large",
        );
      }
      let count: number | null;
      try {
        count = await this.#conn.read(this.#buffer);
      } catch (error) {
        if (this.#closed || error instanceof Deno.errors.ConnectionReset) return undefined;
        throw error;
      }
      if (count === null) return undefined;
      this.#buffered += this.#decoder.decode(this.#buffer.subarray(0, count), { stream: true });
      if (count === this.#buffer.length && count < MAX_READ_BYTES) this.#buffer = new Uint8Array(count * 4);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function parse<Message>(line: string): Message {
  try {
    return JSON.parse(line) as Message;
  } catch (cause) {
    throw new ProtocolError(
      { what: "Cannot talk to the keeper", why: "a message is no JSON", cause },
      "malformed",
    );
  }
}
