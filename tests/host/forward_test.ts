import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ChannelError, ForwardError } from "../../lib/base/errors.ts";
import { openForward } from "../../lib/channel/forward/forward.ts";
import { parseForward } from "../../lib/channel/forward/forward_text.ts";
import { publicTempDir } from "../support/public_files.ts";
import { startSshd } from "../support/sshd.ts";
import {
  askSocks,
  assertEchoes,
  closeQuietly,
  connectTo,
  echo,
  readAll,
  readExactly,
  TestServer,
  toPort,
  writeAll,
} from "./forward_peers.ts";

const TEN_MB = 10 * 1024 * 1024;

const toPath = (path: string) => Deno.connect({ transport: "unix", path });

/** A directory that sshd's user may use too. */
async function sharedDir(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await publicTempDir("carpool-forward-");
  await Deno.chmod(path, 0o777);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

Deno.test("forward -L carries 10 MB both ways, TCP and Unix sockets at either end", async () => {
  await using server = await startSshd();
  await using dir = await sharedDir();
  await using connection = await connectTo(server);
  const remotePath = join(dir.path, "remote");
  const localPath = join(dir.path, "local");
  await using tcp = TestServer.tcp(echo);
  await using unix = TestServer.unix(remotePath, echo);
  for (
    const [text, connect] of [
      [`127.0.0.1:0:127.0.0.1:${tcp.port}`, toPort],
      [`127.0.0.1:0:${remotePath}`, toPort],
      [`${localPath}:127.0.0.1:${tcp.port}`, () => toPath(localPath)],
      [`${localPath}:${remotePath}`, () => toPath(localPath)],
    ] as const
  ) {
    await using forward = await openForward(connection, parseForward("local", text));
    await assertEchoes(await connect(forward.listenPort), TEN_MB);
  }
  assertEquals(unix.open, 0);
  assertEquals(await exists(localPath), false);
});

Deno.test("forward -R carries 10 MB both ways, TCP and Unix sockets at either end", async () => {
  await using server = await startSshd();
  await using dir = await sharedDir();
  await using connection = await connectTo(server);
  const localPath = join(dir.path, "local");
  await using tcp = TestServer.tcp(echo);
  await using _unix = TestServer.unix(localPath, echo);
  // sshd removes no socket file by itself when a forward is cancelled: each has a path of its own.
  const [first, second] = [join(dir.path, "r1"), join(dir.path, "r2")];
  for (
    const [text, connect] of [
      [`0:127.0.0.1:${tcp.port}`, toPort],
      [`127.0.0.1:0:${localPath}`, toPort],
      [`${first}:127.0.0.1:${tcp.port}`, () => toPath(first)],
      [`${second}:${localPath}`, () => toPath(second)],
    ] as const
  ) {
    await using forward = await openForward(connection, parseForward("remote", text));
    if (!text.startsWith("/")) assert((forward.listenPort as number) > 0);
    await assertEchoes(await connect(forward.listenPort), TEN_MB);
  }
});

for (const kind of ["dynamic", "remote"] as const) {
  Deno.test(`forward of kind ${kind} speaks SOCKS 4, 4a and 5 and carries 10 MB both ways`, async () => {
    await using server = await startSshd();
    await using connection = await connectTo(server);
    await using target = TestServer.tcp(echo);
    await using forward = await openForward(connection, parseForward(kind, "127.0.0.1:0"));
    for (const version of ["4", "4a", "5", "5-name"] as const) {
      const socket = await toPort(forward.listenPort);
      assertEquals(await askSocks(socket, version, target.port), version.startsWith("4") ? 90 : 0);
      await assertEchoes(socket, version === "5" ? TEN_MB : 1000);
    }
  });

  Deno.test(`forward of kind ${kind} tells a SOCKS client that its target refused, and goes on`, async () => {
    await using server = await startSshd();
    await using connection = await connectTo(server);
    const errors: unknown[] = [];
    await using forward = await openForward(connection, parseForward(kind, "127.0.0.1:0"), {
      onConnectionError: (error) => errors.push(error),
    });
    for (const [version, code] of [["5", 5], ["4", 91]] as const) {
      using socket = await toPort(forward.listenPort);
      assertEquals(await askSocks(socket, version, 1), code);
      assertEquals((await readAll(socket)).length, 0);
    }
    using browser = await toPort(forward.listenPort);
    await writeAll(browser, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await readAll(browser).catch((error) => assert(error instanceof Deno.errors.ConnectionReset));
    await using target = TestServer.tcp(echo);
    const socket = await toPort(forward.listenPort);
    assertEquals(await askSocks(socket, "5", target.port), 0);
    await assertEchoes(socket, 1000);
    assertEquals(errors.length, 3);
    assertEquals((errors[2] as ForwardError).code, "bad-socks");
  });
}

Deno.test("forward serves 20 connections at once, and a reader that never reads holds up none of them", async () => {
  await using server = await startSshd();
  await using connection = await connectTo(server);
  await using target = TestServer.tcp(echo);
  await using endless = TestServer.tcp(async (socket) => {
    const piece = new Uint8Array(64 * 1024);
    for (;;) await writeAll(socket, piece);
  });
  await using stuck = await openForward(
    connection,
    parseForward("local", `127.0.0.1:0:127.0.0.1:${endless.port}`),
  );
  await using forward = await openForward(
    connection,
    parseForward("local", `127.0.0.1:0:127.0.0.1:${target.port}`),
  );
  using _unread = await toPort(stuck.listenPort);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => toPort(forward.listenPort)));
  await Promise.all(sockets.map((socket) => assertEchoes(socket, 512 * 1024)));
  assertEquals(stuck.connections, 1);
});

Deno.test("forward keeps the other direction open after a half-close", async () => {
  await using server = await startSshd();
  await using connection = await connectTo(server);
  // Answers only when it has heard everything.
  await using target = TestServer.tcp(async (socket) => {
    const heard = await readExactly(socket, 100);
    await writeAll(socket, new TextEncoder().encode(`heard ${heard.length}`));
  });
  for (const [kind, text] of [["local", "127.0.0.1:0"], ["remote", "0"]] as const) {
    const spec = parseForward(kind, `${text}:127.0.0.1:${target.port}`);
    await using forward = await openForward(connection, spec);
    const socket = await toPort(forward.listenPort);
    await writeAll(socket, new Uint8Array(42));
    await socket.closeWrite();
    assertEquals(new TextDecoder().decode(await readAll(socket)), "heard 42");
    closeQuietly(socket);
  }
});

Deno.test("forward closes its listener and its connections, on both sides, and can be opened again", async () => {
  await using server = await startSshd();
  await using connection = await connectTo(server);
  await using target = TestServer.tcp(echo);
  for (const [kind, text] of [["local", "127.0.0.1:0"], ["remote", "0"]] as const) {
    const forward = await openForward(connection, parseForward(kind, `${text}:127.0.0.1:${target.port}`));
    const port = forward.listenPort as number;
    const socket = await toPort(port);
    await writeAll(socket, Uint8Array.of(1));
    await readExactly(socket, 1);
    assertEquals(forward.connections, 1);
    await Promise.all([forward.close(), forward.close()]);
    assertEquals([(await forward.closed).how, forward.connections], ["closed", 0]);
    assertEquals((await readAll(socket).catch(() => new Uint8Array())).length, 0);
    closeQuietly(socket);
    await assertRejects(() => toPort(port), Deno.errors.ConnectionRefused);

    const again = parseForward(kind, `127.0.0.1:${port}:127.0.0.1:${target.port}`);
    await using second = await openForward(connection, again);
    await assertEchoes(await toPort(second.listenPort), 1000);
  }
  assertEquals(connection.ended, undefined);
});

Deno.test("forward is over when its connection is, and leaves no listener", async () => {
  await using server = await startSshd();
  await using connection = await connectTo(server);
  await using target = TestServer.tcp(echo);
  const here = await openForward(connection, parseForward("local", `127.0.0.1:0:127.0.0.1:${target.port}`));
  const there = await openForward(connection, parseForward("remote", `0:127.0.0.1:${target.port}`));
  using socket = await toPort(here.listenPort);
  await writeAll(socket, Uint8Array.of(1));
  await readExactly(socket, 1);
  await server.dropConnections();
  assertEquals([(await here.closed).how, (await there.closed).how], ["lost", "lost"]);
  await assertRejects(() => toPort(here.listenPort), Deno.errors.ConnectionRefused);
  await Promise.all([here.close(), there.close()]);
  const spec = parseForward("local", "127.0.0.1:0:x:1");
  const error = await assertRejects(() => openForward(connection, spec));
  assertStringIncludes(String(error), "Cannot open the forward -L 127.0.0.1:0:x:1");
});

Deno.test("forward -R says what may be wrong when the server refuses it", async () => {
  await using server = await startSshd({ config: ["PermitListen 127.0.0.1:1"] });
  await using connection = await connectTo(server);
  const spec = parseForward("remote", "0:127.0.0.1:1");
  const error = await assertRejects(() => openForward(connection, spec), ForwardError);
  assertEquals([error.code, error.what], ["refused", "Cannot open the forward -R 0:127.0.0.1:1"]);
  assertEquals([error.where, error.why], [connection.where, "the server refused the forward"]);
  for (const word of ["AllowTcpForwarding", "GatewayPorts", "PermitListen"]) {
    assertStringIncludes(error.fix ?? "", word);
  }
});

Deno.test("forward -L says why one connection failed, closes it, and goes on", async () => {
  await using server = await startSshd({ config: ["PermitOpen 127.0.0.1:1"] });
  await using connection = await connectTo(server);
  const failed = Promise.withResolvers<unknown>();
  await using forward = await openForward(connection, parseForward("local", "127.0.0.1:0:127.0.0.1:2"), {
    onConnectionError: failed.resolve,
  });
  using socket = await toPort(forward.listenPort);
  assertEquals((await readAll(socket)).length, 0);
  const error = await failed.promise;
  assert(error instanceof ChannelError);
  assertEquals([error.code, error.reason], ["open-failed", 1]);
  using second = await toPort(forward.listenPort);
  assertEquals((await readAll(second)).length, 0);
});
