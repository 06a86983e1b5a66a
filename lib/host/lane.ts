import type { Connection } from "../channel/connection.ts";
import { SessionGate } from "../channel/session_gate.ts";

/** A lane that nobody uses is closed after so long. */
const LINGER_MS = 5000;

/** What a lane is opened for: much data, or commands that would wait long for a session. */
export type LanePurpose = "bulk" | "sessions";

/** One more connection to a host, for as long as somebody uses it and a moment longer. */
export class Lane {
  readonly purpose: LanePurpose;
  readonly connection: Connection;
  readonly gate: SessionGate;
  readonly #lingerMs: number;
  #users = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    purpose: LanePurpose,
    connection: Connection,
    options: { readonly maxSessions: number; readonly lingerMs?: number },
  ) {
    this.purpose = purpose;
    this.connection = connection;
    this.gate = new SessionGate(connection, options.maxSessions);
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
    connection.closed.then(() => clearTimeout(this.#timer));
  }

  /** Sessions that are open on it, and uses of it that hold none at the moment. */
  get busy(): boolean {
    return this.#users > 0 || this.gate.openCount > 0;
  }

  get ended(): boolean {
    return this.connection.ended !== undefined;
  }

  /** It is wanted until the returned function is called. */
  use(): () => void {
    this.#users++;
    clearTimeout(this.#timer);
    let used = false;
    return () => {
      if (used) return;
      used = true;
      this.#users--;
      this.rest();
    };
  }

  /** Closes it in a moment, unless it is used until then. */
  rest(): void {
    clearTimeout(this.#timer);
    if (this.ended) return;
    this.#timer = setTimeout(() => this.busy ? this.rest() : this.connection.close(), this.#lingerMs);
    // A program that has nothing else to do may end; ids are numbers in Deno whatever the types say.
    Deno.unrefTimer(this.#timer as unknown as number);
  }
}
