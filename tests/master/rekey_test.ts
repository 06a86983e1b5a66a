import { assertEquals } from "@std/assert";
import { KeeperWorld } from "./keeper_world.ts";

Deno.test("new keys every mebibyte, while data flows both ways and commands come and go, cost nobody anything", async () => {
  await using world = await KeeperWorld.make({}, ["RekeyLimit 1M"]);
  for (const share of [true, false]) {
    await using host = await world.connect({ share });
    const execs = Promise.all(
      Array.from({ length: 40 }, async (_, n) => (await host.exec(`sleep 0.0${n % 10}; echo ${n}`)).stdout),
    );
    const pull = host.exec("head -c 40000000 /dev/zero", { encoding: "bytes" });
    const push = host.exec("wc -c", { stdin: new Uint8Array(20_000_000) });
    assertEquals((await pull).stdout.length, 40_000_000);
    assertEquals((await push).stdout.trim(), "20000000");
    assertEquals(await execs, Array.from({ length: 40 }, (_, n) => `${n}\n`));
  }
  // One of the keeper's, one private; none was made anew.
  assertEquals(world.sshd.connections(), 2);
});
