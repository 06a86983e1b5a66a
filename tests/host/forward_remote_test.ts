import { assert, assertEquals, assertRejects } from "@std/assert";
import { openForward } from "../../lib/channel/forward/forward.ts";
import { ForwardError } from "../../lib/base/errors.ts";
import { parseForward } from "../../lib/channel/forward/forward_text.ts";
import * as m from "../../lib/wire/messages.ts";
import { Reader } from "../../lib/wire/reader.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { Peer } from "../channel/peer.ts";
import { echo, leakFree, TestServer } from "./forward_peers.ts";

const WINDOW = 2 * 1024 * 1024;

/** Takes a global request; returns `address port` or the path that it names. */
async function request(peer: Peer, name: string): Promise<string> {
  const asked = m.decodeGlobalRequest(await peer.next(m.MSG.GLOBAL_REQUEST));
  assertEquals([asked.name, asked.wantReply], [name, true]);
  const data = new Reader(asked.data);
  return name.includes("streamlocal") ? data.utf8() : `${data.utf8()} ${data.uint32()}`;
}

async function openRemote(peer: Peer, text: string, options: Parameters<typeof openForward>[2] = {}) {
  const opening = openForward(peer.connection, parseForward("remote", text), options);
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  return await opening;
}

/** Answers the cancel that closing a forward sends. */
async function close(peer: Peer, forward: { close(): Promise<void> }): Promise<void> {
  const closing = forward.close();
  await request(peer, "cancel-tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  await closing;
}

function connect(peer: Peer, port: number, window = 1 << 20): void {
  const data = new Writer().utf8("localhost").uint32(port).utf8("10.1.1.1").uint32(5555).finish();
  peer.send(m.encodeChannelOpen({ type: "forwarded-tcpip", sender: 7, window, maxPacket: 32768, data }));
}

leakFree("forward -R asks for the address that ssh would ask for", async () => {
  const peer = new Peer();
  for (
    const [text, asked] of [
      ["9000:a:1", "localhost 9000"],
      ["*:9000:a:1", " 9000"],
      [":9000:a:1", " 9000"],
      ["10.0.0.1:9000:a:1", "10.0.0.1 9000"],
    ]
  ) {
    const opening = openForward(peer.connection, parseForward("remote", text));
    assertEquals(await request(peer, "tcpip-forward"), asked);
    peer.send(m.encodeGlobalReply(true));
    const forward = await opening;
    assertEquals(forward.listenPort, 9000);
    const closing = forward.close();
    assertEquals(await request(peer, "cancel-tcpip-forward"), asked);
    peer.send(m.encodeGlobalReply(false)); // whatever it says, the forward is over
    await closing;
  }
  const opening = openForward(peer.connection, parseForward("remote", "/run/x:a:1"));
  assertEquals(await request(peer, "streamlocal-forward@openssh.com"), "/run/x");
  peer.send(m.encodeGlobalReply(true));
  const closing = (await opening).close();
  assertEquals(await request(peer, "cancel-streamlocal-forward@openssh.com"), "/run/x");
  peer.send(m.encodeGlobalReply(true));
  await closing;
});

leakFree("forward -R with port 0 tells the server's choice, and cancels that", async () => {
  const peer = new Peer();
  const opening = openForward(peer.connection, parseForward("remote", "0:a:1"));
  assertEquals(await request(peer, "tcpip-forward"), "localhost 0");
  peer.send(m.encodeGlobalReply(true, new Writer().uint32(40123).finish()));
  const forward = await opening;
  assertEquals(forward.listenPort, 40123);
  const closing = forward.close();
  assertEquals(await request(peer, "cancel-tcpip-forward"), "localhost 40123");
  peer.send(m.encodeGlobalReply(true));
  await closing;
});

leakFree("forward -R is refused here when the connection has one that listens there", async () => {
  const peer = new Peer();
  const forward = await openRemote(peer, "9000:a:1");
  const error = await assertRejects(
    () => openForward(peer.connection, parseForward("remote", "9000:b:2")),
    ForwardError,
  );
  assertEquals([error.code, peer.pending], ["in-use", 0]);
  await close(peer, forward);
});

leakFree("forward -R that is given up is cancelled when the server has made it after all", async () => {
  const peer = new Peer();
  const stop = new AbortController();
  const spec = parseForward("remote", "9000:a:1");
  const opening = openForward(peer.connection, spec, { signal: stop.signal });
  await request(peer, "tcpip-forward");
  const reason = new Error("enough");
  stop.abort(reason);
  assert(await assertRejects(() => opening) === reason);
  peer.send(m.encodeGlobalReply(true));
  connect(peer, 9000); // quick
  await peer.next(m.MSG.CHANNEL_OPEN_FAILURE);
  assertEquals(await request(peer, "cancel-tcpip-forward"), "localhost 9000");
});

leakFree(
  "forward -R closes a channel whose connection cannot be made here, says why, and goes on",
  async () => {
    const peer = new Peer();
    await using target = TestServer.tcp(echo);
    const errors: unknown[] = [];
    const nobody = await openRemote(peer, "9000:127.0.0.1:1", {
      onConnectionError: (error) => errors.push(error),
    });
    connect(peer, 9000);
    const { sender } = m.decodeChannelOpenConfirmation(await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
    await peer.next(m.MSG.CHANNEL_CLOSE);
    peer.send(m.encodeChannelClose(sender));
    const [error] = errors as [ForwardError];
    assertEquals([error.code, error.what], ["cannot-connect", "Cannot connect to 127.0.0.1:1 from here"]);
    await close(peer, nobody);

    const forward = await openRemote(peer, `9000:127.0.0.1:${target.port}`);
    connect(peer, 9000);
    await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
    await close(peer, forward);
  },
);

leakFree("forward -R holds no more than the window for a target that reads nothing", async () => {
  const peer = new Peer();
  const release = Promise.withResolvers<void>();
  await using target = TestServer.tcp(() => release.promise);
  const forward = await openRemote(peer, `9000:127.0.0.1:${target.port}`);
  connect(peer, 9000);
  const opened = m.decodeChannelOpenConfirmation(await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
  assertEquals(opened.window, WINDOW);
  // One byte more than we granted is a breach that ends the link, so a peer that keeps to it can never fill us up.
  const piece = new Uint8Array(32 * 1024);
  const pieces = 4096; // far more than a window and what the kernel takes together
  for (let i = 0; i < pieces && peer.connection.ended === undefined; i++) {
    peer.send(m.encodeChannelData(opened.sender, piece));
    if (i % 16 === 0) await peer.settle();
  }
  assertEquals((await peer.connection.closed).how, "failed");
  assertEquals((await forward.closed).how, "failed");
  release.resolve();
});

leakFree("forward -R refuses more connections than it takes", async () => {
  const peer = new Peer();
  await using target = TestServer.tcp(echo);
  const forward = await openRemote(peer, `9000:127.0.0.1:${target.port}`, { maxConnections: 1 });
  connect(peer, 9000);
  connect(peer, 9000);
  await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  const refusal = m.decodeChannelOpenFailure(await peer.next(m.MSG.CHANNEL_OPEN_FAILURE));
  assertEquals(refusal.reason, 4);
  const closing = forward.close();
  await peer.next(m.MSG.GLOBAL_REQUEST);
  peer.send(m.encodeGlobalReply(true));
  await closing;
});

leakFree("forward -R without a target gives a SOCKS client's window back, and no more", async () => {
  const peer = new Peer();
  await using target = TestServer.tcp(echo);
  const forward = await openRemote(peer, "9000");
  connect(peer, 9000);
  const { sender } = m.decodeChannelOpenConfirmation(await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
  const portBytes = [target.port >> 8, target.port & 255];
  peer.send(m.encodeChannelData(sender, Uint8Array.of(5, 1)));
  peer.send(m.encodeChannelData(sender, Uint8Array.of(0, 5, 1, 0, 1, 127, 0, 0, 1, ...portBytes, 104, 105)));
  const heard: number[] = [];
  while (heard.length < 14) heard.push(...m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data);
  assertEquals(heard, [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 104, 105]);
  await close(peer, forward).catch(() => {});
});
