import { assertEquals, assertStringIncludes } from "@std/assert";
import * as m from "../../lib/wire/messages.ts";
import { Peer } from "./peer.ts";

const DATA = new Uint8Array(10);

interface Case {
  readonly why: string;
  /** What the peer sends to a client that has one open channel, number `id`. */
  readonly attack: (peer: Peer, id: number) => void;
}

const CASES: Record<string, Case> = {
  "data past the window": {
    why: "10 bytes of data with a window of 5",
    attack: (peer, id) => peer.send(m.encodeChannelData(id, DATA)),
  },
  "extended data past the window": {
    why: "10 bytes of data with a window of 5",
    attack: (peer, id) => peer.send(m.encodeChannelExtendedData(id, 1, DATA)),
  },
  "data for a channel that is not open": {
    why: "channel 999, which is not open",
    attack: (peer) => peer.send(m.encodeChannelData(999, DATA)),
  },
  "data after eof": {
    why: "data after EOF",
    attack: (peer, id) => {
      peer.send(m.encodeChannelEof(id));
      peer.send(m.encodeChannelData(id, DATA.subarray(0, 1)));
    },
  },
  "an open confirmed twice": {
    why: "which nobody is opening",
    attack: (peer, id) =>
      peer.send(m.encodeChannelOpenConfirmation({ recipient: id, sender: 8, window: 1, maxPacket: 1 })),
  },
  "an open confirmed and then refused": {
    why: "which nobody is opening",
    attack: (peer, id) =>
      peer.send(m.encodeChannelOpenFailure({ recipient: id, reason: 1, description: "" })),
  },
  "close without open": {
    why: "channel 77, which is not open",
    attack: (peer) => peer.send(m.encodeChannelClose(77)),
  },
  "close twice": {
    why: "which is not open",
    attack: (peer, id) => {
      peer.send(m.encodeChannelClose(id));
      peer.send(m.encodeChannelClose(id));
    },
  },
  "a window beyond 2^32 - 1": {
    why: "a window of",
    attack: (peer, id) => {
      peer.send(m.encodeWindowAdjust(id, 0xffffffff));
      peer.send(m.encodeWindowAdjust(id, 0xffffffff));
    },
  },
  "an answer to no request": {
    why: "an answer to no request",
    attack: (peer, id) => peer.send(m.encodeChannelReply(id, true)),
  },
  "an answer to no global request": {
    why: "an answer to no global request",
    attack: (peer) => peer.send(m.encodeGlobalReply(true)),
  },
  "a message that ends in the middle": {
    why: "bytes wanted",
    attack: (peer, id) => peer.send(m.encodeChannelData(id, DATA).subarray(0, 7)),
  },
  "an empty message": {
    why: "is not of the connection protocol",
    attack: (peer) => peer.send(new Uint8Array(0)),
  },
  "a message of another protocol": {
    why: "message 50 is not of the connection protocol",
    attack: (peer) => peer.send(new Uint8Array([50, 0])),
  },
};

for (const [name, { why, attack }] of Object.entries(CASES)) {
  Deno.test(`connection ends, and says why, on ${name}`, async () => {
    const peer = new Peer();
    const opening = peer.connection.open("session", { window: 5 });
    const open = await peer.confirm();
    const channel = await opening;
    const ended = new Promise((resolve) =>
      channel.attach({ onData() {}, onEof() {}, onRequest: () => false, onClose: resolve })
    );
    attack(peer, open.sender);
    const info = await peer.connection.closed;
    assertEquals(info.how, "failed");
    assertStringIncludes(info.why, why);
    assertStringIncludes(info.why, "tester@peer:22");
    await ended;
    assertEquals(peer.connection.channelCount, 0);
  });
}

Deno.test("connection ends on a confirmation that allows no packet at all", async () => {
  const peer = new Peer();
  peer.connection.open("session").catch(() => {});
  await peer.confirm({ maxPacket: 0 });
  const info = await peer.connection.closed;
  assertEquals(info.how, "failed");
  assertStringIncludes(info.why, "maximum packet of 0");
});

Deno.test("connection bears what real servers send late: window adjusts and answers for a channel that is gone", async () => {
  const peer = new Peer();
  const opening = peer.connection.open("session");
  const open = await peer.confirm();
  const channel = await opening;
  channel.attach({ onData() {}, onEof() {}, onRequest: () => false, onClose() {} });
  peer.send(m.encodeChannelClose(open.sender));
  peer.send(m.encodeWindowAdjust(open.sender, 10));
  peer.send(m.encodeChannelReply(open.sender, false));
  await peer.settle();
  assertEquals(peer.connection.ended, undefined);
});

Deno.test("data that comes after our own close is dropped without a window grant", async () => {
  const peer = new Peer();
  const opening = peer.connection.open("session", { window: 5 });
  const open = await peer.confirm();
  const channel = await opening;
  channel.attach({
    onData: () => {
      throw new Error("delivered");
    },
    onEof() {},
    onRequest: () => false,
    onClose() {},
  });
  channel.close();
  await peer.next(m.MSG.CHANNEL_CLOSE);
  peer.send(m.encodeChannelData(open.sender, DATA.subarray(0, 5)));
  peer.send(m.encodeChannelRequest(open.sender, "exit-status", false, new Uint8Array(4)));
  peer.send(m.encodeChannelClose(open.sender));
  await peer.settle();
  assertEquals([peer.pending, peer.connection.ended, channel.state], [0, undefined, "closed"]);
});
