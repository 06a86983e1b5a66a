import { stringWidth } from "../deps/string_width.ts";
import { plainText } from "./plain_text.ts";

/** A piece of a line, and how it is painted where colours are wanted. */
export type Span = string | readonly [text: string, paint: (text: string) => string];

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ascii = /^[\x20-\x7e]*$/;

/** How many columns a text takes. */
export function widthOf(text: string): number {
  return ascii.test(text) ? text.length : stringWidth(text);
}

/** As much of a text as fits, with `…` where something was left out. Never more than `columns` wide. */
export function fitText(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  if (ascii.test(text)) return `${text.slice(0, columns - 1)}…`;
  let fitting = "";
  let width = 0;
  for (const { segment } of letters.segment(text)) {
    const more = widthOf(segment);
    if (width + more > columns - 1) break;
    fitting += segment;
    width += more;
  }
  return `${fitting}…`;
}

/** A line of spans that takes no more than `columns`; each is made plain first, so that nothing in it can paint. */
export function fitSpans(spans: readonly Span[], columns: number, color: boolean): string {
  let line = "";
  let left = columns;
  for (const span of spans) {
    if (left <= 0) break;
    const [raw, paint] = typeof span === "string" ? [span, undefined] : span;
    // A tab takes as many columns as the terminal likes.
    const text = fitText(plainText(raw).replace(/[\t\n]/g, " "), left);
    left -= widthOf(text);
    line += paint && color && text !== "" ? paint(text) : text;
  }
  return line;
}
