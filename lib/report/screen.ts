import { occupyTerminal } from "../base/terminal_turn.ts";

/** A terminal, or what stands for one in a test. */
export interface Terminal {
  /** Whole, before returning. */
  write(text: string): void;
  size(): { readonly columns: number; readonly rows: number };
  /** Calls back after the size changed, until the answer is called. */
  onResize(listener: () => void): () => void;
}

/** The time, and a way to wait. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Calls back once, after `ms`, unless the answer is called first. */
  after(ms: number, callback: () => void): () => void;
}

/** What a screen shows. */
export interface View {
  /** Text that stays and was held back to be put together, in whole lines; asked for before each frame. */
  news(): string;
  /** Lines for a terminal of this size, painted, none wider than `columns`, at most `rows` of them. */
  frame(columns: number, rows: number): readonly { readonly text: string; readonly width: number }[];
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
/** The least time between two frames. */
const frameMs = 100;
/** Without news, so that seconds are seen to pass. */
const idleMs = 1000;
/** More text than this is written without waiting for the next frame. */
const maxPendingChars = 64 * 1024;

/**
 * The lower end of a terminal, redrawn in place, and what is printed above it. However many events there are, at most ten
 * frames a second are drawn, and only what is seen is ever made into text.
 */
export class Screen {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #view: View;
  readonly #stopListening: () => void;
  readonly #occupied: Disposable;
  #above = "";
  #drawn: readonly { text: string; width: number }[] = [];
  #drawnColumns = 0;
  #lastFrameAt = -Infinity;
  #wake: (() => void) | undefined;
  #wakeAt = Infinity;
  #suspended = false;
  #closed = false;

  constructor(terminal: Terminal, clock: Clock, view: View) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#view = view;
    this.#stopListening = terminal.onResize(() => this.changed());
    this.#occupied = occupyTerminal({ suspend: () => this.#suspend(), resume: () => this.#resume() });
    terminal.write(hideCursor);
    this.#schedule(idleMs);
  }

  /** Text that stays, in whole lines, above what is redrawn. */
  print(text: string): void {
    if (text === "") return;
    this.#above += text;
    if (this.#above.length <= maxPendingChars) return this.changed();
    if (!this.#suspended) return this.#draw();
    // Somebody asks a question meanwhile. Better below it than in memory without end.
    this.#terminal.write(this.#above);
    this.#above = "";
  }

  /** What the view makes has changed: it is drawn soon. */
  changed(): void {
    if (this.#closed || this.#suspended) return;
    const wait = this.#lastFrameAt + frameMs - this.#clock.now();
    if (wait <= 0) this.#draw();
    else this.#schedule(wait);
  }

  /** Takes the redrawn part away, prints what was still to be printed, gives the cursor back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    this.#stopListening();
    this.#occupied[Symbol.dispose]();
    this.#terminal.write(`${this.#erased()}${this.#above}${this.#view.news()}${showCursor}`);
    this.#above = "";
    this.#drawn = [];
  }

  #suspend(): void {
    if (this.#suspended || this.#closed) return;
    this.#suspended = true;
    this.#wake?.();
    this.#wakeAt = Infinity;
    this.#terminal.write(`${this.#erased()}${this.#above}${showCursor}`);
    this.#above = "";
    this.#drawn = [];
  }

  #resume(): void {
    if (!this.#suspended || this.#closed) return;
    this.#suspended = false;
    this.#terminal.write(hideCursor);
    this.#draw();
  }

  #schedule(ms: number): void {
    const at = this.#clock.now() + ms;
    if (at >= this.#wakeAt) return;
    this.#wake?.();
    this.#wakeAt = at;
    this.#wake = this.#clock.after(ms, () => {
      this.#wakeAt = Infinity;
      this.#draw();
    });
  }

  #draw(): void {
    if (this.#closed || this.#suspended) return;
    this.#lastFrameAt = this.#clock.now();
    this.#above += this.#view.news();
    const { columns, rows } = this.#terminal.size();
    // The last row stays free for what the next line above needs, and a terminal of one row has none to give.
    // The last column too: behind a full line `erase to the end` takes the line's last letter on some terminals.
    const lines = this.#view.frame(Math.max(1, columns - 1), Math.max(0, rows - 1));
    const same = this.#above === "" && columns === this.#drawnColumns &&
      lines.length === this.#drawn.length &&
      lines.every((line, i) => line.text === this.#drawn[i].text);
    if (!same) {
      // Each line is cleared behind its end, and what is left below at the last: nothing blinks.
      const text = lines.map((line) => `${line.text}\x1b[K`).join("\r\n");
      const above = this.#above === "" ? "" : `\x1b[J${this.#above}`;
      this.#terminal.write(`${this.#home()}${above}${text}\x1b[J`);
      this.#above = "";
      this.#drawn = lines;
      this.#drawnColumns = columns;
    }
    this.#schedule(idleMs);
  }

  /**
   * To the first column of the first line that is redrawn. A terminal that became narrower has wrapped the lines, so each
   * may take several rows now.
   */
  #home(): string {
    if (this.#drawn.length === 0) return "";
    const { columns } = this.#terminal.size();
    const rows = this.#drawn.reduce(
      (sum, { width }) => sum + Math.max(1, Math.ceil(width / Math.max(1, columns))),
      0,
    );
    return rows > 1 ? `\r\x1b[${rows - 1}A` : "\r";
  }

  #erased(): string {
    return this.#drawn.length === 0 ? "" : `${this.#home()}\x1b[J`;
  }
}
