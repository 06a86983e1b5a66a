/** Where in a shell command line a place lies, as far as that decides what a quoted word means there. */
export type ShellContext = "plain" | "single" | "double" | "backtick" | "comment";

/**
 * Reads shell text piece by piece and tells where it stands: `'…'` and `"…"` change what a quoted word means, and
 * `$(…)` inside `"…"` changes it back. Here-documents are not known: an apostrophe in one counts as a quote.
 */
export class ShellReader {
  #stack: ShellContext[] = ["plain"];
  /** Whether the next character begins a word, so that `#` is a comment. */
  #wordStart = true;
  /** For each context that `$(` opened: brackets inside it that wait for their end. */
  #depths: number[] = [0];

  /** Where the reader stands after all it has read. */
  get context(): ShellContext {
    return this.#stack.at(-1)!;
  }

  /** Reads on. */
  read(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const c = text[i]!;
      const context = this.context;
      if (context === "comment") {
        if (c === "\n") this.#stack.pop();
      } else if (context === "single") {
        if (c === "'") this.#stack.pop();
      } else if (c === "\\") {
        i++;
      } else if (c === "$" && text[i + 1] === "(") {
        this.#stack.push("plain");
        this.#depths.push(0);
        i++;
      } else if (context === "double") {
        if (c === '"') this.#stack.pop();
        else if (c === "`") this.#stack.push("backtick");
      } else {
        if (c === "'") this.#stack.push("single");
        else if (c === '"') this.#stack.push("double");
        else if (c === "`") {
          if (context === "backtick") this.#stack.pop();
          else this.#stack.push("backtick");
        } else if (c === "#" && this.#wordStart) this.#stack.push("comment");
        else if (c === "(") this.#depths[this.#depths.length - 1]!++;
        else if (c === ")") {
          if (this.#depths.at(-1)! > 0) this.#depths[this.#depths.length - 1]!--;
          else if (this.#stack.length > 1) {
            this.#stack.pop();
            this.#depths.pop();
          }
        }
      }
      this.#wordStart = /[\s;&|(]/.test(c);
    }
  }
}
