/**
 * Quotes one word for a POSIX shell, whatever is in it: for scripts that `sh` reads. What a login shell reads, which may
 * be any, is `shellQuote`'s.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(posixQuote("it's\n!"), `'it'\\''s\n!'`);
 * ```
 */
export function posixQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Quotes a path for a POSIX shell; `~` and `~/…` stay the home, and none is taken for an option. */
export function posixQuotePath(path: string): string {
  if (path === "~" || path === "~/") return path;
  if (path.startsWith("~/")) return `~/${posixQuote(path.slice(2))}`;
  return posixQuote(path.startsWith("-") ? `./${path}` : path);
}
