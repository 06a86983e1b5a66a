import { plainText } from "./plain_text.ts";

/** A line longer than this is shown in pieces, so that a host without newlines cannot fill the memory. */
const maxLineChars = 16 * 1024;

/** Pieces of one host's output in, whole lines out, free of control sequences. */
export class LineBuffer {
  #rest = "";

  /**
   * The lines that are complete now. A lone carriage return ends a line too: a progress bar becomes lines, and nothing
   * is painted over.
   */
  push(text: string): string[] {
    // \r at the very end may be the first half of \r\n: it waits.
    const held = text.endsWith("\r") ? 1 : 0;
    const all = this.#rest + text;
    const ready = all.slice(0, all.length - held).split(/\r\n|\n|\r/);
    let rest = ready.pop()!;
    while (rest.length > maxLineChars) {
      ready.push(rest.slice(0, maxLineChars));
      rest = rest.slice(maxLineChars);
    }
    this.#rest = rest + all.slice(all.length - held);
    return ready.map(plainText);
  }

  /** What is left when the output has ended. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === ""
      ? []
      : rest.split("\r").filter((line, i, all) => line !== "" || i < all.length - 1).map(plainText);
  }
}
