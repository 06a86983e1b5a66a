import { assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { root } from "../house/source_files.ts";
import { run } from "../support/run.ts";
import { KeeperWorld, procText } from "./keeper_world.ts";

/** Serves `mod.ts` and what it needs, as a code host would. */
function serveSources() {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url }) => {
    const { pathname } = new URL(url);
    if (!/^\/(mod|lib\/[\w./]+)\.ts$/.test(pathname)) return new Response(null, { status: 404 });
    try {
      const text = await Deno.readTextFile(join(root, pathname));
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new Response(null, { status: 404 });
    }
  });
  return { host: `127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}

Deno.test("a module imported by URL starts the keeper when its origin has gone", async () => {
  await using world = await KeeperWorld.make();
  const env = { ...world.home.env, DENO_DIR: join(world.home.path, "deno") };
  const program = join(import.meta.dirname!, "start_program.ts");
  const server = serveSources();
  const module = `http://${server.host}/mod.ts`;
  const fixed = ["--no-config", "--no-lock", `--allow-import=${server.host}`];
  const options = { env, clearEnv: true, deadlineMs: 300_000 };
  try {
    // Importing it once is all that a user does: `deno cache` fetches what that would, no more.
    const main = await world.home.write("main.ts", `export * from "${module}";\n`);
    const cached = await run(Deno.execPath(), ["cache", "--quiet", ...fixed, main], options);
    assertEquals([cached.code, cached.stderr], [0, ""]);
  } finally {
    await server.stop();
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
