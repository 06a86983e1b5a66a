import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";

const root = new URL("../..", import.meta.url).pathname;

interface Lock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, unknown>>;
}

async function lock(name: string): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(join(root, name)));
}

// Deno fetches every package of the lock file before it runs anything: with deno.lock, a first look at the demo would wait
// for the browser and the plots of the tests and the benchmark.
Deno.test("carpool demo fetches what it needs, in the versions of deno.lock, and nothing else", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  assertEquals(/--lock=(\S+)/.exec(tasks.demo)?.[1], "lib/cli/demo.lock");
  const [own, all] = await Promise.all([lock("lib/cli/demo.lock"), lock("deno.lock")]);
  assertEquals(Object.keys(own.specifiers).map((name) => name.replace(/^npm:(.+)@[^@]+$/, "$1")), [
    ...["@marcbachmann/cel-js", "deno-std", "ssh2", "yaml", "zod"],
  ]);
  for (const part of ["specifiers", "npm"] as const) {
    for (const [name, value] of Object.entries(own[part])) assertEquals(value, all[part][name], name);
  }

  // A package that were missing there would be added by the run.
  await using home = await TempHome.make();
  const copy = await home.write("demo.lock", await Deno.readTextFile(join(root, "lib/cli/demo.lock")));
  const words = tasks.demo.split(" ").slice(1).map((word: string) =>
    word.startsWith("--lock=") ? `--lock=${copy}` : word.startsWith("--allow-write=") ? "--allow-write" : word
  );
  const { code, stderr } = await run(Deno.execPath(), [...words, "--hosts", "1", "--rtt", "0"], {
    cwd: root,
    env: home.env,
    clearEnv: true,
  });
  assertEquals(code, 0, stderr);
  assertEquals(JSON.parse(await Deno.readTextFile(copy)), own);
});
