// deno-lint-ignore-file no-control-regex -- control characters are what this file is about
// Remote output is data: a host must not be able to move the cursor, repaint what others said, set the window's title,
// answer terminal queries into our input, or turn text around. Whole sequences go, so that no `[31m` is left over; then
// every other control character goes by itself, which also covers sequences cut in two.

// ESC [ … final (ECMA-48 §5.4), and its 8-bit form.
const csi = /(?:\x1b\[|\x9b)[0-?]*[ -\/]*[@-~]/g;
// OSC, DCS, SOS, PM, APC: up to BEL, ST or, unterminated, the end of the line.
const strings = /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|(?=\n)|$)/g;
// Two- and three-byte escapes: ESC ( B, ESC c, ESC 7.
const escapes = /\x1b[ -\/]*[0-~]/g;
// C0 without tab and newline, DEL, C1; then what reorders or hides text without being a control: bidirectional
// embeddings and isolates, line and paragraph separators, zero-width marks, byte-order marks.
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const invisible = /[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Text without anything that a terminal would act on; tabs and newlines stay.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(plainText("\x1b[2J\x1b]0;owned\x07ok\x1b[31m!"), "ok!");
 * ```
 */
export function plainText(text: string): string {
  // Nearly all output is free of them: one look decides.
  if (!suspicious.test(text)) return text;
  return text.replace(strings, "").replace(csi, "").replace(escapes, "").replace(controls, "").replace(
    invisible,
    "",
  );
}

const suspicious = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

/** Plain text in one line: for names and titles, which may hold anything too. */
export function oneLine(text: string): string {
  return plainText(text).replace(/\s*[\n\t]\s*/g, " ");
}
