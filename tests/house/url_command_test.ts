import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { KeeperWorld } from "../master/keeper_world.ts";
import { run } from "../support/run.ts";
import { serveSources } from "./served_sources.ts";

const TASK = `name: shown
hosts: [nowhere.invalid]
steps:
  - exec: echo hello
`;

for (const door of ["mod.ts", "lib/cli/main.ts"]) {
  Deno.test(`the command that was installed from the URL of ${door} is whole when its origin has gone`, async () => {
    await using world = await KeeperWorld.make();
    const { home } = world;
    const env = { ...home.env, DENO_DIR: join(home.path, "deno") };
    const options = { env, clearEnv: true, cwd: home.path, deadlineMs: 300_000 };
    const flags = ["--quiet", "--no-lock", "-A"];
    const server = serveSources();
    try {
      const program = `http://${server.origin}/${door}`;
      const how = ["install", ...flags, "--global", "--root", home.path, "--name", "carpool", program];
      const installed = await run(Deno.execPath(), how, options);
      assertEquals(installed.code, 0, installed.stderr);
    } finally {
      await server[Symbol.asyncDispose]();
    }
    // Neither the origin nor the registry can be reached any more.
    const nowhere = "http://127.0.0.1:9/";
    const offline = { ...env, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, https_proxy: nowhere, NO_PROXY: "" };
    const carpool = (...args: string[]) =>
      run(join(home.path, "bin", "carpool"), args, { ...options, env: offline });
    await home.write("task.yaml", TASK);

    const listed = (await carpool("--help")).stdout.split("\n\n")[2];
    const commands = [...listed.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);
    assert(commands.includes("exec") && commands.includes("bench"), listed);
    for (const command of commands) {
      const help = await carpool(command, "--help");
      assertEquals([help.code, help.stderr], [0, ""], command);
    }
    assertMatch((await carpool("--version")).stdout, /^carpool \d/);
    assertMatch((await carpool("plan", "task.yaml")).stdout, /echo hello/);
    const exec = (...words: string[]) => carpool("exec", "-F", world.configFile, "test", "--", ...words);
    assertEquals((await exec("echo", "cold")).stdout, "cold\n");
    assertEquals((await exec("echo", "warm")).stdout, "warm\n");
    const ran = await carpool("run", "task.yaml", "-F", world.configFile, "--hosts", "test");
    assert(ran.success && ran.stdout.includes("hello"), ran.stdout + ran.stderr);
    assertEquals(world.sshd.connections(), 1);
  });
}
