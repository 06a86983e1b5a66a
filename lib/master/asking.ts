import type { Prompter } from "../target/prompter.ts";
import type { KeeperAnswer, LineConn } from "./keeper_protocol.ts";

/** A client that waits for a master, and may be asked. */
interface Waiting {
  readonly line: LineConn;
  readonly interactive: boolean;
  readonly answers: Map<number, (text: string | null) => void>;
  left: boolean;
}

/**
 * The questions of one connection attempt, asked of whoever waits for it: the first client with a terminal; when it
 * leaves, the next one. Notices go to all. When nobody waits any more the attempt is given up.
 */
export class Asking implements Prompter {
  readonly #waiting: Waiting[] = [];
  /** Attempts that wait for this one, for it is to their jump host: whoever they may ask can be asked here. */
  readonly #lenders = new Set<Asking>();
  readonly #abandoned = new AbortController();
  #settled = false;
  #nextId = 0;
  #missedSomebody = false;

  /** Aborts when the last client that waited has left. */
  get signal(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** Whether something was to be asked while nobody could answer: a client that can may try anew. */
  get missedSomebody(): boolean {
    return this.#missedSomebody;
  }

  /** Somebody could answer; more may come. */
  get interactive(): boolean {
    const found = this.#waiting.some(({ interactive }) => interactive) ||
      [...this.#lenders].some(({ interactive }) => interactive);
    this.#missedSomebody ||= !found;
    return found;
  }

  /** Adds a client that waits; the function returned takes its answers, the other one says that it has left. */
  join(line: LineConn, interactive: boolean): { answer: (message: KeeperAnswer) => void; leave: () => void } {
    const client: Waiting = { line, interactive, answers: new Map(), left: false };
    this.#waiting.push(client);
    return {
      answer: ({ id, text }) => {
        client.answers.get(id)?.(text);
        client.answers.delete(id);
      },
      leave: () => {
        if (client.left) return;
        client.left = true;
        this.#waiting.splice(this.#waiting.indexOf(client), 1);
        for (const resolve of client.answers.values()) resolve(null);
        client.answers.clear();
        this.#giveUpAlone();
      },
    };
  }

  /** Has another attempt wait for this one, and lend it its clients; the function returned ends that. */
  borrow(from: Asking): () => void {
    const leave = () => {
      from.signal.removeEventListener("abort", leave);
      if (this.#lenders.delete(from)) this.#giveUpAlone();
    };
    this.#lenders.add(from);
    if (from.signal.aborted) leave();
    else from.signal.addEventListener("abort", leave);
    return leave;
  }

  /** The attempt is over: whoever leaves now gives nothing up. */
  settle(): void {
    this.#settled = true;
  }

  #giveUpAlone(): void {
    if (this.#settled) return;
    if (this.#waiting.length === 0 && this.#lenders.size === 0) this.#abandoned.abort();
  }

  secret(prompt: string): Promise<string | null> {
    return this.#ask("secret", prompt);
  }

  line(prompt: string): Promise<string | null> {
    return this.#ask("line", prompt);
  }

  notice(message: string): void {
    for (const { line } of this.#waiting) line.send({ type: "notice", message }).catch(() => {}); // it has left
    for (const lender of this.#lenders) lender.notice(message);
  }

  async #ask(kind: "secret" | "line", prompt: string): Promise<string | null> {
    for (;;) {
      const client = this.#waiting.find(({ interactive }) => interactive);
      if (client === undefined) {
        const lender = [...this.#lenders].find(({ interactive }) => interactive);
        if (lender !== undefined) return await lender.#ask(kind, prompt);
        this.#missedSomebody = true;
        return null;
      }
      const id = this.#nextId++;
      const answer = new Promise<string | null>((resolve) => client.answers.set(id, resolve));
      await client.line.send({ type: "ask", id, kind, prompt }).catch(() => {}); // it leaves: seen below
      const text = await answer;
      if (!client.left) return text;
    }
  }
}
