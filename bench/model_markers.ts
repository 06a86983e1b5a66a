/** Text that a command writes into a document, between two comments that stay. */
import { broken } from "./contenders/report.ts";

/**
 * Replaces what stands between `<!-- name: … -->` and `<!-- /name -->`. Throws when the document has not exactly one such
 * place: nothing may be appended to where nobody looks.
 */
export function replaceBetween(document: string, name: string, text: string): string {
  const place = new RegExp(`(<!-- ${name}:[^\\n]*-->\\n)[^]*?(<!-- /${name} -->)`, "g");
  const found = [...document.matchAll(place)].length;
  if (found !== 1) throw broken(`${found} places for "${name}" in the document, and there must be one`);
  return document.replace(place, (_, before, after) => `${before}\n${text.trim()}\n\n${after}`);
}

/** Writes into a file, if that changes it. */
export async function writeBetween(path: URL, texts: Readonly<Record<string, string>>): Promise<void> {
  const before = await Deno.readTextFile(path);
  const after = Object.entries(texts).reduce(
    (text, [name, content]) => replaceBetween(text, name, content),
    before,
  );
  if (after !== before) await Deno.writeTextFile(path, after);
}

/** A paragraph in lines as `deno fmt` would have them. */
export function paragraph(text: string, width = 110): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length === 0 || longer.length > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join("\n");
}

/** Rows as a table of Markdown, the first one its head; columns but the first are numbers, unless told otherwise. */
export function markdownTable(rows: readonly (readonly string[])[], numbersFrom = 1): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length), 3));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, at) => at < numbersFrom ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))
        .join(" | ")
    } |`;
  const rule = widths.map((width, at) => at < numbersFrom ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  return [line(rows[0]), `| ${rule.join(" | ")} |`, ...rows.slice(1).map(line)].join("\n");
}
