import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { run } from "../support/run.ts";
import { root } from "./source_files.ts";

/** Everything that mod.ts exports, types too, sorted. A change here is a change of the public surface. */
const EXPORTS = [
  "CarpoolError",
  "connect",
  "fleet",
  "job",
  "loadJob",
  "runJob",
];

Deno.test("mod.ts exports exactly these names", async () => {
  const { stdout, stderr, success } = await run(Deno.execPath(), ["doc", "--json", join(root, "mod.ts")], {
    deadlineMs: 300_000,
  });
  assertEquals(success, true, stderr);
  assertEquals(exportedNames(JSON.parse(stdout)), [...EXPORTS].sort());
});

interface Documentation {
  readonly nodes: Readonly<Record<string, { readonly symbols: readonly { readonly name: string }[] }>>;
}

function exportedNames({ nodes }: Documentation): string[] {
  const names = Object.values(nodes).flatMap(({ symbols }) => symbols.map(({ name }) => name));
  return [...new Set(names)].sort();
}
