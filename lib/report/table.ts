import { plainText } from "./plain_text.ts";

/** Rows as aligned columns under their heads, two spaces between; what is missing shows as `-`. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): string {
  const cells = [heads, ...rows.map((row) => row.map((cell) => plainText(String(cell ?? "-"))))];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd() + "\n";
  return cells.map(line).join("");
}
