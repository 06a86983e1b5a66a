import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { root, sourceFiles } from "./source_files.ts";

const EXACT = /^npm:(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+[\w.+-]*(\/.*)?$/;

interface DenoConfig {
  readonly imports: Readonly<Record<string, string>>;
  readonly version: string;
}

async function denoConfig(): Promise<DenoConfig> {
  return JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
}

/** `npm:zod@4.1.12/v4` → `["zod", "4.1.12"]`. */
function pin(specifier: string): [string, string] {
  const match = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(specifier);
  assert(match, specifier);
  return [match[1], match[2]];
}

const pinned = sourceFiles("lib/deps").flatMap(({ file, imports }) =>
  imports.filter(({ specifier }) => specifier.startsWith("npm:")).map(({ specifier }) => ({
    file,
    specifier,
  }))
);

Deno.test("outside packages are pinned exactly", async () => {
  const { imports } = await denoConfig();
  const all = [...pinned.map(({ specifier }) => specifier), ...Object.values(imports)];
  const loose = all.filter((specifier) => specifier.startsWith("npm:") && !EXACT.test(specifier));
  assertEquals(loose, []);
});

Deno.test("outside packages are named in lib/deps and deno.json only", () => {
  const elsewhere = sourceFiles("lib", "mod.ts", "tests", "bench", "tasks")
    .filter(({ file }) => !file.startsWith("lib/deps/"))
    .flatMap(({ file, imports }) =>
      imports.filter(({ specifier }) => /^(npm|jsr|https?):/.test(specifier))
        .map(({ specifier }) => `${file} imports ${specifier}`)
    );
  assertEquals(elsewhere, []);
});

Deno.test("lib/deps names each package in one version", () => {
  const versions = new Map<string, Set<string>>();
  for (const { specifier } of pinned) {
    const [name, version] = pin(specifier);
    versions.set(name, (versions.get(name) ?? new Set()).add(version));
  }
  const several = [...versions].filter(([, found]) => found.size > 1).map(([name]) => name);
  assertEquals(several, []);
});

Deno.test("deno.json maps to lib/deps, or to the same pins", async () => {
  const { imports } = await denoConfig();
  const versions = new Map(pinned.map(({ specifier }) => pin(specifier)));
  const wrong: string[] = [];
  for (const [name, target] of Object.entries(imports)) {
    if (target.startsWith("./lib/deps/")) {
      if (!await Deno.stat(join(root, target)).then(() => true, () => false)) {
        wrong.push(`${name}: no ${target}`);
      }
    } else if (!target.startsWith("npm:") || versions.get(pin(target)[0]) !== pin(target)[1]) {
      wrong.push(`${name}: ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("deno.lock holds the pins of lib/deps", async () => {
  const lock = JSON.parse(await Deno.readTextFile(join(root, "deno.lock")));
  const locked: Record<string, string> = lock.specifiers;
  const missing = pinned.map(({ specifier }) => pin(specifier)).filter(([name, version]) => {
    return !locked[`npm:${name}@${version}`]?.startsWith(version);
  });
  assertEquals(missing, []);
});
