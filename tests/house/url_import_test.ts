import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { run, type RunResult } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";
import { root } from "./source_files.ts";

/** Serves the sources as a code host would: raw files, no import map, no configuration. */
function serveSources(): { readonly origin: string; readonly requested: Set<string> } & AsyncDisposable {
  const requested = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url }) => {
    const { pathname } = new URL(url);
    requested.add(pathname);
    if (pathname !== "/mod.ts" && !/^\/lib\/[\w./]+\.ts$/.test(pathname)) {
      return new Response(null, { status: 404 });
    }
    try {
      const text = await Deno.readTextFile(join(root, pathname));
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new Response(null, { status: 404 });
    }
  });
  const origin = `127.0.0.1:${server.addr.port}`;
  return { origin, requested, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Runs `deno` in `dir` with a cache that starts empty. */
async function deno(home: TempHome, dir: string, args: readonly string[]): Promise<RunResult> {
  return await run(Deno.execPath(), args, {
    env: { ...home.env, DENO_DIR: join(home.path, "deno") },
    clearEnv: true,
    cwd: dir,
    deadlineMs: 300_000,
  });
}

/** Imports the door, then makes it load what it loads lazily: ssh2 comes with the first connection. */
function program(origin: string): string {
  return `import { CarpoolError, connect } from "http://${origin}/mod.ts";
console.log(typeof connect);
try {
  await connect("nobody@127.0.0.1:1", { strictHostKeyChecking: "no" });
} catch (error) {
  console.log(error instanceof CarpoolError ? "CarpoolError" : error);
}
`;
}

Deno.test("mod.ts is imported by URL from an empty directory, and from a project with a package.json", async () => {
  await using home = await TempHome.make();
  await using server = serveSources();
  const access = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"];
  const args = ["run", "--check", "--no-prompt", `--allow-import=${server.origin}`, ...access];
  await home.write("empty/main.ts", program(server.origin));
  await home.write("project/main.ts", program(server.origin));
  await home.write(
    "project/package.json",
    JSON.stringify({ name: "project", private: true, type: "module" }),
  );

  const works = "function\nCarpoolError\n";
  const empty = await deno(home, join(home.path, "empty"), [...args, "main.ts"]);
  assertEquals(empty.stdout, works, empty.stderr);
  assert(server.requested.has("/mod.ts"));

  // Beside a package.json Deno looks for packages in node_modules alone, unless it is told otherwise.
  const project = join(home.path, "project");
  const plain = await deno(home, project, [...args, "main.ts"]);
  if (plain.stdout !== works) {
    assertMatch(plain.stdout + plain.stderr, /nodeModulesDir|--node-modules-dir/, "the error names no fix");
  }
  for (const fix of ["none", "auto"]) {
    const fixed = await deno(home, project, [...args, `--node-modules-dir=${fix}`, "main.ts"]);
    assertEquals(fixed.stdout, works, `--node-modules-dir=${fix}: ${fixed.stderr}`);
  }
});

Deno.test("mod.ts is the carpool command when it is run by URL", async () => {
  await using home = await TempHome.make();
  await using server = serveSources();
  const args = [
    "run",
    "--no-prompt",
    `--allow-import=${server.origin}`,
    `http://${server.origin}/mod.ts`,
    "--help",
  ];
  const result = await run(Deno.execPath(), args, { env: home.env, clearEnv: true, cwd: home.path });
  assert(result.success, result.stderr);
  assert(result.stdout.includes("carpool"), result.stdout);
});
