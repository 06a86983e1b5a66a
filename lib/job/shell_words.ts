/**
 * Splits a line into words as Python's `shlex.split` does, which Ansible reads its inventories with: quotes
 * keep blanks, a backslash takes the meaning from what follows (between double quotes only from `"` and
 * itself). With `comments` a `#` ends the line, also in the middle of a word.
 *
 * @returns undefined where a quote stays open or nothing follows a backslash.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(splitShellWords(`a "b c" d\\ e`), ["a", "b c", "d e"]);
 * assertEquals(splitShellWords("a b#c", { comments: true }), ["a", "b"]);
 * ```
 */
export function splitShellWords(
  line: string,
  options: { readonly comments?: boolean } = {},
): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (c === "#" && options.comments) break;
    else if (c === "\\") {
      if (++i >= line.length) return undefined;
      word = (word ?? "") + line[i];
    } else if (c === "'" || c === '"') {
      word ??= "";
      for (i++; line[i] !== c; i++) {
        if (i >= line.length) return undefined;
        if (c === '"' && line[i] === "\\" && i + 1 < line.length && /["\\]/.test(line[i + 1]!)) i++;
        word += line[i];
      }
    } else word = (word ?? "") + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}
