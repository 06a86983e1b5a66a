/** The keeper's sessions opened ahead of need: handed to passengers, held by nobody. */
import { assertEquals } from "@std/assert";
import { SECOND_CHANCE_MS } from "../../lib/channel/spare_pool.ts";
import * as m from "../../lib/wire/messages.ts";
import { openThrough, type RelayEnds, relayEnds, type ScriptedEnd, settle } from "./relay_ends.ts";

const exec = (channel: number) => m.encodeChannelRequest(channel, "exec", true, new Uint8Array(4));

/** A relay whose first spare the server has confirmed with `remoteId`; its own number for it. */
async function withSpare(remoteId: number, options: Parameters<typeof relayEnds>[0] = {}, window = 0) {
  const ends = relayEnds({ spares: 4, ...options });
  ends.relay.openSpares();
  const open = await ends.server.confirm(remoteId, { window });
  assertEquals(open.window, 0);
  await settle();
  return { ...ends, spare: open.sender };
}

/** Takes the answer to a passenger's open whole. */
async function confirmation(passenger: ScriptedEnd): Promise<m.ChannelOpenConfirmation> {
  return m.decodeChannelOpenConfirmation(await passenger.next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
}

Deno.test("relay hands a spare over at once: the passenger's window goes up with its request, the server's windows down", async () => {
  const { server, board } = await withSpare(5, {}, 300);
  const passenger = board();
  passenger.open(42, { window: 1000 });
  const answer = await confirmation(passenger);
  assertEquals([answer.recipient, answer.sender, answer.window, answer.maxPacket], [42, 5, 300, 32768]);
  passenger.send(exec(5));
  const granted = m.decodeWindowAdjust(await server.next(m.MSG.CHANNEL_WINDOW_ADJUST));
  assertEquals([granted.recipient, granted.bytes], [5, 1000]);
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_REQUEST)), 5);
  await server.next(m.MSG.CHANNEL_OPEN); // the next spare, behind the request
});

Deno.test("relay gives a passenger the spare that is on its way, and its window when it arrives", async () => {
  const ends = relayEnds({ spares: 4 });
  ends.relay.openSpares();
  const passenger = ends.board();
  passenger.open(1, { window: 700 });
  await settle();
  const open = await ends.server.confirm(9);
  assertEquals([open.window, ends.server.types.length], [0, 0]);
  assertEquals(await passenger.opened(), 9);
  const granted = m.decodeWindowAdjust(await ends.server.next(m.MSG.CHANNEL_WINDOW_ADJUST));
  assertEquals([granted.recipient, granted.bytes], [9, 700]);
});

Deno.test("relay splits what a spare brings to the maximum packet of the passenger that took it", async () => {
  const { server, board, spare } = await withSpare(5);
  const passenger = board();
  passenger.open(1, { maxPacket: 10 });
  await confirmation(passenger);
  server.send(m.encodeChannelData(spare, new Uint8Array(25)));
  await settle();
  const sizes = passenger.arrived.map((payload) => m.decodeChannelData(payload).data.length);
  assertEquals(sizes, [10, 10, 5]);
});

Deno.test("relay shows no spare: no session, no channel, nothing that holds the master or keeps it from leaving", async () => {
  let changes = 0;
  const { relay, spare } = await withSpare(5, { onChange: () => changes++ });
  assertEquals(spare > 0, true);
  assertEquals([relay.sessionCount, relay.channelCount, relay.describeChannels(), relay.mayLeave], [
    0,
    0,
    [],
    true,
  ]);
});

Deno.test("relay closes its spares when it is told to stop, and opens no more", async () => {
  const { relay, server, board, spare } = await withSpare(5);
  relay.endSpares();
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_CLOSE)), 5);
  server.send(m.encodeChannelClose(spare));
  await settle();
  const passenger = board();
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
  passenger.send(exec(6));
  await server.next(m.MSG.CHANNEL_REQUEST);
  assertEquals(server.types, []);
});

Deno.test("relay closes a spare that arrives after it was told to stop", async () => {
  const ends = relayEnds({ spares: 4 });
  ends.relay.openSpares();
  ends.relay.endSpares();
  await ends.server.confirm(5);
  assertEquals(m.recipientOf(await ends.server.next(m.MSG.CHANNEL_CLOSE)), 5);
});

Deno.test("relay does not ask a server for a spare again that refused one, and tells nobody", async () => {
  const { relay, server, board } = relayEnds({ spares: 4 });
  relay.openSpares();
  await server.refuse();
  const passenger = board();
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
  passenger.send(exec(6));
  await server.next(m.MSG.CHANNEL_REQUEST);
  assertEquals([server.types, passenger.types, relay.sessionLimit], [[], [], 10]);
});

for (const forgives of [true, false]) {
  const then = forgives ? "asks again later" : "on a master of OpenSSH's never asks again";
  Deno.test(`relay ${then} where a spare was refused`, async () => {
    const clock = { ms: 0 };
    const { relay, server, board } = relayEnds({ spares: 4, forgives, now: () => clock.ms });
    relay.openSpares();
    await server.refuse();
    clock.ms = SECOND_CHANCE_MS;
    const passenger = board();
    await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
    passenger.send(exec(6));
    await server.next(m.MSG.CHANNEL_REQUEST);
    assertEquals(server.types.includes(m.MSG.CHANNEL_OPEN), forgives);
  });
}

Deno.test("relay learns the limit from a spare that is refused beside open sessions", async () => {
  const { relay, server, board } = await withSpare(5);
  const passenger = board();
  passenger.open(1);
  await confirmation(passenger);
  await server.next(m.MSG.CHANNEL_WINDOW_ADJUST);
  passenger.send(exec(5));
  await server.next(m.MSG.CHANNEL_REQUEST);
  await server.refuse();
  await settle();
  assertEquals(relay.sessionLimit, 1);
});

Deno.test("relay answers the server that closes a spare, and asks it for no other", async () => {
  const { server, board, relay, spare } = await withSpare(5);
  server.send(m.encodeChannelClose(spare));
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_CLOSE)), 5);
  const passenger = board();
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
  passenger.send(exec(6));
  await server.next(m.MSG.CHANNEL_REQUEST);
  assertEquals([server.types, relay.channelCount], [[], 1]);
});

Deno.test("relay answers a keepalive on a spare itself", async () => {
  const { server, spare } = await withSpare(5);
  server.send(m.encodeChannelRequest(spare, "keepalive@openssh.com", true));
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_FAILURE)), 5);
});

Deno.test("relay opens afresh on a link that was silent for long, and keeps the spare for later", async () => {
  let quiet = true;
  const { server, board, relay } = await withSpare(5, { isQuiet: () => quiet });
  const passenger = board();
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
  quiet = false;
  passenger.open(2);
  assertEquals((await confirmation(passenger)).sender, 5);
});

Deno.test("relay gives a spare up where a silent link's limit leaves no room to ask", async () => {
  let quiet = false;
  const { server, board, relay, spare } = await withSpare(5, { isQuiet: () => quiet, maxSessions: 3 });
  const passenger = board();
  quiet = true;
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 2, remoteId: 6 });
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 3, remoteId: 7 });
  passenger.open(4);
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_CLOSE)), 5);
  server.send(m.encodeChannelClose(spare));
  await server.confirm(8);
  assertEquals(await passenger.opened(), 8);
});

Deno.test("relay gives a spare up for a session that the server refuses beside it", async () => {
  const { server, board, spare } = await withSpare(5, { isQuiet: () => true });
  const passenger = board();
  passenger.open(2);
  await server.refuse();
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_CLOSE)), 5);
  server.send(m.encodeChannelClose(spare));
  await server.confirm(6);
  assertEquals(await passenger.opened(), 6);
});

Deno.test("relay closes a spare whose passenger vanished before the server confirmed it", async () => {
  const ends = relayEnds({ spares: 4 });
  ends.relay.openSpares();
  const passenger = ends.board();
  passenger.open(1);
  await settle();
  passenger.link.close();
  await settle();
  await ends.server.confirm(5);
  assertEquals(m.recipientOf(await ends.server.next(m.MSG.CHANNEL_CLOSE)), 5);
});

Deno.test("relay keeps spares to half the limit, and none where that is two", async () => {
  const { relay, server, board } = relayEnds({ spares: 4, maxSessions: 2 });
  relay.openSpares();
  await settle();
  assertEquals(server.types, []);
  const passenger = board();
  await openThrough({ relay, server, board } as RelayEnds, passenger, { sender: 1, remoteId: 6 });
  passenger.send(exec(6));
  await server.next(m.MSG.CHANNEL_REQUEST);
  assertEquals(server.types, []);
});

Deno.test("relay closes a spare that nobody took in its time", async () => {
  const awake = setInterval(() => {}, 1000); // the spare's own timer lets a program end
  const { server } = await withSpare(5, { spareUnusedMs: 5 });
  assertEquals(m.recipientOf(await server.next(m.MSG.CHANNEL_CLOSE)), 5);
  clearInterval(awake);
});
