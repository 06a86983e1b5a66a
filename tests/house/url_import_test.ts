import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { run, type RunResult } from "../support/run.ts";
import { gone, signalProcess } from "../support/processes.ts";
import { startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";
import { serveSources } from "./served_sources.ts";

/** Runs `deno` in `dir` with a cache that starts empty. */
async function deno(home: TempHome, dir: string, args: readonly string[]): Promise<RunResult> {
  return await run(Deno.execPath(), args, {
    env: { ...home.env, DENO_DIR: join(home.path, "deno") },
    clearEnv: true,
    cwd: dir,
    deadlineMs: 300_000,
  });
}

/** Imports the door, then makes it load what it loads lazily: ssh2 comes with the first connection of its own. */
function program(origin: string): string {
  return `import { CarpoolError, connect } from "http://${origin}/mod.ts";
console.log(typeof connect);
try {
  await connect("nobody@127.0.0.1:1", { strictHostKeyChecking: "no", share: false });
} catch (error) {
  console.log(error instanceof CarpoolError ? error.code + ": " + error.fix : error);
}
`;
}

const PACKAGE_JSON = JSON.stringify({ name: "project", private: true, type: "module" });

Deno.test("mod.ts is imported by URL from an empty directory, and from a project with a package.json", async () => {
  await using home = await TempHome.make();
  await using server = serveSources();
  const access = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"];
  const args = ["run", "--no-prompt", `--allow-import=${server.origin}`, ...access];
  await home.write("empty/main.ts", program(server.origin));
  await home.write("project/main.ts", program(server.origin));
  await home.write("project/package.json", PACKAGE_JSON);

  const works = /^function\nrefused: /;
  const empty = await deno(home, join(home.path, "empty"), [...args, "--check", "main.ts"]);
  assertMatch(empty.stdout, works, empty.stderr);
  assert(server.requested.has("/mod.ts"));

  // Beside a package.json Deno looks for packages in node_modules alone, unless it is told otherwise.
  const project = join(home.path, "project");
  const plain = await deno(home, project, [...args, "main.ts"]);
  assertMatch(plain.stdout, /^function\nmissing-package: .*nodeModulesDir/, plain.stderr);
  for (const fix of ["none", "auto"]) {
    const fixed = await deno(home, project, [...args, "--check", `--node-modules-dir=${fix}`, "main.ts"]);
    assertMatch(fixed.stdout, works, `--node-modules-dir=${fix}: ${fixed.stderr}`);
  }
});

Deno.test("a project with a package.json rides a master without any package of its own", async () => {
  await using sshd = await startSshd();
  await using home = await TempHome.make();
  await using server = serveSources();
  const options = { configFile: sshd.configFile, configLines: [`ControlPath=${join(home.path, "unused")}`] };
  await home.write("project/package.json", PACKAGE_JSON);
  await home.write(
    "project/main.ts",
    `import { connect, masters } from "http://${server.origin}/mod.ts";
await using host = await connect("test", ${JSON.stringify(options)});
console.log((await host.exec("echo rode")).stdout + (await masters()).map(({ pid }) => pid));
`,
  );
  const access = ["net", "env", "read", "write", "run", "sys"].map((name) => `--allow-${name}`);
  const args = ["run", "--no-prompt", `--allow-import=${server.origin}`, ...access, "main.ts"];
  const result = await deno(home, join(home.path, "project"), args);
  const keeper = Number(/^rode\n(\d+)\n$/.exec(result.stdout)?.[1]);
  if (keeper > 0) signalProcess(keeper, "SIGTERM");
  assert(keeper > 0, result.stdout + result.stderr);
  await gone([keeper]);
  assertEquals(sshd.connections(), 1);
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
