/** What stands in the place of a secret. */
export const redacted = "********";

/**
 * Hides secrets in text: whole values, and the lines of values of several lines.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(redactor(["hunter2"])("login hunter2"), "login ********");
 * ```
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const parts = new Set(secrets.flatMap((secret) => [secret, ...secret.split(/\r?\n/)]));
  // Longest first: a secret may begin with another one.
  const found = [...parts].filter((part) => part.trim() !== "").sort((a, b) => b.length - a.length);
  if (found.length === 0) return (text) => text;
  const any = new RegExp(found.map((part) => RegExp.escape(part)).join("|"), "g");
  return (text) => text.replace(any, redacted);
}
