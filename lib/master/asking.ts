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
 * leaves, the next one. Notices go to all.
 */
export class Asking implements Prompter {
  readonly #waiting: Waiting[] = [];
  #nextId = 0;

  /** Somebody could answer; more may come. */
  get interactive(): boolean {
    return this.#waiting.some(({ interactive }) => interactive);
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
        client.left = true;
        this.#waiting.splice(this.#waiting.indexOf(client), 1);
        for (const resolve of client.answers.values()) resolve(null);
        client.answers.clear();
      },
    };
  }

  secret(prompt: string): Promise<string | null> {
    return this.#ask("secret", prompt);
  }

  line(prompt: string): Promise<string | null> {
    return this.#ask("line", prompt);
  }

  notice(message: string): void {
    for (const { line } of this.#waiting) line.send({ type: "notice", message }).catch(() => {}); // it has left
  }

  async #ask(kind: "secret" | "line", prompt: string): Promise<string | null> {
    for (;;) {
      const client = this.#waiting.find(({ interactive }) => interactive);
      if (client === undefined) return null;
      const id = this.#nextId++;
      const answer = new Promise<string | null>((resolve) => client.answers.set(id, resolve));
      await client.line.send({ type: "ask", id, kind, prompt }).catch(() => {}); // it leaves: seen below
      const text = await answer;
      if (!client.left) return text;
    }
  }
}
