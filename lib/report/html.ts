import { plainText } from "./plain_text.ts";

/** Markup that is safe as it is. Only {@linkcode html} makes it, from literal text and escaped values. */
export class Html {
  readonly #text: string;

  /** @ignore Use {@linkcode html}. */
  constructor(token: typeof maker, text: string) {
    if (token !== maker) throw new TypeError("Only html`…` makes markup");
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

const maker = Symbol();

/** What can stand in a template: text is escaped, lists are joined, nothing shows as nothing. */
export type HtmlValue = string | number | Html | undefined | readonly HtmlValue[];

/**
 * Markup with every value escaped, for element content and for attributes in double quotes; control sequences and what
 * turns text around are taken out first. A value must never stand in a tag name, an unquoted attribute, a URL, a style or a
 * script: there are none in what is written here.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(`${html`<b title="${'"'}">${"<i>"}</b>`}`, '<b title="&quot;">&lt;i&gt;</b>');
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  const literals = compact(strings);
  let text = literals[0];
  values.forEach((value, i) => text += markup(value) + literals[i + 1]);
  return new Html(maker, text);
}

const compacted = new WeakMap<TemplateStringsArray, readonly string[]>();

/** Literals are indented for whoever reads the source; a page with ten thousand of them is not to carry that along. */
function compact(strings: TemplateStringsArray): readonly string[] {
  const known = compacted.get(strings);
  if (known) return known;
  const literals = strings.map((literal) => literal.replace(/\s*\n\s*/g, "\n"));
  compacted.set(strings, literals);
  return literals;
}

function markup(value: HtmlValue): string {
  if (value === undefined) return "";
  if (typeof value === "string") return escape(value);
  if (typeof value === "number") return String(value);
  if (value instanceof Html) return value.toString();
  return value.map(markup).join("");
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return plainText(text).toWellFormed().replace(/[&<>"']/g, (c) => escapes[c]);
}
