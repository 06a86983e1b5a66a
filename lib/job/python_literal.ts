/**
 * Reads a Python literal as `ast.literal_eval` does, which Ansible takes the values of its INI inventories
 * for: numbers, `True`, `False`, `None`, quoted text, lists, tuples, sets and dictionaries of them, a comment
 * behind. Bytes, complex numbers and whole numbers beyond 2^53 stay text.
 *
 * @returns undefined where the text is no literal: it then means itself.
 */
export function readPythonLiteral(text: string): { readonly value: unknown } | undefined {
  const reader = new LiteralReader(text.replace(/^[ \t]+/, ""));
  const value = reader.value(0);
  return value !== undefined && reader.isOver() ? value : undefined;
}

type Found = { readonly value: unknown } | undefined;

const NUMBER =
  /[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*)?\.\d(?:_?\d)*(?:[eE][+-]?\d+)?|\d(?:_?\d)*\.?(?:[eE][+-]?\d+)?)/y;

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ "\n": "", "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" },
  v: "\v",
};

class LiteralReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isOver(): boolean {
    this.#skip();
    return this.#at >= this.#text.length;
  }

  value(depth: number): Found {
    this.#skip();
    if (depth > 50) return undefined;
    const c = this.#text[this.#at] ?? "";
    if (c === "[") return this.#list("]", depth, (items) => items);
    if (c === "(") return this.#tuple(depth);
    if (c === "{") return this.#braces(depth);
    if (/['"]|[rRuU]['"]/.test(this.#text.slice(this.#at, this.#at + 2))) return this.#strings();
    const word = /[A-Za-z_]\w*/y;
    word.lastIndex = this.#at;
    const name = word.exec(this.#text)?.[0];
    if (name !== undefined) {
      this.#at += name.length;
      return name === "True"
        ? { value: true }
        : name === "False"
        ? { value: false }
        : name === "None"
        ? { value: null }
        : undefined;
    }
    return this.#number();
  }

  #number(): Found {
    NUMBER.lastIndex = this.#at;
    const written = NUMBER.exec(this.#text)?.[0];
    if (written === undefined || written === "") return undefined;
    this.#at += written.length;
    // What would go on (`1.2.3.4`, `10j`, `5days`) is no number.
    if (/[\w.]/.test(this.#text[this.#at] ?? "")) return undefined;
    const plain = written.replaceAll("_", "").replace(/^\+/, "");
    // Python has no whole number with a zero before it, but for zero itself.
    if (/^-?0+[1-9]\d*$/.test(plain)) return undefined;
    const negative = plain.startsWith("-");
    const value = Number(negative ? plain.slice(1) : plain);
    const isWhole = !/[.eE]/.test(plain) || /^-?0[xX]/.test(plain);
    if (!Number.isFinite(value) || (isWhole && !Number.isSafeInteger(value))) return undefined;
    return { value: negative ? -value : value };
  }

  /** Strings side by side are one. */
  #strings(): Found {
    let whole = "";
    let any = false;
    for (;;) {
      this.#skip();
      const start = /([rRuU]?)('''|"""|'|")/y;
      start.lastIndex = this.#at;
      const found = start.exec(this.#text);
      if (!found) return any ? { value: whole } : undefined;
      this.#at += found[0].length;
      const part = this.#string(found[2]!, /r/i.test(found[1]!));
      if (part === undefined) return undefined;
      whole += part;
      any = true;
    }
  }

  #string(quote: string, raw: boolean): string | undefined {
    let text = "";
    while (this.#at < this.#text.length) {
      if (this.#text.startsWith(quote, this.#at)) {
        this.#at += quote.length;
        return text;
      }
      const c = this.#text[this.#at++]!;
      if (c !== "\\") {
        text += c;
        continue;
      }
      const next = this.#text[this.#at++];
      if (next === undefined) return undefined;
      const hex = { x: 2, u: 4, U: 8 }[next];
      if (raw) text += c + next;
      else if (ESCAPES[next] !== undefined) text += ESCAPES[next];
      else if (hex !== undefined) {
        const digits = this.#text.slice(this.#at, this.#at + hex);
        const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === hex ? parseInt(digits, 16) : Infinity;
        if (code > 0x10ffff) return undefined;
        this.#at += hex;
        text += String.fromCodePoint(code);
      } else if (/[0-7]/.test(next)) {
        const more = /[0-7]{0,2}/y;
        more.lastIndex = this.#at;
        const digits = next + more.exec(this.#text)![0];
        this.#at += digits.length - 1;
        text += String.fromCodePoint(parseInt(digits, 8));
      } else if (next === "N") return undefined; // names of characters: nobody writes them here
      else text += c + next;
    }
    return undefined;
  }

  #list(close: string, depth: number, made: (items: unknown[]) => unknown): Found {
    this.#at++;
    const items: unknown[] = [];
    for (;;) {
      this.#skip();
      if (this.#take(close)) return { value: made(items) };
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item.value);
      this.#skip();
      if (this.#take(",")) continue;
      return this.#take(close) ? { value: made(items) } : undefined;
    }
  }

  /** `(1)` is 1, `(1,)` a tuple, `()` an empty one. */
  #tuple(depth: number): Found {
    const start = this.#at;
    const tuple = this.#list(")", depth, (items) => items);
    if (tuple === undefined) return undefined;
    const items = tuple.value as unknown[];
    const inside = this.#text.slice(start + 1, this.#at - 1).trim();
    return items.length === 1 && !inside.endsWith(",") ? { value: items[0] } : tuple;
  }

  #braces(depth: number): Found {
    this.#at++;
    this.#skip();
    if (this.#take("}")) return { value: {} };
    const entries: [string, unknown][] = [];
    const items: unknown[] = [];
    for (;;) {
      const key = this.value(depth + 1);
      if (key === undefined) return undefined;
      this.#skip();
      if (this.#take(":")) {
        const value = this.value(depth + 1);
        if (value === undefined || items.length > 0) return undefined;
        entries.push([spell(key.value), value.value]);
      } else {
        if (entries.length > 0) return undefined;
        items.push(key.value);
      }
      this.#skip();
      const more = this.#take(",");
      this.#skip();
      if (this.#take("}")) return { value: items.length > 0 ? items : Object.fromEntries(entries) };
      if (!more) return undefined;
    }
  }

  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #skip(): void {
    const blank = /(?:\s|#.*)*/y;
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)![0].length;
  }
}

/** A key as JSON has it. */
function spell(key: unknown): string {
  return key === null ? "null" : String(key);
}
