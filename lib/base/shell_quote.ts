/**
 * Quotes one word so that every common login shell (sh, bash, dash, zsh, ksh, fish, csh) reads it back unchanged.
 *
 * Words of harmless characters stay bare. Everything else goes between single quotes, except the characters
 * that some shell reads inside them: `'` itself, `\`, which fish interprets even there, and `!`, which csh takes for a
 * command of its history, also where it has none. A newline needs a
 * backslash in csh and must not have one in the others: there is no spelling that all of them share, so such a
 * word is right in every shell but csh.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(shellQuote("it's"), `'it'\\''s'`);
 * assertEquals(shellQuote("/srv/app-1.2"), "/srv/app-1.2");
 * assertEquals(shellQuote(""), "''");
 * ```
 */
export function shellQuote(word: string): string {
  if (/^[A-Za-z0-9_\-.,:\/@+]+$/.test(word)) return word;
  return `'${word.replace(/['\\!]/g, (c) => `'\\${c}'`)}'`;
}

/** Quotes each word and joins them by spaces. */
export function shellJoin(words: readonly string[]): string {
  return words.map(shellQuote).join(" ");
}
