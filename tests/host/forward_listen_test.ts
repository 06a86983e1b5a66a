import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openForward } from "../../lib/channel/forward/forward.ts";
import { ForwardError } from "../../lib/base/errors.ts";
import type { Endpoint, ForwardSpec } from "../../lib/channel/forward/forward_spec.ts";
import * as m from "../../lib/wire/messages.ts";
import { Reader } from "../../lib/wire/reader.ts";
import { Peer } from "../channel/peer.ts";
import { leakFree, readAll, readExactly, toPort, writeAll } from "./forward_peers.ts";

const local = (listen: Endpoint): ForwardSpec => ({
  kind: "local",
  listen,
  connect: { host: "db", port: 5432 },
});
const anyPort = local({ host: "127.0.0.1", port: 0 });

async function tempDir(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "carpool-forward-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

leakFree(
  "forward on a Unix socket makes it for its owner only, and removes it when it is closed",
  async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "s");
    const before = Deno.umask();
    const peer = new Peer();
    const forward = await openForward(peer.connection, local({ path }));
    const { isSocket, mode } = await Deno.lstat(path);
    assertEquals([isSocket, ((mode ?? 0) & 0o777).toString(8), forward.listenPort], [true, "600", undefined]);
    assertEquals(Deno.umask(), before);
    await forward.close();
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  },
);

leakFree("forward on a Unix socket leaves what is there alone, unless told to unlink a socket", async () => {
  await using dir = await tempDir();
  const peer = new Peer();
  const [file, socket] = [join(dir.path, "file"), join(dir.path, "socket")];
  await Deno.writeTextFile(file, "mine");
  const unlink = { streamLocalBindUnlink: true };
  for (const options of [{}, unlink]) {
    const error = await assertRejects(
      () => openForward(peer.connection, local({ path: file }), options),
      ForwardError,
    );
    assertEquals([error.code, error.why], ["in-use", `${file} exists`]);
    assertEquals([error.where, error.outcome], ["tester@peer:22", "not-started"]);
    assertStringIncludes(error.fix ?? "", "StreamLocalBindUnlink");
  }
  assertEquals(await Deno.readTextFile(file), "mine");

  // One that its process left behind.
  const abandoned = Deno.listen({ transport: "unix", path: socket });
  await Deno.link(socket, `${socket}.kept`);
  abandoned.close();
  await Deno.rename(`${socket}.kept`, socket);
  const error = await assertRejects(
    () => openForward(peer.connection, local({ path: socket })),
    ForwardError,
  );
  assertEquals(error.code, "in-use");
  await using forward = await openForward(peer.connection, local({ path: socket }), unlink);
  using client = await Deno.connect({ transport: "unix", path: socket });
  const open = await peer.confirm();
  assertEquals(open.type, "direct-tcpip");
  // A Unix socket has no address to name.
  const data = new Reader(open.data);
  assertEquals([data.utf8(), data.uint32(), data.utf8(), data.uint32()], ["db", 5432, "127.0.0.1", 65535]);
  await forward.close();
  assertEquals((await readAll(client)).length, 0);
});

leakFree("forward says where a Unix socket cannot be made", async () => {
  await using dir = await tempDir();
  const peer = new Peer();
  const spec = local({ path: join(dir.path, "no", "s") });
  const error = await assertRejects(() => openForward(peer.connection, spec), ForwardError);
  assertEquals([error.code, error.fix], ["cannot-listen", "check that its directory exists and is yours"]);
});

leakFree("forward says when its port is in use, or its address is not of this machine", async () => {
  const peer = new Peer();
  await using first = await openForward(peer.connection, anyPort);
  const taken = local({ host: "127.0.0.1", port: first.listenPort as number });
  const inUse = await assertRejects(() => openForward(peer.connection, taken), ForwardError);
  assertEquals([inUse.code, inUse.why], ["in-use", `port ${first.listenPort} is in use on this machine`]);
  assertStringIncludes(inUse.what, `Cannot listen for the forward -L 127.0.0.1:${first.listenPort}:db:5432`);
  const foreign = local({ host: "192.0.2.1", port: 0 });
  const error = await assertRejects(() => openForward(peer.connection, foreign), ForwardError);
  assertEquals([error.code, error.fix], ["cannot-listen", "take an address of this machine"]);
});

leakFree("forward names the client's address to the server", async () => {
  const peer = new Peer();
  await using forward = await openForward(peer.connection, anyPort);
  using client = await toPort(forward.listenPort);
  const data = new Reader((await peer.confirm()).data);
  assertEquals([data.utf8(), data.uint32()], ["db", 5432]);
  assertEquals([data.utf8(), data.uint32()], ["127.0.0.1", (client.localAddr as Deno.NetAddr).port]);
});

leakFree("forward leaves further clients in the queue when it has as many as it takes", async () => {
  const peer = new Peer();
  await using forward = await openForward(peer.connection, anyPort, { maxConnections: 1 });
  const first = await toPort(forward.listenPort);
  const { sender } = await peer.confirm({ sender: 7 });
  using second = await toPort(forward.listenPort);
  await writeAll(second, new TextEncoder().encode("hello"));
  assertEquals([forward.connections, peer.pending], [1, 0]);
  first.close();
  await peer.next(m.MSG.CHANNEL_EOF);
  peer.send(m.encodeChannelClose(sender));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await peer.confirm({ sender: 8 });
  const { recipient, data } = m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA));
  assertEquals([recipient, new TextDecoder().decode(data)], [8, "hello"]);
});

leakFree(
  "forward that is closed while a channel is being opened ends its client and the late channel",
  async () => {
    const peer = new Peer();
    const forward = await openForward(peer.connection, anyPort);
    using client = await toPort(forward.listenPort);
    const open = m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN));
    await forward.close();
    assertEquals((await readAll(client)).length, 0);
    const confirmation = { recipient: open.sender, sender: 7, window: 10, maxPacket: 10 };
    peer.send(m.encodeChannelOpenConfirmation(confirmation));
    await peer.next(m.MSG.CHANNEL_CLOSE);
    assertEquals(forward.connections, 0);
  },
);

leakFree(
  "SOCKS client that sends its first bytes with the request loses none, and hears when it is open",
  async () => {
    const peer = new Peer();
    const spec: ForwardSpec = { kind: "dynamic", listen: { host: "127.0.0.1", port: 0 } };
    await using forward = await openForward(peer.connection, spec);
    using client = await toPort(forward.listenPort);
    const words = [..."hello"].map((letter) => letter.charCodeAt(0));
    await writeAll(client, Uint8Array.of(5, 1, 0, 5, 1, 0, 3, 2, 100, 98, 0, 80, ...words));
    assertEquals([...await readExactly(client, 2)], [5, 0]);
    const data = new Reader((await peer.confirm()).data);
    assertEquals([data.utf8(), data.uint32()], ["db", 80]);
    assertEquals((await readExactly(client, 10))[1], 0);
    const sent = m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data;
    assertEquals(new TextDecoder().decode(sent), "hello");
  },
);

leakFree("SOCKS client that never says what it wants is ended with its forward", async () => {
  const peer = new Peer();
  const spec: ForwardSpec = { kind: "dynamic", listen: { host: "127.0.0.1", port: 0 } };
  const forward = await openForward(peer.connection, spec);
  using client = await toPort(forward.listenPort);
  await writeAll(client, Uint8Array.of(5, 1, 0));
  await readExactly(client, 2);
  assertEquals(forward.connections, 1);
  await forward.close();
  assertEquals((await readAll(client)).length, 0);
  assertEquals(peer.pending, 0);
});

leakFree("forward that is not wanted any more is not opened", async () => {
  const peer = new Peer();
  const reason = new Error("enough");
  const error = await assertRejects(() =>
    openForward(peer.connection, anyPort, { signal: AbortSignal.abort(reason) })
  );
  assert(error === reason);
});

/** Who ends a connection first, and how. */
const ENDINGS: Readonly<Record<string, (end: Ending) => Promise<void> | void>> = {
  "the client": ({ client }) => client.close(),
  "the client, of one direction": ({ client }) => client.closeWrite(),
  "the server": ({ peer, sender }) => peer.send(m.encodeChannelClose(sender)),
  "the server, of one direction": ({ peer, sender }) => peer.send(m.encodeChannelEof(sender)),
  "both at once": ({ peer, sender, client }) => {
    peer.send(m.encodeChannelClose(sender));
    client.close();
  },
  "the link": ({ peer }) => peer.hangUp(),
  "a breach of the protocol": ({ peer }) => peer.send(m.encodeChannelEof(4711)),
};

interface Ending {
  readonly peer: Peer;
  readonly sender: number;
  readonly client: Deno.Conn;
}

for (const [who, end] of Object.entries(ENDINGS)) {
  leakFree(`forward leaves nothing behind when the end comes from ${who}, with bytes under way`, async () => {
    const peer = new Peer();
    const forward = await openForward(peer.connection, anyPort);
    const client = await toPort(forward.listenPort);
    const { sender } = await peer.confirm({ window: 10 });
    await writeAll(client, new Uint8Array(100)); // more than the window takes
    await peer.next(m.MSG.CHANNEL_DATA);
    peer.send(m.encodeChannelData(sender, new Uint8Array(1000)));
    await end({ peer, sender, client });
    await peer.settle();
    await forward.close();
    try {
      client.close();
    } catch (error) {
      assert(error instanceof Deno.errors.BadResource);
    }
    assertEquals(forward.connections, 0);
    await forward.closed;
  });
}
