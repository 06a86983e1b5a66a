import { occupyTerminal } from "../base/terminal_turn.ts";
import type { Reporter, Sink } from "./reporter.ts";

/** What is told within so many milliseconds is written at once; nobody sees a difference. */
const GATHER_MS = 4;

/** So much is written without waiting. */
const MOST_CHARACTERS = 64 * 1024;

/**
 * A reporter that writes to `sink` in few large pieces: a run over many hosts tells thousands of lines, and each would be
 * a system call and a turn of whoever reads them. Whoever takes the terminal meanwhile finds everything written that was
 * told before, and so does whoever ends the program at once; an error of the sink is thrown where something is told next,
 * or at the end.
 */
export function gathered(
  sink: Sink,
  make: (sink: Sink) => Reporter,
  { gatherMs = GATHER_MS }: { readonly gatherMs?: number } = {},
): Reporter {
  const gathering = new Gathering(sink, gatherMs);
  const reporter = make(gathering.write);
  const place = occupyTerminal({ suspend: () => gathering.flush(), resume() {} });
  const leave = () => gathering.flush(); // a second Ctrl-C does not wait
  addEventListener("unload", leave);
  return {
    event: (event) => reporter.event(event),
    close() {
      place[Symbol.dispose]();
      removeEventListener("unload", leave);
      try {
        reporter.close?.();
      } finally {
        gathering.flush();
      }
    },
  };
}

class Gathering {
  readonly #sink: Sink;
  readonly #gatherMs: number;
  #text = "";
  #stream: "stdout" | "stderr" = "stdout";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: Sink, gatherMs: number) {
    this.#sink = sink;
    this.#gatherMs = gatherMs;
  }

  readonly write: Sink = (text, stream) => {
    this.#throwFailure();
    // What goes to two places appears in the order in which it was told.
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    this.#text += text;
    if (this.#text.length >= MOST_CHARACTERS) return this.flush();
    this.#timer ??= setTimeout(() => {
      try {
        this.flush();
      } catch (error) {
        this.#failure = { error };
      }
    }, this.#gatherMs);
  };

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#throwFailure();
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#sink(text, this.#stream);
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}
