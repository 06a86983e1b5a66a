import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChannelError, LinkError } from "../../lib/base/errors.ts";
import type { Channel, ChannelHandlers } from "../../lib/channel/channel.ts";
import * as m from "../../lib/wire/messages.ts";
import { Peer } from "./peer.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

function record(channel: Channel, log: string[]): void {
  const handlers: ChannelHandlers = {
    onData: (data, type) => log.push(`${type === undefined ? "data" : `ext${type}`} ${text(data)}`),
    onEof: () => log.push("eof"),
    onRequest: (type) => {
      log.push(`request ${type}`);
      return type === "yes";
    },
    onClose: (lost) => log.push(lost ? `lost ${lost.how}` : "close"),
  };
  channel.attach(handlers);
}

async function openChannel(peer: Peer, options: Parameters<Peer["confirm"]>[0] = {}) {
  const opening = peer.connection.open("session");
  const open = await peer.confirm(options);
  return { channel: await opening, open };
}

Deno.test("channel delivers data, extended data, eof and close in order", async () => {
  const peer = new Peer();
  const { channel, open } = await openChannel(peer);
  const log: string[] = [];
  record(channel, log);
  peer.send(m.encodeChannelData(open.sender, bytes("out")));
  peer.send(m.encodeChannelExtendedData(open.sender, 1, bytes("err")));
  peer.send(m.encodeChannelEof(open.sender));
  peer.send(m.encodeChannelClose(open.sender));
  assertEquals(m.recipientOf(await peer.next(m.MSG.CHANNEL_CLOSE)), 7);
  assertEquals(log, ["data out", "ext1 err", "eof", "close"]);
  assertEquals(channel.state, "closed");
  assertEquals(peer.connection.channelCount, 0);
});

Deno.test("channel keeps what comes before somebody listens", async () => {
  const peer = new Peer();
  const { channel, open } = await openChannel(peer);
  peer.send(m.encodeChannelData(open.sender, bytes("early")));
  peer.send(m.encodeChannelEof(open.sender));
  await peer.settle();
  const log: string[] = [];
  record(channel, log);
  assertEquals(log, ["data early", "eof"]);
});

Deno.test("channel answers a keepalive before anybody listens, and requests as its listener says", async () => {
  const peer = new Peer();
  const { channel, open } = await openChannel(peer);
  peer.send(m.encodeChannelRequest(open.sender, "keepalive@openssh.com", true));
  await peer.next(m.MSG.CHANNEL_FAILURE);
  record(channel, []);
  peer.send(m.encodeChannelRequest(open.sender, "yes", true));
  await peer.next(m.MSG.CHANNEL_SUCCESS);
  peer.send(m.encodeChannelRequest(open.sender, "keepalive@openssh.com", true));
  await peer.next(m.MSG.CHANNEL_FAILURE);
});

Deno.test("channel never sends more than the peer's window and maximum packet", async () => {
  const peer = new Peer();
  const { channel } = await openChannel(peer, { window: 10, maxPacket: 4 });
  const writing = channel.write(bytes("abcdefghijklmno"));
  const parts = [];
  for (let i = 0; i < 3; i++) parts.push(text(m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data));
  assertEquals(parts, ["abcd", "efgh", "ij"]);
  await peer.settle();
  assertEquals(peer.pending, 0);
  peer.send(m.encodeWindowAdjust(channel.localId, 100));
  assertEquals(text(m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data), "klmn");
  assertEquals(text(m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data), "o");
  await writing;
});

Deno.test("eof waits for what is queued before it", async () => {
  const peer = new Peer();
  const { channel } = await openChannel(peer, { window: 2 });
  const writing = channel.write(bytes("abc"));
  channel.eof();
  channel.eof();
  await peer.next(m.MSG.CHANNEL_DATA);
  await peer.settle();
  assertEquals(peer.pending, 0);
  peer.send(m.encodeWindowAdjust(channel.localId, 1));
  await peer.next(m.MSG.CHANNEL_DATA);
  await peer.next(m.MSG.CHANNEL_EOF);
  await writing;
  await peer.settle();
  assertEquals(peer.pending, 0);
  await assertRejects(() => channel.write(bytes("more")), ChannelError, "closed");
});

Deno.test("channels that have data take turns, one message each", async () => {
  const peer = new Peer();
  const a = await openChannel(peer, { sender: 1, window: 1 << 20, maxPacket: 10 });
  const b = await openChannel(peer, { sender: 2, window: 1 << 20, maxPacket: 10 });
  // Nothing leaves until both have asked: the window of `a` is opened after `b` has queued.
  const big = new Uint8Array(300 * 1024);
  const first = a.channel.write(big);
  const second = b.channel.write(new Uint8Array(50));
  const order: number[] = [];
  while (order.filter((id) => id === 2).length < 5) {
    order.push(m.recipientOf(await peer.next(m.MSG.CHANNEL_DATA)));
  }
  const since = order.slice(order.indexOf(2));
  assertEquals(since, [2, 1, 2, 1, 2, 1, 2, 1, 2]);
  await Promise.all([first, second]);
});

Deno.test("window is given back only when data is consumed", async () => {
  const peer = new Peer();
  const opening = peer.connection.open("session", { window: 100 });
  const open = await peer.confirm();
  const channel = await opening;
  record(channel, []);
  peer.send(m.encodeChannelData(open.sender, new Uint8Array(80)));
  await peer.settle();
  assertEquals([peer.pending, channel.receiveWindow], [0, 20]);
  channel.consumed(40);
  await peer.settle();
  assertEquals(peer.pending, 0);
  channel.consumed(40);
  assertEquals(m.decodeWindowAdjust(await peer.next(m.MSG.CHANNEL_WINDOW_ADJUST)), {
    recipient: 7,
    bytes: 80,
  });
  assertEquals(channel.receiveWindow, 100);
});

Deno.test("requests are answered in order", async () => {
  const peer = new Peer();
  const { channel, open } = await openChannel(peer);
  const first = channel.request("one");
  const second = channel.request("two");
  peer.send(m.encodeChannelReply(open.sender, true));
  peer.send(m.encodeChannelReply(open.sender, false));
  assertEquals([await first, await second], [true, false]);
});

Deno.test("a refused open tells the server's words and reason, without control characters", async () => {
  const peer = new Peer();
  const opening = peer.connection.open("session");
  const open = m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN));
  peer.send(
    m.encodeChannelOpenFailure({ recipient: open.sender, reason: 2, description: "open\x1b[2J failed" }),
  );
  const error = await assertRejects(() => opening, ChannelError, 'server answered "open [2J failed" (2)');
  assertEquals([error.reason, error.outcome], [2, "not-started"]);
  assertEquals(peer.connection.channelCount, 0);
});

Deno.test("an abandoned open is awaited, and its channel closed", async () => {
  const peer = new Peer();
  const abort = new AbortController();
  const opening = peer.connection.open("session", { signal: abort.signal });
  abort.abort(new Error("changed my mind"));
  await assertRejects(() => opening, Error, "changed my mind");
  const open = await peer.confirm({ sender: 9 });
  assertEquals(m.recipientOf(await peer.next(m.MSG.CHANNEL_CLOSE)), 9);
  peer.send(m.encodeChannelClose(open.sender));
  await peer.settle();
  assertEquals(peer.connection.channelCount, 0);
});

Deno.test("a lost link ends everything on it, each with the reason", async () => {
  const peer = new Peer();
  const { channel } = await openChannel(peer);
  const log: string[] = [];
  record(channel, log);
  const request = assertRejects(() => channel.request("x"), ChannelError);
  const opening = assertRejects(() => peer.connection.open("session"), LinkError, "closed the connection");
  const global = assertRejects(() => peer.connection.request("x"), LinkError);
  await peer.hangUp();
  assertEquals((await peer.connection.closed).how, "lost");
  await Promise.all([request, opening, global]);
  assertEquals(log, ["lost lost"]);
  await assertRejects(() => peer.connection.open("session"), LinkError);
});

Deno.test("global requests are answered: refused where an answer is wanted, ignored where not", async () => {
  const peer = new Peer();
  peer.send(m.encodeGlobalRequest("hostkeys-00@openssh.com", false));
  peer.send(m.encodeGlobalRequest("keepalive@openssh.com", true));
  await peer.next(m.MSG.REQUEST_FAILURE);
  await peer.settle();
  assertEquals(peer.pending, 0);
});

Deno.test("global answers are matched first in, first out", async () => {
  const peer = new Peer();
  const first = peer.connection.request("one");
  const second = peer.connection.request("two");
  peer.send(m.encodeGlobalReply(true, new Uint8Array([1, 2])));
  peer.send(m.encodeGlobalReply(false));
  assertEquals([await first, await second], [new Uint8Array([1, 2]), null]);
});

Deno.test("a channel that the server opens is refused unless somebody asked for it", async () => {
  const peer = new Peer();
  peer.send(m.encodeChannelOpen({ type: "x11", sender: 3, window: 1, maxPacket: 1 }));
  const refusal = m.decodeChannelOpenFailure(await peer.next(m.MSG.CHANNEL_OPEN_FAILURE));
  assertEquals([refusal.recipient, refusal.reason], [3, m.OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE]);
  let accepted: Channel | undefined;
  peer.connection.handleOpen("forwarded-tcpip", () => ({ accept: (channel) => accepted = channel }));
  peer.send(m.encodeChannelOpen({ type: "forwarded-tcpip", sender: 4, window: 10, maxPacket: 10 }));
  const confirmation = m.decodeChannelOpenConfirmation(await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
  assertEquals(confirmation.recipient, 4);
  assert(accepted);
  assertEquals(accepted.localId, confirmation.sender);
});
