/** Copies where sessions are few: none waits for one while it holds what another waits for. */
import { assert, assertEquals } from "@std/assert";
import { leftBehind, snapshot, tempDir } from "./sftp_server.ts";
import { age, StreamWorld } from "./stream_world.ts";

for (const limit of [1, 2]) {
  Deno.test(`trees of all kinds are copied and fetched where MaxSessions is ${limit}`, async () => {
    await using world = await StreamWorld.start({ config: [`MaxSessions ${limit}`] });
    await using dir = await tempDir();
    await Deno.mkdir(`${dir.path}/src/sub`, { recursive: true });
    await Deno.writeTextFile(`${dir.path}/src/sub/new\nline`, "so that names do not fit the command");
    await Deno.writeFile(`${dir.path}/src/large`, new Uint8Array(20 * 1024 * 1024).fill(7));
    await Deno.symlink("sub", `${dir.path}/src/link`);
    await age(`${dir.path}/src`);
    const { host, home } = world;
    await host.copy(`${dir.path}/src`, "dst");
    assertEquals(await snapshot(`${home}/dst`), await snapshot(`${dir.path}/src`));
    const again = await host.copy(`${dir.path}/src/`, "dst", { verify: true });
    assertEquals([again.files, again.skipped], [0, 2]);
    await host.copy(`${dir.path}/src/`, "dst", { update: "checksum" });
    await host.copy(`${dir.path}/src/large`, "other", { verify: true });
    await host.fetch("dst", `${dir.path}/back`);
    assertEquals(await snapshot(`${dir.path}/back`), await snapshot(`${dir.path}/src`));
    const checked = await host.fetch("dst/", `${dir.path}/back`, { update: "checksum" });
    assertEquals(checked.files + checked.skipped, 2);
  });
}

Deno.test("more copies at once than there are sessions all end", async () => {
  await using world = await StreamWorld.start({ config: ["MaxSessions 3"] });
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (let at = 0; at < 30; at++) await Deno.writeTextFile(`${dir.path}/src/${at}`, `${at}`);
  await Deno.writeFile(`${dir.path}/src/large`, new Uint8Array(18 * 1024 * 1024).fill(1));
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, at) => world.host.copy(`${dir.path}/src`, `dst${at}`, { verify: true })),
  );
  assert(results.every(({ files }) => files === 31));
  const fetched = await Promise.all(
    Array.from({ length: 8 }, (_, at) => world.host.fetch(`dst${at}`, `${dir.path}/back${at}`)),
  );
  assert(fetched.every(({ files }) => files === 31));
  assertEquals(await leftBehind(world.home), []);
});
