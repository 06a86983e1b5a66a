/**
 * Text of a server, made harmless for a terminal: no control characters but newline and tab, no escape sequences, no
 * characters that turn the direction of writing.
 */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    // CSI … final byte, OSC … BEL or ST, and two-byte escapes.
    // deno-lint-ignore no-control-regex
    .replace(/\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -~]/g, "")
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
