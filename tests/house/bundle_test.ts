import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { KeeperWorld } from "../master/keeper_world.ts";
import { run } from "../support/run.ts";
import { BUNDLE, bundledSources, bundleStamp } from "../support/write_bundle.ts";
import { root } from "./source_files.ts";

Deno.test("the bundle of a warm exec is in step with its sources; else: deno task bundle", async () => {
  const text = await Deno.readTextFile(join(root, BUNDLE));
  assertEquals(/^\/\/ sources: (\w+)$/m.exec(text)?.[1], await bundleStamp());
  // Each source has a heading in it: what the stamp is made of and what was bundled are the same files.
  const bundled = [...text.matchAll(/^\/\/ (lib\/\S+\.ts)$/gm)].map(([, file]) => file);
  assertEquals(bundled.sort(), bundledSources());
});

Deno.test("a warm exec takes the bundle, and without it the sources, which do the same", async () => {
  await using world = await KeeperWorld.make();
  const { home, configFile } = world;
  const copied = await run("cp", ["-r", join(root, "lib"), home.path]);
  assertEquals(copied.code, 0, copied.stderr);
  // What leads the long way is gone, and whoever loads the bundle says so.
  await Deno.remove(join(home.path, "lib/cli/exec.ts"));
  await Deno.writeTextFile(join(home.path, BUNDLE), 'console.error("bundled");\n', { append: true });
  assertEquals((await world.exec("true")).code, 0);

  const program = join(home.path, "lib/cli/main.ts");
  const flags = ["run", "--quiet", "-A", "--no-config", "--no-lock", "--no-check", program];
  const exec = (command: string) =>
    run(Deno.execPath(), [...flags, "exec", "-F", configFile, "test", "--", command], {
      env: home.env,
      clearEnv: true,
      stdin: "in",
    });
  const command = "cat; echo err >&2; exit 3";
  const bundled = await exec(command);
  assertEquals([bundled.code, bundled.stdout, bundled.stderr], [3, "in", "bundled\nerr\n"]);
  await Deno.remove(join(home.path, BUNDLE));
  const plain = await exec(command);
  assertEquals([plain.code, plain.stdout, plain.stderr], [3, "in", "err\n"]);
  assertEquals(world.sshd.connections(), 1);
});
