import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MasterError } from "../../lib/base/errors.ts";
import { startKeeper } from "../../lib/master/start_keeper.ts";
import { processesMarked } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { KeeperWorld } from "./keeper_world.ts";

const PROGRAM = join(import.meta.dirname!, "start_program.ts");
const MODULE = new URL("../../mod.ts", import.meta.url).href;

/** Runs a user's program in the world's home with these permissions. */
function runProgram(world: KeeperWorld, flags: readonly string[], args: readonly string[] = []) {
  const fixed = ["run", "--quiet", "--no-config", "--no-lock", "--no-check", "--no-prompt"];
  return run(Deno.execPath(), [...fixed, ...flags, PROGRAM, world.configFile, MODULE, ...args], {
    env: world.home.env,
    clearEnv: true,
  });
}

/** The command ran over a private connection, and one line says why. */
function assertPrivate(world: KeeperWorld, r: { stdout: string; stderr: string }, why: RegExp): void {
  assertEquals(r.stdout, "ran\n");
  assertMatch(r.stderr, /^Not sharing the connection to .*\n$/);
  assertEquals(r.stderr.split("\n").length, 2, r.stderr);
  assertMatch(r.stderr, why);
  assertEquals([world.keeperPids(), world.sockets()], [[], []]);
  assertEquals(world.sshd.connections(), 1);
}

Deno.test("a program without permission to run the keeper connects by itself and says so in one line", async () => {
  await using world = await KeeperWorld.make();
  const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-sys"];
  assertPrivate(world, await runProgram(world, flags), /Cannot start the keeper: .*without --allow-run/);
});

Deno.test("a program that may not even ask who it is connects by itself and says so in one line", async () => {
  await using world = await KeeperWorld.make();
  const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run"];
  assertPrivate(world, await runProgram(world, flags), /Cannot look for the keeper: .*sys access/);
});

Deno.test("a program that may use only TCP rides nobody's master and says so in one line", async () => {
  await using world = await KeeperWorld.make();
  assertEquals((await world.exec("echo ran")).stderr, "");
  const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-run"];
  const r = await runProgram(world, [...flags, `--allow-net=127.0.0.1:${world.sshd.port}`]);
  assertEquals(r.stdout, "ran\n");
  assertMatch(r.stderr, /^Not sharing the connection to .*may not open control sockets[^\n]*\n$/);
  assertEquals([world.keeperPids().length, world.sshd.connections()], [1, 2]);
});

Deno.test("a compiled program connects by itself and says so in one line", async () => {
  await using world = await KeeperWorld.make();
  assertPrivate(world, await runProgram(world, ["-A"], ["compiled"]), /a compiled program has no runtime/);
});

Deno.test("a compiled program rides a master that somebody else has started", async () => {
  await using world = await KeeperWorld.make();
  assertEquals((await world.exec("echo ran")).stderr, "");
  const r = await runProgram(world, ["-A"], ["compiled"]);
  assertEquals([r.stdout, r.stderr, world.sshd.connections()], ["ran\n", "", 1]);
});

Deno.test("a home in which no directory can be made leads to a private connection and one line", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write(".local", "a file where a directory should be");
  const r = await world.exec("echo ran");
  assertPrivate(world, r, /Cannot start the keeper/);
});

Deno.test("a directory that is open to others is not used, and one line says how to mend it", async () => {
  await using world = await KeeperWorld.make();
  await Deno.mkdir(world.place.directory, { recursive: true });
  await Deno.chmod(world.place.directory, 0o755);
  const r = await world.exec("echo ran");
  assertPrivate(world, r, /open to others/);
});

Deno.test("a home whose path is too long for sockets leads to a private connection and one line", async () => {
  await using world = await KeeperWorld.make();
  const home = join(world.home.path, "x".repeat(60));
  await Deno.mkdir(home);
  const args = ["exec", "-F", world.configFile, "test", "--", "echo ran"];
  assertPrivate(world, await world.run(args, { env: { HOME: home } }), /a socket path may have at most/);
});

Deno.test("a keeper that is not up in time is ended, and the reason told", async () => {
  await using world = await KeeperWorld.make();
  const program = `file://${await world.home.write("hang.ts", "setInterval(() => {}, 1000);\n")}`;
  const error = await assertRejects(
    () => startKeeper(world.place, { program }),
    MasterError,
    "not up within",
  );
  assertEquals(error.code, "no-keeper");
  while (processesMarked(world.home.path).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  // Nobody is kept from the next attempt.
  using line = await startKeeper(world.place);
  assert(line);
});

Deno.test("a keeper that ends at once is told by its status", async () => {
  await using world = await KeeperWorld.make();
  const program = `file://${await world.home.write("fail.ts", "Deno.exit(3);\n")}`;
  await assertRejects(() => startKeeper(world.place, { program }), MasterError, "it ended with status 3");
});
