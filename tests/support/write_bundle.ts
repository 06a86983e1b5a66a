/**
 * Writes the one file that a warm `carpool exec` loads: `deno task bundle`. Thirty modules take Deno 5 ms more to load
 * than one, on top of the 17 ms that an empty program takes.
 */
import { join } from "@std/path";
import { importsOf, root } from "../house/source_files.ts";
import { run } from "./run.ts";

/** What is bundled, and into what, relative to the repository. */
export const ENTRY = "lib/cli/warm_exec.ts";
export const BUNDLE = "lib/cli/warm_exec.bundle.js";

/** Every module that the entry loads, itself included, in the order of their names. */
export function bundledSources(): string[] {
  const found = new Set([ENTRY]);
  for (const file of found) {
    for (const { file: target, kind } of importsOf(Deno.readTextFileSync(join(root, file)), file)) {
      if (target !== undefined && kind !== "type") found.add(target);
    }
  }
  return [...found].sort();
}

/** What the bundle says of the sources it was made of, so that a test can tell whether they have changed since. */
export async function bundleStamp(): Promise<string> {
  const texts = bundledSources().map((file) => `${file}\n${Deno.readTextFileSync(join(root, file))}`);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\n")));
  return new Uint8Array(digest).toHex();
}

/** The text of the bundle, as the sources are now. */
export async function madeBundle(): Promise<string> {
  const made = await run(Deno.execPath(), ["bundle", "--quiet", "--no-lock", ENTRY], { cwd: root });
  if (!made.success) throw new Error(`deno bundle: ${made.stderr}`);
  return `\
// @ts-self-types="./warm_exec.ts"
// Made by \`deno task bundle\` of ${ENTRY} and all that it imports. Do not edit: change those, and make it anew.
// sources: ${await bundleStamp()}
${made.stdout}`;
}

if (import.meta.main) await Deno.writeTextFile(join(root, BUNDLE), await madeBundle());
