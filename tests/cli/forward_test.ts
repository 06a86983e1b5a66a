import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { KeeperWorld } from "../master/keeper_world.ts";

/** A server that says one word to each connection. */
function saying(word: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) {
      await conn.write(new TextEncoder().encode(word)).catch(() => {}); // it has gone
      conn.close();
    }
  })();
  return { port: (listener.addr as Deno.NetAddr).port, [Symbol.dispose]: () => listener.close() };
}

async function hear(port: number): Promise<string> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return await new Response(conn.readable).text();
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

Deno.test("carpool forward adds forwards to the host's master, which outlive the command, and takes them back", async (t) => {
  await using world = await KeeperWorld.make();
  using server = saying("hello");
  const local = freePort();
  const forward = (...args: string[]) => world.run(["forward", "-F", world.configFile, ...args, "test"]);
  await t.step("-L carries data after the command has ended", async () => {
    const { code, stdout, stderr } = await forward("-L", `${local}:127.0.0.1:${server.port}`);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, new RegExp(`${local}:127\\.0\\.0\\.1:${server.port}: open\\n$`));
    assertEquals(await hear(local), "hello");
    assertEquals(world.sshd.connections(), 1);
  });
  await t.step("a second time the same is no error", async () => {
    assertEquals((await forward("-L", `${local}:127.0.0.1:${server.port}`)).code, 0);
  });
  await t.step("-R tells the port that the server allocated", async () => {
    const { stdout } = await forward("-R", `0:127.0.0.1:${server.port}`);
    const port = Number(/allocated port (\d+)/.exec(stdout)?.[1]);
    assertEquals(await hear(port), "hello");
  });
  await t.step("a port in use is told in one line", async () => {
    using taken = saying("taken");
    const { code, stderr } = await forward("-L", `${taken.port}:127.0.0.1:${server.port}`);
    assertEquals(code === 0, false);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  });
  await t.step("a remote port in use is told with what to look at", async () => {
    using taken = saying("taken");
    const { code, stderr } = await forward("-R", `127.0.0.1:${taken.port}:127.0.0.1:${server.port}`);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^carpool: Cannot forward: -R .+: the server refused the forward; is the port free there, .+\n$/,
    );
  });
  await t.step("--cancel of what was not opened says so", async () => {
    const { code, stderr } = await forward("--cancel", "-L", `1:127.0.0.1:${server.port}`);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^carpool: Cannot cancel the forward: .*no such forward.*; write it as it was opened\n$/,
    );
  });
  await t.step("--cancel ends it", async () => {
    const { code, stdout } = await forward("--cancel", "-L", `${local}:127.0.0.1:${server.port}`);
    assertEquals(code, 0);
    assertMatch(stdout, /cancelled\n$/);
    await assertRejects(
      () => Deno.connect({ hostname: "127.0.0.1", port: local }),
      Deno.errors.ConnectionRefused,
    );
  });
  await t.step("wrong use is exit 2 and one line", async () => {
    const { code, stderr } = await forward("-L", "nonsense");
    assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1]);
  });
});
