import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { root } from "../house/source_files.ts";
import { alive, gone, signalProcess } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { KeeperWorld } from "./keeper_world.ts";

const PROGRAM = join(import.meta.dirname!, "start_program.ts");

/** A Carpool whose keeper speaks another protocol: the sources, with one number changed. */
async function otherCarpool(dir: string): Promise<string> {
  const copied = await run("cp", ["-r", join(root, "mod.ts"), join(root, "lib"), dir]);
  assertEquals(copied.code, 0, copied.stderr);
  const file = join(dir, "lib", "master", "places.ts");
  const text = await Deno.readTextFile(file);
  const changed = text.replace(/KEEPER_PROTOCOL = \d+/, "KEEPER_PROTOCOL = 99");
  assertEquals(changed === text, false);
  await Deno.writeTextFile(file, changed);
  return join(dir, "mod.ts");
}

Deno.test("keepers of two protocol versions live side by side, and neither breaks", async () => {
  await using world = await KeeperWorld.make();
  const dir = join(world.home.path, "newer");
  await Deno.mkdir(dir);
  const newer = await otherCarpool(dir);
  const flags = ["run", "-A", "--quiet", "--no-config", "--no-lock", "--no-check"];
  const exec = async (module: string) => {
    const args = [...flags, PROGRAM, world.configFile, `file://${module}`];
    return await run(Deno.execPath(), args, { env: world.home.env, clearEnv: true });
  };
  const newerLog = world.place.logFile.replace(/keeper-\d+\.log/, "keeper-99.log");
  const newerPid = async () => {
    const log = await Deno.readTextFile(newerLog).catch(() => "");
    return Number(/\[(\d+)\] keeper started/.exec(log)?.[1]);
  };
  try {
    for (let i = 0; i < 2; i++) {
      const [ours, theirs] = [await exec(join(root, "mod.ts")), await exec(newer)];
      assertEquals([ours.stdout, ours.stderr, theirs.stdout, theirs.stderr], ["ran\n", "", "ran\n", ""]);
    }
    assertEquals(world.sshd.connections(), 2); // one for each keeper
    assertEquals(world.livingKeepers().length, 1);
    assertEquals(alive([await newerPid()]).length, 1);
    // Each is replaced without touching the other.
    signalProcess(world.keeperPids()[0], "SIGKILL");
    await gone(world.keeperPids());
    assertEquals((await exec(join(root, "mod.ts"))).stdout, "ran\n");
    assertEquals((await exec(newer)).stdout, "ran\n");
    assertEquals(world.sshd.connections(), 3);
    assertMatch(world.sockets().join(" "), /keeper-1.sock keeper-99.sock m1-\w+.sock m99-\w+.sock/);
  } finally {
    const pid = await newerPid();
    if (pid > 0) {
      signalProcess(pid, "SIGKILL");
      await gone([pid]);
    }
  }
});
