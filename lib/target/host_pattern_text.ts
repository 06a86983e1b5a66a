import { TargetError } from "../base/errors.ts";

/** A pattern as written: a list of terms, each added to, taken from or met with what stands before it. */
export interface HostPattern {
  /** As typed, for messages. */
  readonly text: string;
  readonly items: readonly HostTerm[];
}

/** Names joined by `&` and `!`. */
export interface HostTerm {
  /** What the term does to everything before it. */
  readonly sign: "+" | "-" | "&";
  /** A name as written (`@web`, `web[1-3]`), or a pattern in parentheses. */
  readonly first: string | HostPattern;
  readonly rest: readonly { readonly sign: "-" | "&"; readonly factor: string | HostPattern }[];
}

/** Parentheses deeper than anybody writes. */
const MAX_DEPTH = 50;

/**
 * Reads a host pattern. Throws `TargetError` ("bad-host-pattern") with the place of what is wrong.
 *
 * ```text
 * pattern = item *("," item)            empty items are skipped
 * item    = ["!" / "&"] term            "&!" is "!"
 * term    = factor *(("&" / "!" / "&!") factor)
 * factor  = "(" pattern ")" / name      commas in brackets are the name's
 * ```
 */
export function readHostPattern(text: string): HostPattern {
  const reader = new Reader(text);
  const pattern = reader.pattern(0);
  if (!reader.atEnd) reader.fail("a ) has no ( before it");
  if (pattern.items.length === 0) reader.fail("it names no host");
  return pattern;
}

/** Every name in a pattern, parentheses opened. */
export function* namesIn({ items }: HostPattern): Generator<string> {
  for (const { first, rest } of items) {
    for (const factor of [first, ...rest.map((more) => more.factor)]) {
      if (typeof factor === "string") yield factor;
      else yield* namesIn(factor);
    }
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    this.#skipBlanks();
    return this.#at >= this.#text.length;
  }

  fail(why: string): never {
    const shown = this.#text.length > 100 ? `${this.#text.slice(0, 100)}…` : this.#text;
    const place = this.#text.trim() === "" ? "" : ` (at character ${Math.min(this.#at, shown.length) + 1})`;
    throw new TargetError("bad-host-pattern", {
      what: "Cannot resolve the hosts",
      where: JSON.stringify(shown),
      why: why + place,
      fix: "write web[01-20],!web07 or @group&@other",
    });
  }

  pattern(depth: number): HostPattern {
    if (depth > MAX_DEPTH) this.fail("its parentheses are nested too deeply");
    const start = this.#at;
    const items: HostTerm[] = [];
    for (;;) {
      if (this.atEnd || this.#peek() === ")") break;
      if (this.#take(",")) continue;
      const sign = this.#sign() ?? "+";
      const first = this.#factor(depth);
      const rest: HostTerm["rest"][number][] = [];
      for (let next = this.#sign(); next !== undefined; next = this.#sign()) {
        rest.push({ sign: next, factor: this.#factor(depth) });
      }
      items.push({ sign, first, rest });
      if (this.atEnd || this.#peek() === ")") break;
      if (!this.#take(",")) this.fail(`found ${JSON.stringify(this.#peek())}, where , & or ! is allowed`);
    }
    return { text: this.#text.slice(start, this.#at).trim(), items };
  }

  #sign(): "-" | "&" | undefined {
    this.#skipBlanks();
    const meet = this.#take("&");
    this.#skipBlanks();
    if (this.#take("!")) return "-";
    return meet ? "&" : undefined;
  }

  #factor(depth: number): string | HostPattern {
    this.#skipBlanks();
    if (this.#take("(")) {
      const inner = this.pattern(depth + 1);
      if (!this.#take(")")) this.fail("a ( has no ) after it");
      if (inner.items.length === 0) this.fail("there is nothing between ( and )");
      return inner;
    }
    const start = this.#at;
    let inBrackets = false;
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at]!;
      if (c === "[") inBrackets = true;
      if (c === "]") inBrackets = false;
      if (!inBrackets && /[,&!()]/.test(c)) break;
    }
    const name = this.#text.slice(start, this.#at).trim();
    if (name === "" || name === "@") this.fail("a name is missing");
    return name;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(c: string): boolean {
    if (this.#peek() !== c) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#peek() ?? "")) this.#at++;
  }
}
