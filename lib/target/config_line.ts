/** One line of ssh_config with something on it. */
export interface ConfigLine {
  /** In lower case. */
  readonly keyword: string;
  /** As written, for messages. */
  readonly written: string;
  /** The rest of the line as it stands, for keywords that take a command. */
  readonly rest: string;
  /** The rest, split at blanks, quotes and escapes taken away, a comment cut off; undefined where a quote is open. */
  readonly args: readonly string[] | undefined;
}

/** Reads one line; undefined for an empty one or a comment. */
export function readConfigLine(line: string): ConfigLine | undefined {
  const text = line.replace(/[ \t\r\n\f]+$/, "").replace(/^[ \t\r]+/, "");
  if (text === "" || text.startsWith("#")) return undefined;
  // The keyword may stand in quotes; behind it blanks, or one = with blanks around it.
  const match = /^(?:"([^"]*)"[ \t\r]*|([^ \t\r="]+)(?:[ \t\r]*=[ \t\r]*|[ \t\r]+|(?=")|$))/.exec(text);
  if (!match) return { keyword: text.toLowerCase(), written: text, rest: "", args: [] };
  const written = match[1] ?? match[2];
  const rest = text.slice(match[0].length);
  return { keyword: written.toLowerCase(), written, rest, args: splitArguments(rest) };
}

/**
 * Splits at blanks as OpenSSH does: `"…"` and `'…'` keep blanks, a backslash takes the special meaning from a quote,
 * a backslash and, outside quotes, a blank; `#` at the beginning of a word ends the line. Undefined when a quote stays open.
 */
export function splitArguments(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (word === undefined) {
      if (c === " " || c === "\t") continue;
      if (c === "#") break;
      word = "";
    }
    const next = text[i + 1];
    if (c === "\\" && (next === "'" || next === '"' || next === "\\" || (next === " " && quote === ""))) {
      word += next;
      i++;
    } else if (quote === "" && (c === " " || c === "\t")) {
      words.push(word);
      word = undefined;
    } else if (quote === "" && (c === '"' || c === "'")) quote = c;
    else if (quote !== "" && c === quote) quote = "";
    else word += c;
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
