import { assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { serveSources } from "../house/served_sources.ts";
import { run } from "../support/run.ts";
import { KeeperWorld, procText } from "./keeper_world.ts";

Deno.test("a module imported by URL starts the keeper when its origin has gone", async () => {
  await using world = await KeeperWorld.make();
  const env = { ...world.home.env, DENO_DIR: join(world.home.path, "deno") };
  const program = join(import.meta.dirname!, "start_program.ts");
  const server = serveSources();
  const module = `http://${server.origin}/mod.ts`;
  const fixed = ["--no-config", "--no-lock", `--allow-import=${server.origin}`];
  const options = { env, clearEnv: true, deadlineMs: 300_000 };
  try {
    // Importing it once is all that a user does: `deno cache` fetches what that would, no more.
    const main = await world.home.write("main.ts", `export * from "${module}";\n`);
    const cached = await run(Deno.execPath(), ["cache", "--quiet", ...fixed, main], options);
    assertEquals([cached.code, cached.stderr], [0, ""]);
  } finally {
    await server[Symbol.asyncDispose]();
  }
  // Neither the origin nor the registry can be reached any more.
  const nowhere = "http://127.0.0.1:9/";
  const offline = { ...env, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, https_proxy: nowhere, NO_PROXY: "" };
  const args = [
    "run",
    "--quiet",
    "-A",
    "--no-check",
    "--no-config",
    "--no-lock",
    program,
    world.configFile,
    module,
  ];
  const r = await run(Deno.execPath(), args, { ...options, env: offline });
  assertEquals([r.stdout, r.stderr], ["ran\n", ""]);
  const [pid] = world.livingKeepers();
  assertNotEquals(pid, undefined);
  assertEquals(
    procText(pid, "tr '\\0' '\\n' < cmdline").match(/http:.*/)?.[0],
    module.replace("mod.ts", "lib/master/keeper_main.ts"),
  );
  // That one connection was made by it.
  assertEquals([world.sshd.connections(), (await world.masters()).length], [1, 1]);
});
