import { assert, assertEquals } from "@std/assert";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import { RelaySender } from "../../lib/master/relay_sender.ts";
import { Passenger, RelayedChannel } from "../../lib/master/passenger.ts";
import * as m from "../../lib/wire/messages.ts";
import { openThrough, type RelayEnds, relayEnds, type ScriptedEnd, settle } from "./relay_ends.ts";

const { MSG } = m;
const CAP = 2 * 1024 * 1024;

/** A server that sends `total` bytes to one of our channels as fast as its window lets it. */
class Pouring {
  sent = 0;
  #window: number;
  readonly #server: ScriptedEnd;
  readonly #localId: number;

  constructor(server: ScriptedEnd, localId: number, window: number) {
    this.#server = server;
    this.#localId = localId;
    this.#window = window;
  }

  adjust(bytes: number): void {
    this.#window += bytes;
  }

  pour(total: number): void {
    while (this.sent < total && this.#window > 0) {
      const length = Math.min(32768, this.#window, total - this.sent);
      this.#server.send(m.encodeChannelData(this.#localId, new Uint8Array(length)));
      this.sent += length;
      this.#window -= length;
    }
  }
}

Deno.test("relay grants the server at most its cap, whatever the passenger grants, and the rest as it reads", async () => {
  const ends = relayEnds();
  const [a] = [ends.board()];
  a.open(1, { window: 0xffffffff });
  const open = await ends.server.confirm(40);
  assertEquals(open.window, CAP);
  await a.opened();
  const pouring = new Pouring(ends.server, open.sender, open.window);
  const total = 20 * CAP;
  for (let turn = 0; pouring.sent < total; turn++) {
    pouring.pour(total);
    await settle();
    const adjusts = ends.server.arrived.splice(0).map((payload) => m.decodeWindowAdjust(payload));
    assert(adjusts.length > 0, `nothing granted after ${pouring.sent} bytes`);
    for (const { recipient, bytes } of adjusts) {
      assertEquals(recipient, 40);
      pouring.adjust(bytes);
    }
  }
  await settle();
  const arrived = a.arrived.reduce((sum, payload) => sum + m.decodeChannelData(payload).data.length, 0);
  assertEquals(arrived, total);
});

Deno.test("relay holds at most a cap for a passenger that never reads, while nine others finish", async () => {
  const ends = relayEnds();
  const stopped = ends.board({ reads: false });
  stopped.open(1, { window: 0xffffffff });
  const open = await ends.server.confirm(100);
  await settle();
  const pouring = new Pouring(ends.server, open.sender, open.window);
  const others: Awaited<ReturnType<typeof pourTo>>[] = [];
  while (others.length < 9) others.push(await pourTo(ends, others.length));
  const total = 5 * CAP;
  for (let turn = 0; turn < 40; turn++) {
    pouring.pour(100 * 1024 * 1024);
    for (const { pouring } of others) pouring.pour(total);
    await settle();
    for (const payload of ends.server.arrived.splice(0)) {
      const { recipient, bytes } = m.decodeWindowAdjust(payload);
      if (recipient === 100) pouring.adjust(bytes);
      else others[recipient].pouring.adjust(bytes);
    }
  }
  for (const { passenger, pouring } of others) {
    assertEquals(pouring.sent, total);
    assertEquals(passenger.arrived.reduce((sum, payload) => sum + payload.length - 9, 0), total);
  }
  assertEquals(pouring.sent, CAP); // no byte more than the cap was ever asked for

  // It wakes up: everything comes, and the server is told to go on.
  stopped.read();
  const wanted = 10 * CAP;
  for (let turn = 0; turn < 60 && pouring.sent < wanted; turn++) {
    await settle();
    for (const payload of ends.server.arrived.splice(0)) pouring.adjust(m.decodeWindowAdjust(payload).bytes);
    pouring.pour(wanted);
  }
  await settle();
  const [confirmation, ...data] = stopped.arrived;
  assertEquals(confirmation[0], MSG.CHANNEL_OPEN_CONFIRMATION);
  assertEquals(data.reduce((sum, payload) => sum + payload.length - 9, 0), wanted);
});

Deno.test("relay grants more to a passenger that reads whatever comes, a little at a time", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1, { window: 0xffffffff });
  const open = await ends.server.confirm(40);
  await a.opened();
  let outstanding = open.window;
  let most = outstanding;
  for (let turn = 0; turn < 600; turn++) {
    for (let again = 0; again < 8 && outstanding >= 32768; again++) {
      ends.server.send(m.encodeChannelData(open.sender, new Uint8Array(32768)));
      outstanding -= 32768;
    }
    await settle();
    for (const payload of ends.server.arrived.splice(0)) outstanding += m.decodeWindowAdjust(payload).bytes;
    most = Math.max(most, outstanding);
  }
  assert(most > 7 * CAP && most <= 8 * CAP, `${most} bytes granted`);
});

async function pourTo(ends: RelayEnds, remoteId: number) {
  const passenger = ends.board();
  const localId = await openThrough(ends, passenger, { sender: 7, remoteId, window: 0xffffffff });
  return { passenger, pouring: new Pouring(ends.server, localId, CAP) };
}

Deno.test("relay passes a small window on to the byte, and each grant as it comes", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1, { window: 0 });
  const open = await ends.server.confirm(40);
  assertEquals(open.window, 0);
  await a.opened();
  a.send(m.encodeWindowAdjust(40, 10), m.encodeWindowAdjust(40, 0), m.encodeWindowAdjust(40, 5));
  assertEquals(m.decodeWindowAdjust(await ends.server.next(MSG.CHANNEL_WINDOW_ADJUST)), {
    recipient: 40,
    bytes: 10,
  });
  assertEquals(m.decodeWindowAdjust(await ends.server.next(MSG.CHANNEL_WINDOW_ADJUST)), {
    recipient: 40,
    bytes: 5,
  });
  await settle();
  assertEquals(ends.server.types, []);
});

Deno.test("relay splits data to the passenger's maximum packet", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 3, remoteId: 40, maxPacket: 1000 });
  const data = Uint8Array.from({ length: 2500 }, (_, i) => i & 255);
  ends.server.send(m.encodeChannelData(localId, data), m.encodeChannelExtendedData(localId, 1, data));
  for (const expected of [1000, 1000, 500]) {
    const part = m.decodeChannelData(await a.next(MSG.CHANNEL_DATA));
    assertEquals([part.recipient, part.data.length], [3, expected]);
  }
  const parts = [];
  for (let i = 0; i < 3; i++) {
    const part = m.decodeChannelExtendedData(await a.next(MSG.CHANNEL_EXTENDED_DATA));
    assertEquals([part.recipient, part.type], [3, 1]);
    parts.push(...part.data);
  }
  assertEquals(Uint8Array.from(parts), data);
});

Deno.test("relay lets a passenger use the server's window to the last byte, and what is granted later", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const localId = await openThrough(ends, a, { sender: 3, remoteId: 40, serverWindow: 100 });
  a.send(m.encodeChannelData(40, new Uint8Array(60)), m.encodeChannelExtendedData(40, 1, new Uint8Array(40)));
  a.send(m.encodeChannelData(40, new Uint8Array(0)));
  ends.server.send(m.encodeWindowAdjust(localId, 7));
  await a.next(MSG.CHANNEL_WINDOW_ADJUST);
  a.send(m.encodeChannelData(40, new Uint8Array(7)));
  await settle();
  assertEquals(ends.server.types, [
    MSG.CHANNEL_DATA,
    MSG.CHANNEL_EXTENDED_DATA,
    MSG.CHANNEL_DATA,
    MSG.CHANNEL_DATA,
  ]);
  assertEquals(ends.relay.passengerCount, 1);
});

// The sender, alone: a link whose far end takes messages when the test says so.

function senderEnds() {
  const [ours, theirs] = memoryLinkPair();
  const sender = new RelaySender(ours);
  const channel = (localId: number) => {
    const passenger = new Passenger(memoryLinkPair()[0]);
    const init = {
      type: "session",
      passenger,
      passengerId: 0,
      passengerMaxPacket: 1,
      state: "open",
    } as const;
    return new RelayedChannel({ ...init, localId });
  };
  const arrived: number[][] = [];
  const take = () => theirs.receive((payload) => arrived.push([payload[0], payload[1]]));
  return { link: ours, sender, channel, arrived, take };
}

/** A message of 100 KiB: of whom, and its number. */
const large = (whose: number, number: number) =>
  new Uint8Array(100 * 1024).fill(whose, 0, 1).fill(number, 1, 2);

Deno.test("relay sender gives each channel its turn when the link is full, in order within a channel", async () => {
  const { sender, channel, arrived, take } = senderEnds();
  const [fast, slow] = [channel(1), channel(2)];
  for (let i = 0; i < 20; i++) sender.send(fast, large(1, i));
  for (let i = 0; i < 3; i++) sender.send(slow, new Uint8Array([2, i]));
  take();
  await settle();
  assertEquals(arrived.length, 23);
  assertEquals(
    arrived.filter(([whose]) => whose === 1).map(([, i]) => i),
    Array.from({ length: 20 }, (_, i) => i),
  );
  assertEquals(arrived.filter(([whose]) => whose === 2).map(([, i]) => i), [0, 1, 2]);
  // Three went at once; behind them, one of each in turn.
  const lastOfSlow = arrived.findLastIndex(([whose]) => whose === 2);
  assert(lastOfSlow <= 9, `${lastOfSlow}`);
});

Deno.test("relay sender lets nobody slip in before those who wait", async () => {
  const ends = senderEnds();
  const [fast, slow] = [ends.channel(1), ends.channel(2)];
  for (let i = 0; i < 3; i++) ends.sender.send(fast, large(1, i)); // full now
  ends.sender.send(slow, new Uint8Array([2, 0]));
  // Room comes up, less than what wakes the waiting, and the fast one uses it each time.
  Object.defineProperty(ends.link, "queuedBytes", { get: () => 200 * 1024 });
  for (let i = 3; i < 6; i++) ends.sender.send(fast, large(1, i));
  ends.take();
  await settle();
  assertEquals(ends.arrived.map(([whose]) => whose), [1, 1, 1, 2, 1, 1, 1]);
});

Deno.test("relay sender sends nothing while held, and all of it in order afterwards", async () => {
  const { sender, channel, arrived, take } = senderEnds();
  take();
  const [a, b] = [channel(1), channel(2)];
  sender.hold(true);
  for (let i = 0; i < 3; i++) {
    sender.send(a, new Uint8Array([1, i]));
    sender.send(b, new Uint8Array([2, i]));
  }
  await settle();
  assertEquals(arrived, []);
  sender.hold(false);
  await settle();
  assertEquals(arrived, [[1, 0], [2, 0], [1, 1], [2, 1], [1, 2], [2, 2]]);
});
