import { assert, assertEquals } from "@std/assert";
import { importsOf, type SourceFile, sourceFiles } from "./source_files.ts";

/** From the bottom up: a layer may import itself and what stands before it (DESIGN.md §3). */
const LAYERS = [
  ...["base", "wire", "emulator", "target", "channel", "link", "master", "host", "job", "report", "cli"],
];

/** What costs start-up time: only `await import()` may reach these, so that `carpool --help` never loads them. */
const HEAVY = ["ssh2", "zod", "yaml", "vega", "vega_lite", "opentelemetry", "cel", "liquid"];

const library = sourceFiles("lib", "mod.ts");

function layerOf(file: string): string {
  return file.startsWith("lib/") ? file.split("/")[1] : "";
}

Deno.test("every file of lib lies in a known layer", () => {
  const stray = library.map(({ file }) => file).filter((file) => {
    return file !== "mod.ts" && ![...LAYERS, "deps"].includes(layerOf(file));
  });
  assertEquals(stray, []);
});

Deno.test("imports point down only", () => {
  const upward: string[] = [];
  for (const { file, imports } of library) {
    if (file === "mod.ts") continue;
    const from = layerOf(file);
    for (const { file: target } of imports) {
      if (target === undefined) continue;
      const to = layerOf(target);
      const sideways = [from, to].sort().join() === "job,report";
      const downward = to === "deps" || (from !== "deps" && LAYERS.indexOf(to) <= LAYERS.indexOf(from));
      if (!target.startsWith("lib/") || !downward || sideways) upward.push(`${file} imports ${target}`);
    }
  }
  assertEquals(upward, []);
});

Deno.test("no imports run in a circle", () => {
  assertEquals(circles(library), []);
});

Deno.test("only the ssh2 link and the emulator know ssh2", () => {
  const others = library.filter(({ file, imports }) =>
    imports.some(({ file: target }) => /^lib\/deps\/ssh2(\.d)?\.ts$/.test(target ?? "")) &&
    !/^lib\/(link\/ssh2\w*\.ts|emulator\/|deps\/)/.test(file)
  );
  assertEquals(others.map(({ file }) => file), []);
});

Deno.test("nothing that mod.ts reaches has a bare specifier", () => {
  const bare = library.flatMap(({ file, imports }) =>
    imports.map(({ specifier }) => specifier)
      .filter((specifier) => !/^(\.\.?\/|node:)/.test(specifier))
      .filter((specifier) => !(file.startsWith("lib/deps/") && specifier.startsWith("npm:")))
      .map((specifier) => `${file} imports ${specifier}`)
  );
  assertEquals(bare, []);
});

Deno.test("mod.ts reaches no heavy package without a dynamic import", () => {
  const byName = new Map(library.map((source) => [source.file, source]));
  const seen = new Map<string, string>([["mod.ts", ""]]);
  for (const [file] of seen) {
    for (const { file: target, kind } of byName.get(file)?.imports ?? []) {
      if (kind === "static" && target !== undefined && !seen.has(target)) seen.set(target, file);
    }
  }
  const heavy = HEAVY.map((name) => `lib/deps/${name}.ts`).filter((file) => seen.has(file));
  assertEquals(heavy.map((file) => chain(seen, file)), []);
});

Deno.test("the import reader sees every form of import, and none in comments", () => {
  const text = `
/** Example:
 * import { x } from "./example.ts";
 */
import { a } from "./a.ts";
import type { B } from "../wire/b.ts";
import {
  c,
  type D,
} from "./c.ts";
// import { no } from "./no.ts";
import "./effect.ts";
export * from "./all.ts";
export type { E } from "./e.ts";
const lazy = await import("../deps/heavy.ts");
`;
  const found = importsOf(text, "lib/base/x.ts").map(({ file, kind }) => `${kind} ${file}`);
  assertEquals(found, [
    ...["static lib/base/a.ts", "type lib/wire/b.ts", "static lib/base/c.ts", "static lib/base/all.ts"],
    ...["type lib/base/e.ts", "static lib/base/effect.ts", "dynamic lib/deps/heavy.ts"],
  ]);
});

Deno.test("a circle of imports is found", () => {
  const file = (name: string, target: string): SourceFile => ({
    file: name,
    imports: [{ specifier: target, file: target, kind: "static" }],
  });
  assertEquals(circles([file("a", "b"), file("b", "c"), file("c", "b")]), ["b > c > b"]);
  assert(circles([file("a", "b"), file("b", "c")]).length === 0);
});

/** Each circle once, as `a > b > a`. A lazy import may point back: it runs when both are long loaded. */
function circles(files: readonly SourceFile[]): string[] {
  const byName = new Map(files.map((source) => [source.file, source]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) {
      found.push([...path.slice(start), file].join(" > "));
      return;
    }
    if (done.has(file)) return;
    for (const { file: target, kind } of byName.get(file)?.imports ?? []) {
      if (target !== undefined && kind !== "dynamic") visit(target, [...path, file]);
    }
    done.add(file);
  };
  for (const { file } of files) visit(file, []);
  return found;
}

function chain(seen: ReadonlyMap<string, string>, file: string): string {
  const from = seen.get(file);
  return from ? `${chain(seen, from)} > ${file}` : file;
}
