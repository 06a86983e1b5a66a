/** The project's source files and what each imports. */
import { dirname, fromFileUrl, join, relative } from "@std/path";

/** The project's root folder. */
export const root: string = join(dirname(fromFileUrl(import.meta.url)), "..", "..");

export interface Import {
  /** As written: "../base/errors.ts", "npm:ssh2@1.17.0", "@std/assert". */
  readonly specifier: string;
  /** The imported file relative to the root; undefined for what is not a relative path. */
  readonly file: string | undefined;
  readonly kind: "static" | "type" | "dynamic";
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly file: string;
  readonly imports: readonly Import[];
}

/** Every `.ts` file below `places` (files or folders relative to the root; those that do not exist are empty). */
export function sourceFiles(...places: readonly string[]): SourceFile[] {
  return places.flatMap((place) => [...walk(join(root, place))]).sort().map((path) => {
    const file = relative(root, path).replaceAll("\\", "/");
    return { file, imports: importsOf(Deno.readTextFileSync(path), file) };
  });
}

/** The imports and re-exports of one module's text. */
export function importsOf(text: string, file: string): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  const add = (specifier: string, kind: Import["kind"]) => {
    const isRelative = /^\.\.?\//.test(specifier);
    const target = isRelative ? join("/", dirname(file), specifier).slice(1) : undefined;
    found.push({ specifier, file: target, kind });
  };
  for (const match of code.matchAll(/^\s*(?:import|export)\s(type\s)?[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm)) {
    add(match[2], match[1] ? "type" : "static");
  }
  for (const match of code.matchAll(/^\s*import\s*["']([^"']+)["']/gm)) add(match[1], "static");
  // Both `await import("x")` and the type `import("x").Y`; a type does not load anything, but counts as known.
  for (const match of code.matchAll(/\bimport\(\s*["']([^"']+)["']/g)) add(match[1], "dynamic");
  return found;
}

/** Examples in doc comments import too, and must not count. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
}

function* walk(path: string): Generator<string> {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (info.isFile) {
    if (path.endsWith(".ts") || path.endsWith(".tsx")) yield path;
    return;
  }
  for (const entry of Deno.readDirSync(path)) yield* walk(join(path, entry.name));
}
