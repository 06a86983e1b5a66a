import { assert, assertEquals, assertNotEquals } from "@std/assert";
import * as m from "../../lib/wire/messages.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { bytes, openThrough, relayEnds, settle, text } from "./relay_ends.ts";

const { MSG } = m;

Deno.test("relay keeps passengers with equal channel numbers apart", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  const toA = await openThrough(ends, a, { sender: 5, remoteId: 70 });
  const toB = await openThrough(ends, b, { sender: 5, remoteId: 71 });
  assertNotEquals(toA, toB);
  ends.server.send(m.encodeChannelData(toB, bytes("for b")), m.encodeChannelData(toA, bytes("for a")));
  for (const [passenger, expected] of [[a, "for a"], [b, "for b"]] as const) {
    const { recipient, data } = m.decodeChannelData(await passenger.next(MSG.CHANNEL_DATA));
    assertEquals([recipient, text(data)], [5, expected]);
  }
  a.send(m.encodeChannelData(70, bytes("from a")));
  b.send(m.encodeChannelData(71, bytes("from b")));
  assertEquals(m.decodeChannelData(await ends.server.next(MSG.CHANNEL_DATA)), {
    recipient: 70,
    data: bytes("from a"),
  });
  assertEquals(m.decodeChannelData(await ends.server.next(MSG.CHANNEL_DATA)), {
    recipient: 71,
    data: bytes("from b"),
  });
  await settle();
  assertEquals([a.arrived, b.arrived], [[], []]);
});

Deno.test("relay passes opens, requests, answers, eof and close on, and forgets a channel that both have closed", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(3, {
    type: "direct-streamlocal@openssh.com",
    window: 1000,
    maxPacket: 500,
    data: new Writer().utf8("/s").utf8("").uint32(0).finish(),
  });
  const open = await ends.server.confirm(8, { window: 77, maxPacket: 99 });
  assertEquals([open.type, open.window, open.maxPacket], ["direct-streamlocal@openssh.com", 1000, 500]);
  assertEquals(open.data, new Writer().utf8("/s").utf8("").uint32(0).finish());
  assertEquals(
    m.decodeChannelOpenConfirmation(await a.next(MSG.CHANNEL_OPEN_CONFIRMATION)),
    { recipient: 3, sender: 8, window: 77, maxPacket: 99 },
  );
  a.send(m.encodeChannelRequest(8, "made-up@example.org", true, bytes("whatever")));
  assertEquals(m.decodeChannelRequest(await ends.server.next(MSG.CHANNEL_REQUEST)).data, bytes("whatever"));
  ends.server.send(m.encodeChannelReply(open.sender, true));
  assertEquals(m.recipientOf(await a.next(MSG.CHANNEL_SUCCESS)), 3);
  a.send(m.encodeChannelEof(8));
  await ends.server.next(MSG.CHANNEL_EOF);
  ends.server.send(
    m.encodeChannelExtendedData(open.sender, 1, bytes("err")),
    m.encodeChannelClose(open.sender),
  );
  assertEquals(m.decodeChannelExtendedData(await a.next(MSG.CHANNEL_EXTENDED_DATA)), {
    recipient: 3,
    type: 1,
    data: bytes("err"),
  });
  await a.next(MSG.CHANNEL_CLOSE);
  assertEquals(ends.relay.channelCount, 1);
  a.send(m.encodeChannelClose(8));
  await ends.server.next(MSG.CHANNEL_CLOSE);
  assertEquals(ends.relay.channelCount, 0);
  // Late, harmless, from both.
  a.send(m.encodeWindowAdjust(8, 5), m.encodeChannelReply(8, true));
  ends.server.send(m.encodeWindowAdjust(open.sender, 5), m.encodeChannelReply(open.sender, true));
  await settle();
  assertEquals([a.arrived, ends.server.arrived, ends.relay.passengerCount], [[], [], 1]);
});

Deno.test("relay takes a passenger's link, and only its, when it addresses another's channel", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  const toA = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  b.send(m.encodeChannelData(40, bytes("not mine")));
  assertEquals((await b.link.closed).how, "lost");
  await settle();
  assertEquals([ends.server.types, ends.relay.passengerCount], [[], 1]);
  ends.server.send(m.encodeChannelData(toA, bytes("still here")));
  assertEquals(text(m.decodeChannelData(await a.next(MSG.CHANNEL_DATA)).data), "still here");
});

Deno.test("relay lets a passenger's late close and adjust of another's channel do nothing", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  await openThrough(ends, a, { sender: 1, remoteId: 40 });
  b.send(m.encodeChannelClose(40), m.encodeWindowAdjust(40, 9), m.encodeChannelReply(40, true));
  await settle();
  assertEquals([ends.server.types, ends.relay.passengerCount, ends.relay.channelCount], [[], 2, 1]);
});

const HUGE = 0xffffffff;
const BREACHES: Record<string, (remoteId: number) => Uint8Array[]> = {
  "a transport message": () => [new Uint8Array([1, 0, 0, 0, 11])],
  "a message without a number": () => [new Uint8Array(0)],
  "a message with half a channel number": () => [new Uint8Array([MSG.CHANNEL_DATA, 0, 0])],
  "an answer to a global request": () => [m.encodeGlobalReply(true)],
  "an answer to no open": (
    id,
  ) => [m.encodeChannelOpenConfirmation({ recipient: id, sender: 1, window: 1, maxPacket: 1 })],
  "a refusal of no open": (id) => [m.encodeChannelOpenFailure({ recipient: id, reason: 1, description: "" })],
  "data past the server's window": (id) => [m.encodeChannelData(id, new Uint8Array(101))],
  "extended data past the server's window": (id) => [m.encodeChannelExtendedData(id, 1, new Uint8Array(101))],
  "data shorter than it says": (
    id,
  ) => [new Writer().byte(MSG.CHANNEL_DATA).uint32(id).uint32(5).bytes(bytes("four")).finish()],
  "data longer than it says": (
    id,
  ) => [new Writer().byte(MSG.CHANNEL_DATA).uint32(id).uint32(3).bytes(bytes("four")).finish()],
  "data that says 4 GiB": (id) => [new Writer().byte(MSG.CHANNEL_DATA).uint32(id).uint32(HUGE).finish()],
  "a close with something behind it": (id) => [new Uint8Array([...m.encodeChannelClose(id), 0])],
  "an eof with something behind it": (id) => [new Uint8Array([...m.encodeChannelEof(id), 0])],
  "an adjust that breaks off": (id) => [m.encodeWindowAdjust(id, 1).subarray(0, 7)],
  "a request that breaks off": (id) => [m.encodeChannelRequest(id, "exec", true).subarray(0, 8)],
  "an exec without a command": (id) => [m.encodeChannelRequest(id, "exec", true)],
  "an exec with a NUL": (
    id,
  ) => [m.encodeChannelRequest(id, "exec", true, new Writer().utf8("a\0b").finish())],
  "a shell with something behind it": (id) => [m.encodeChannelRequest(id, "shell", true, bytes("x"))],
  "a terminal without modes": (
    id,
  ) => [m.encodeChannelRequest(id, "pty-req", true, new Writer().utf8("vt100").uint32(1).finish())],
  "a listener without a port":
    () => [m.encodeGlobalRequest("tcpip-forward", true, new Writer().utf8("h").finish())],
  "a session with something behind it":
    () => [m.encodeChannelOpen({ type: "session", sender: 9, window: 1, maxPacket: 1, data: bytes("x") })],
  "a tunnel that breaks off": () => [
    m.encodeChannelOpen({ type: "direct-tcpip", sender: 9, window: 1, maxPacket: 1, data: bytes("x") }),
  ],
  "an open that breaks off":
    () => [m.encodeChannelOpen({ type: "session", sender: 9, window: 1, maxPacket: 1 }).subarray(0, 14)],
  "a maximum packet of 0":
    () => [m.encodeChannelOpen({ type: "session", sender: 9, window: 1, maxPacket: 0 })],
};

for (const [what, breach] of Object.entries(BREACHES)) {
  Deno.test(`relay ends a passenger's link, passing nothing on, when it sends ${what}`, async () => {
    let left: string | undefined;
    const ends = relayEnds({ onLeave: ({ how }) => left = how });
    const [a, b] = [ends.board(), ends.board()];
    await openThrough(ends, a, { sender: 1, remoteId: 40, serverWindow: 100 });
    a.send(...breach(40), m.encodeChannelData(40, bytes("behind")));
    assertEquals((await a.link.closed).how, "lost");
    await settle();
    // Only the close of its channel, as for any passenger that leaves.
    assertEquals(m.recipientOf(await ends.server.next(MSG.CHANNEL_CLOSE)), 40);
    assertEquals(ends.server.types, []);
    assertEquals([left, ends.relay.passengerCount], ["failed", 1]);
    await openThrough(ends, b, { sender: 1, remoteId: 41 });
  });
}

const VIOLATIONS: Record<string, (localId: number) => Uint8Array[]> = {
  "an answer to no global request": () => [m.encodeGlobalReply(true)],
  "a transport message": () => [new Uint8Array([2])],
  "data for a channel that is not open": () => [m.encodeChannelData(999, bytes("x"))],
  "a close for a channel that is not open": () => [m.encodeChannelClose(999)],
  "a confirmation nobody waits for": (
    id,
  ) => [m.encodeChannelOpenConfirmation({ recipient: id, sender: 3, window: 1, maxPacket: 1 })],
  "a refusal nobody waits for": (
    id,
  ) => [m.encodeChannelOpenFailure({ recipient: id, reason: 1, description: "" })],
  "data past the window": (id) => [m.encodeChannelData(id, new Uint8Array(1001))],
  "data that is not as long as it says": (id) => [m.encodeChannelData(id, bytes("four")).subarray(0, 11)],
  "data after close": (id) => [m.encodeChannelClose(id), m.encodeChannelData(id, bytes("x"))],
  "close twice": (id) => [m.encodeChannelClose(id), m.encodeChannelClose(id)],
  "a window past 4 GiB": (id) => [m.encodeWindowAdjust(id, HUGE), m.encodeWindowAdjust(id, HUGE)],
  "a channel number that is in use": () => [
    m.encodeGlobalReply(true),
    m.encodeChannelOpen({
      type: "forwarded-tcpip",
      sender: 40,
      window: 1,
      maxPacket: 1,
      data: new Writer().utf8("h").uint32(80).utf8("o").uint32(1).finish(),
    }),
  ],
};

for (const [what, violation] of Object.entries(VIOLATIONS)) {
  Deno.test(`relay ends the link, saying why, when the server sends ${what}`, async () => {
    const ends = relayEnds();
    const a = ends.board();
    const localId = await openThrough(ends, a, { sender: 1, remoteId: 40, window: 1000 });
    if (what.startsWith("a channel number")) {
      a.send(m.encodeGlobalRequest("tcpip-forward", true, new Writer().utf8("h").uint32(80).finish()));
      await ends.server.next(MSG.GLOBAL_REQUEST);
    }
    ends.server.send(...violation(localId), m.encodeChannelData(localId, bytes("behind")));
    const info = await ends.relay.link.closed;
    assertEquals(info.how, "failed");
    assert(info.why.startsWith("The server broke the SSH protocol: tester@peer:22: "), info.why);
    await a.link.closed;
    assert(!a.arrived.some((payload) => payload[0] === MSG.CHANNEL_DATA && text(payload).includes("behind")));
    assertEquals([ends.relay.channelCount, ends.relay.passengerCount], [0, 0]);
  });
}

Deno.test("relay ends its passengers when the link is lost, and takes no more", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  await ends.server.next(MSG.CHANNEL_OPEN);
  await ends.server.link.close();
  await a.link.closed;
  const late = ends.board();
  assertEquals((await late.link.closed).how, "lost");
  assertEquals([ends.relay.channelCount, ends.relay.passengerCount, ends.relay.sessionCount], [0, 0, 0]);
});

Deno.test("relay answers keepalive@openssh.com itself, although the channel's passenger never reads", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  for (let i = 0; i < 3; i++) {
    ends.server.send(m.encodeChannelRequest(localId, "keepalive@openssh.com", true));
    assertEquals(m.recipientOf(await ends.server.next(MSG.CHANNEL_FAILURE)), 40);
  }
  ends.server.send(m.encodeChannelRequest(localId, "keepalive@openssh.com", false));
  ends.server.send(m.encodeGlobalRequest("keepalive@openssh.com", true));
  await ends.server.next(MSG.REQUEST_FAILURE);
  assertEquals([a.arrived, ends.server.arrived], [[], []]);
});

Deno.test("relay shows what is open by type and state", async () => {
  const ends = relayEnds({ maxSessions: 1 });
  const a = ends.board();
  await openThrough(ends, a, { sender: 1, remoteId: 40 });
  a.open(2);
  await settle();
  assertEquals(ends.relay.describeChannels().map(({ type, state }) => [type, state]), [["session", "open"], [
    "session",
    "waiting",
  ]]);
  assertEquals([ends.relay.sessionCount, ends.relay.channelCount], [2, 2]);
});
