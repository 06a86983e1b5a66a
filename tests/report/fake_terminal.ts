/** A terminal and a clock that a test holds in its hands. */
import type { Clock, Terminal } from "../../lib/report/screen.ts";

/** What stands in one row, one entry a column; the second column of a wide letter is empty. */
interface Row {
  cells: string[];
  /** It goes on in the next row: a line longer than the terminal is wide. */
  wrapped: boolean;
}

const sequence = new RegExp(
  ["\\x1b\\[(\\??[0-9;]*)([A-Za-z])", "\\r", "\\n", "\\P{M}\\p{M}*", "\\p{M}+"].join("|"),
  "gsuy",
);

/**
 * Understands what the live view uses, refuses everything else, and wraps long lines anew when its size changes, as most
 * terminals do.
 */
export class FakeTerminal implements Terminal {
  columns: number;
  rows: number;
  /** Everything that was written. */
  written = "";
  writes = 0;
  cursorShown = true;
  /** Scrolled off the top as well as shown. */
  lines: Row[] = [{ cells: [], wrapped: false }];
  #row = 0;
  #column = 0;
  #listeners = new Set<() => void>();

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  size(): { columns: number; rows: number } {
    return { columns: this.columns, rows: this.rows };
  }

  onResize(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  write(text: string): void {
    this.written += text;
    this.writes++;
    sequence.lastIndex = 0;
    while (sequence.lastIndex < text.length) {
      const at = sequence.lastIndex;
      const match = sequence.exec(text);
      if (!match) throw new Error(`not understood: ${JSON.stringify(text.slice(at, at + 20))}`);
      if (match[2]) this.#control(match[1], match[2]);
      else if (match[0] === "\r") this.#column = 0;
      else if (match[0] === "\n") this.#lineFeed();
      else this.#put(match[0]);
    }
  }

  resize(columns: number, rows = this.rows): void {
    const at = { row: this.#row, column: this.#column };
    const old = this.lines;
    this.lines = [];
    let cells: string[] = [];
    let cursor: number | undefined;
    old.forEach((row, i) => {
      if (i === at.row) cursor = cells.length + at.column;
      cells.push(...row.cells);
      if (row.wrapped) return;
      const first = this.lines.length;
      do {
        this.lines.push({ cells: cells.slice(0, columns), wrapped: cells.length > columns });
        cells = cells.slice(columns);
      } while (cells.length > 0);
      if (cursor === undefined) return;
      this.#row = Math.min(first + Math.floor(cursor / columns), this.lines.length - 1);
      this.#column = cursor - (this.#row - first) * columns;
      cursor = undefined;
    });
    this.columns = columns;
    this.rows = rows;
    for (const listener of this.#listeners) listener();
  }

  /** Every line, wrapped ones whole, without what is empty at the end. */
  get text(): string[] {
    const lines: string[] = [];
    let line = "";
    for (const { cells, wrapped } of this.lines) {
      line += cells.join("");
      if (wrapped) continue;
      lines.push(line.trimEnd());
      line = "";
    }
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  #control(parameters: string, final: string): void {
    const count = Number(parameters || "1");
    if (final === "A") this.#row = Math.max(0, this.#row - count);
    else if (final === "K" && parameters === "") this.#eraseLine();
    else if (final === "J" && parameters === "") {
      this.#eraseLine();
      this.lines.length = this.#row + 1;
    } else if (parameters === "?25") this.cursorShown = final === "h";
    else if (final !== "m") throw new Error(`not understood: ESC [ ${parameters} ${final}`);
  }

  #eraseLine(): void {
    this.#here.cells.length = Math.min(this.#here.cells.length, this.#column);
    this.#here.wrapped = false;
  }

  get #here(): Row {
    return this.lines[this.#row];
  }

  #lineFeed(): void {
    this.#row++;
    // A terminal driver turns a line feed into a carriage return and a line feed.
    this.#column = 0;
    if (this.#row === this.lines.length) this.lines.push({ cells: [], wrapped: false });
  }

  #put(letter: string): void {
    if (letter.startsWith("\t")) {
      this.#column = Math.min(this.columns - 1, this.#column - this.#column % 8 + 8);
      return;
    }
    // A mark behind nothing, or behind a change of colour, takes no column of its own.
    if (/^\p{M}/u.test(letter)) return;
    const code = letter.codePointAt(0)!;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) throw new Error(`a control character: ${code}`);
    if (this.#column >= this.columns) {
      this.#here.wrapped = true;
      this.#lineFeed();
    }
    const cells = this.#here.cells;
    while (cells.length < this.#column) cells.push(" ");
    cells[this.#column++] = letter;
    if (/\p{Emoji_Presentation}|\p{Script=Han}/u.test(letter)) cells[this.#column++] = "";
  }
}

/** Time that passes when a test says so. */
export class FakeClock implements Clock {
  #now = 0;
  #next = 1;
  readonly #waiting = new Map<number, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#next++;
    this.#waiting.set(id, { at: this.#now + ms, callback });
    return () => this.#waiting.delete(id);
  }

  /** Callbacks that are still to come. */
  get waiting(): number {
    return this.#waiting.size;
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#waiting].filter(([, { at }]) =>
        at <= until
      ).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#waiting.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].callback();
    }
    this.#now = until;
  }
}
