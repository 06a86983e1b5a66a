import { assertEquals } from "@std/assert";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import { Relay } from "../../lib/master/relay.ts";
import * as m from "../../lib/wire/messages.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { bytes, openThrough, type RelayEnds, relayEnds, ScriptedEnd, settle } from "./relay_ends.ts";

const { MSG } = m;
const listener = (host: string, port: number) => new Writer().utf8(host).uint32(port).finish();

function assertNothingLeft({ relay, server }: RelayEnds, passengers = 0): void {
  assertEquals(
    { channels: relay.channelCount, sessions: relay.sessionCount, passengers: relay.passengerCount },
    { channels: 0, sessions: 0, passengers },
  );
  assertEquals(server.types, []);
}

Deno.test("relay forgets at once what a vanished passenger only waited for", async () => {
  const ends = relayEnds({ maxSessions: 1 });
  const [a, b] = [ends.board(), ends.board()];
  const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  for (let i = 0; i < 5; i++) b.open(i);
  await settle();
  assertEquals(ends.relay.channelCount, 6);
  await b.link.close();
  await settle();
  assertEquals([ends.relay.channelCount, ends.server.types], [1, []]);
  ends.server.send(m.encodeChannelClose(localId));
  a.send(m.encodeChannelClose(40));
  await ends.server.next(MSG.CHANNEL_CLOSE);
  assertNothingLeft(ends, 1);
});

Deno.test("relay awaits the answer to a vanished passenger's open, then closes the channel", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  const open = m.decodeChannelOpen(await ends.server.next(MSG.CHANNEL_OPEN));
  await a.link.close();
  await settle();
  assertEquals([ends.relay.channelCount, ends.relay.sessionCount, ends.server.types], [1, 0, []]);
  ends.server.send(
    m.encodeChannelOpenConfirmation({ recipient: open.sender, sender: 40, window: 1, maxPacket: 1 }),
  );
  assertEquals(m.recipientOf(await ends.server.next(MSG.CHANNEL_CLOSE)), 40);
  assertEquals(ends.relay.channelCount, 1);
  // What a server may still say before its own close, keepalive included, is no violation.
  ends.server.send(
    m.encodeChannelData(open.sender, bytes("unwanted")),
    m.encodeChannelRequest(open.sender, "exit-status", false, new Writer().uint32(0).finish()),
    m.encodeChannelRequest(open.sender, "keepalive@openssh.com", true),
    m.encodeChannelEof(open.sender),
    m.encodeChannelClose(open.sender),
  );
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay forgets a vanished passenger's open that the server refuses, without asking again", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  const open = m.decodeChannelOpen(await ends.server.next(MSG.CHANNEL_OPEN));
  await a.link.close();
  await settle();
  ends.server.send(m.encodeChannelOpenFailure({ recipient: open.sender, reason: 2, description: "" }));
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay gives a vanished passenger's turn to others, never to its own waiting sessions", async () => {
  const ends = relayEnds({ maxSessions: 1 });
  const [a, b] = [ends.board(), ends.board()];
  for (let i = 0; i < 4; i++) a.open(i);
  const open = m.decodeChannelOpen(await ends.server.next(MSG.CHANNEL_OPEN));
  b.open(9);
  await a.link.close();
  await settle();
  ends.server.send(
    m.encodeChannelOpenConfirmation({ recipient: open.sender, sender: 40, window: 1, maxPacket: 1 }),
  );
  await ends.server.next(MSG.CHANNEL_CLOSE);
  await settle();
  assertEquals(ends.server.types, []); // the slot is free only when the server has closed too
  ends.server.send(m.encodeChannelClose(open.sender));
  await ends.server.confirm(41);
  assertEquals(await b.opened(), 41);
  assertEquals([ends.relay.channelCount, ends.server.types], [1, []]);
});

Deno.test("relay forgets a session that waits to be asked for again when its passenger vanishes", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  await ends.server.refuse();
  await settle();
  assertEquals(ends.relay.describeChannels().map(({ state }) => state), ["waiting"]);
  await a.link.close();
  await settle();
  assertNothingLeft(ends); // and no timer is left, which the test runner checks
});

Deno.test("relay opens nothing for a passenger that vanishes with one session refused and another waiting", async () => {
  const ends = relayEnds({ maxSessions: 1 });
  const a = ends.board();
  a.open(1);
  a.open(2);
  await ends.server.refuse();
  await settle();
  await a.link.close();
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay refuses the server's open that a vanished passenger has not answered", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.send(m.encodeGlobalRequest("tcpip-forward", true, listener("h", 80)));
  await ends.server.next(MSG.GLOBAL_REQUEST);
  ends.server.send(m.encodeGlobalReply(true), serverOpen(12, "h", 80));
  await a.next(MSG.REQUEST_SUCCESS);
  await a.next(MSG.CHANNEL_OPEN);
  await a.link.close();
  const cancel = m.decodeGlobalRequest(await ends.server.next(MSG.GLOBAL_REQUEST));
  assertEquals([cancel.name, cancel.data], ["cancel-tcpip-forward", listener("h", 80)]);
  assertEquals(m.decodeChannelOpenFailure(await ends.server.next(MSG.CHANNEL_OPEN_FAILURE)).recipient, 12);
  ends.server.send(m.encodeGlobalReply(true));
  await settle();
  assertNothingLeft(ends);
});

function serverOpen(sender: number, host: string, port: number): Uint8Array {
  const data = new Writer().utf8(host).uint32(port).utf8("1.2.3.4").uint32(5).finish();
  return m.encodeChannelOpen({ type: "forwarded-tcpip", sender, window: 1000, maxPacket: 1000, data });
}

Deno.test("relay closes a vanished passenger's open channel and waits for the server's close", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  await a.link.close();
  assertEquals(m.recipientOf(await ends.server.next(MSG.CHANNEL_CLOSE)), 40);
  assertEquals(ends.relay.channelCount, 1);
  ends.server.send(m.encodeChannelData(localId, bytes("late")), m.encodeChannelClose(localId));
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay closes for a passenger that vanishes with the server's close unanswered", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  ends.server.send(m.encodeChannelClose(localId));
  await a.next(MSG.CHANNEL_CLOSE);
  await a.link.close();
  await ends.server.next(MSG.CHANNEL_CLOSE);
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay does not close twice for a passenger that vanishes after its own close", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  a.send(m.encodeChannelClose(40));
  await ends.server.next(MSG.CHANNEL_CLOSE);
  await a.link.close();
  await settle();
  assertEquals([ends.relay.channelCount, ends.server.types], [1, []]);
  ends.server.send(m.encodeChannelClose(localId));
  await settle();
  assertNothingLeft(ends);
});

Deno.test("relay still delivers what a vanished passenger had sent, and its close, when the link was held", async () => {
  for (const closes of [true, false]) {
    const ends = relayEnds();
    const a = ends.board();
    const localId = await openThrough(ends, a, { sender: 1, remoteId: 40 });
    ends.relay.hold(true);
    a.send(
      m.encodeChannelData(40, bytes("one")),
      m.encodeChannelData(40, bytes("two")),
      m.encodeChannelEof(40),
    );
    if (closes) a.send(m.encodeChannelClose(40));
    await settle();
    await a.link.close();
    await settle();
    assertEquals(ends.server.types, []);
    ends.relay.hold(false);
    await settle();
    assertEquals(ends.server.types, [MSG.CHANNEL_DATA, MSG.CHANNEL_DATA, MSG.CHANNEL_EOF, MSG.CHANNEL_CLOSE]);
    ends.server.arrived.length = 0;
    ends.server.send(m.encodeChannelClose(localId));
    await settle();
    assertNothingLeft(ends);
  }
});

Deno.test("relay waits nothing out on a link that has ended, however much was queued for it", async () => {
  const [ours, theirs] = memoryLinkPair();
  const relay = new Relay(ours, { maxSessions: 10 });
  const server = new ScriptedEnd(theirs, { reads: false });
  const [near, far] = memoryLinkPair();
  relay.add(far);
  const a = new ScriptedEnd(near);
  a.open(1);
  await settle();
  // The server takes nothing: what follows piles up.
  const open = { sender: 1 };
  theirs.send(
    m.encodeChannelOpenConfirmation({
      recipient: open.sender,
      sender: 40,
      window: 4 << 20,
      maxPacket: 32768,
    }),
  );
  await a.opened();
  for (let i = 0; i < 100; i++) a.send(m.encodeChannelData(40, new Uint8Array(32768)));
  await settle();
  await server.link.close();
  await a.link.closed;
  // Were the relay to turn round and round, no timer would ever fire again.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([relay.channelCount, relay.passengerCount], [0, 0]);
});
