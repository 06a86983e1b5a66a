/** Where in a shell command line a place lies, as far as that decides what a quoted word means there. */
export type ShellContext =
  | "plain"
  | "single"
  /** `$'…'`, where a backslash means something. */
  | "ansi"
  | "double"
  | "backtick"
  | "comment"
  /** The body of one. */
  | "here-document"
  /** Behind a backslash, which takes the first quote of a quoted word away. */
  | "escape";

/** `<<EOF`, `<<-'EOF'`: the delimiter, quoted or not. */
const hereDocument = /<<(-?)[ \t]*((?:'[^']*'|"[^"]*"|\\.|[^\s;&|<>()'"\\])+)/y;

/**
 * Reads shell text piece by piece and tells where it stands: `'…'` and `"…"` change what a quoted word means, and
 * `$(…)` inside `"…"` changes it back; in a here-document quotes are only characters.
 */
export class ShellReader {
  #stack: ShellContext[] = ["plain"];
  /** Whether the next character begins a word, so that `#` is a comment. */
  #wordStart = true;
  #escaped = false;
  /** For each context that `$(` opened: brackets inside it that wait for their end. */
  #depths: number[] = [0];
  /** Here-documents whose bodies begin with the next line, or are being read. */
  readonly #documents: { readonly end: string; readonly tabs: boolean }[] = [];
  #line = "";

  /** Where the reader stands after all it has read. */
  get context(): ShellContext {
    return this.#escaped ? "escape" : this.#stack.at(-1)!;
  }

  /** Reads on. */
  read(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const c = text[i]!;
      const context = this.#stack.at(-1)!;
      const escaped = this.#escaped;
      if (escaped) {
        this.#escaped = false;
      } else if (context === "here-document") {
        this.#readBody(c);
      } else if (context === "comment") {
        if (c === "\n") {
          this.#stack.pop();
          this.#endLine();
        }
      } else if (context === "single") {
        if (c === "'") this.#stack.pop();
      } else if (c === "\\") {
        this.#escaped = true;
      } else if (context === "ansi") {
        if (c === "'") this.#stack.pop();
      } else if (c === "$" && text[i + 1] === "(") {
        this.#stack.push("plain");
        this.#depths.push(0);
        i++;
      } else if (context === "double") {
        if (c === '"') this.#stack.pop();
        else if (c === "`") this.#stack.push("backtick");
      } else {
        if (c === "'") this.#stack.push(text[i - 1] === "$" ? "ansi" : "single");
        else if (c === '"') this.#stack.push("double");
        else if (c === "\n") this.#endLine();
        else if (c === "<" && text[i + 1] === "<") i = this.#readDelimiter(text, i);
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
      this.#wordStart = !escaped && /[\s;&|(]/.test(c);
    }
  }

  /** Reads `<<` and what belongs to it; returns where its last character is. */
  #readDelimiter(text: string, at: number): number {
    if (text[at + 2] === "<") return at + 2; // a here-string: a word like any other
    // In arithmetic it shifts.
    if (/\(\([^)]*$/.test(text.slice(0, at))) return at + 1;
    hereDocument.lastIndex = at;
    const found = hereDocument.exec(text);
    if (found === null) return at + 1;
    this.#documents.push({ end: found[2]!.replace(/['"\\]/g, ""), tabs: found[1] === "-" });
    return hereDocument.lastIndex - 1;
  }

  #endLine(): void {
    if (this.#documents.length > 0) this.#stack.push("here-document");
  }

  #readBody(c: string): void {
    if (c !== "\n") {
      this.#line += c;
      return;
    }
    const { end, tabs } = this.#documents[0]!;
    if ((tabs ? this.#line.replace(/^\t+/, "") : this.#line) === end) this.#documents.shift();
    this.#line = "";
    if (this.#documents.length === 0) this.#stack.pop();
  }
}
