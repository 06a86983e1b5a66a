import { assertEquals, assertRejects } from "@std/assert";
import { ChannelError } from "../../lib/base/errors.ts";
import * as m from "../../lib/wire/messages.ts";
import { openThrough, relayEnds, type ScriptedEnd, settle } from "./relay_ends.ts";

const { MSG } = m;

/** Takes the opens that have come, telling them by the window that the passenger announced. */
function asked(server: ScriptedEnd): { readonly localId: number; readonly mark: number }[] {
  return server.arrived.splice(0).filter((payload) => payload[0] === MSG.CHANNEL_OPEN).map((payload) => {
    const { sender, window } = m.decodeChannelOpen(payload);
    return { localId: sender, mark: window };
  });
}

Deno.test("relay opens no more sessions at a time than the limit, the passengers in turn, each one's in order", async () => {
  const { relay, server, board } = relayEnds({ maxSessions: 2 });
  const [a, b, c] = [board(), board(), board()];
  for (let i = 0; i < 6; i++) a.open(i, { window: 100 + i });
  await settle();
  for (let i = 0; i < 2; i++) b.open(i, { window: 200 + i });
  for (let i = 0; i < 2; i++) c.open(i, { window: 300 + i });
  await settle();
  const order: number[] = [];
  const open = new Map<number, number>();
  const passengers = [undefined, a, b, c];
  let remoteId = 500;
  while (order.length < 10) {
    for (const { localId, mark } of asked(server)) {
      order.push(mark);
      open.set(localId, mark);
      server.send(
        m.encodeChannelOpenConfirmation({ recipient: localId, sender: ++remoteId, window: 9, maxPacket: 9 }),
      );
    }
    await settle();
    assertEquals(open.size <= 2, true);
    // The one that has been open longest ends.
    const [[localId, mark]] = open;
    open.delete(localId);
    server.send(m.encodeChannelClose(localId));
    const passenger = passengers[Math.floor(mark / 100)]!;
    passenger.send(m.encodeChannelClose(500 + order.indexOf(mark) + 1));
    await settle();
  }
  // a came first and got both; from then on all take turns, as long as they have something to open.
  assertEquals(order, [100, 101, 200, 300, 102, 201, 301, 103, 104, 105]);
  assertEquals(relay.sessionLimit, 2);
});

Deno.test("relay counts only sessions against the limit", async () => {
  const ends = relayEnds({ maxSessions: 1 });
  const a = ends.board();
  await openThrough(ends, a, { sender: 1, remoteId: 40 });
  a.open(2, { type: "made-up@example.org" });
  a.open(3);
  assertEquals((await ends.server.confirm(41)).type, "made-up@example.org");
  await settle();
  assertEquals(ends.server.types, []);
});

Deno.test("relay learns the limit from refusals, and asks again for what was refused when there is room", async () => {
  const ends = relayEnds({ maxSessions: 10 });
  const a = ends.board();
  for (let i = 0; i < 5; i++) a.open(i, { window: 100 + i });
  await settle();
  const [first, second, third, fourth, fifth] = asked(ends.server);
  for (const [i, { localId }] of [first, second].entries()) {
    ends.server.send(
      m.encodeChannelOpenConfirmation({ recipient: localId, sender: 40 + i, window: 9, maxPacket: 9 }),
    );
  }
  for (const { localId } of [third, fourth, fifth]) {
    ends.server.send(
      m.encodeChannelOpenFailure({ recipient: localId, reason: 2, description: "open failed" }),
    );
  }
  await settle();
  assertEquals(ends.relay.sessionLimit, 2);
  assertEquals(a.types, [MSG.CHANNEL_OPEN_CONFIRMATION, MSG.CHANNEL_OPEN_CONFIRMATION]); // nobody hears of a refusal
  for (const [i, { localId }] of [first, second].entries()) {
    a.send(m.encodeChannelClose(40 + i));
    ends.server.send(m.encodeChannelClose(localId));
  }
  const seen: number[] = [];
  for (let i = 0; i < 3; i++) {
    let open: Uint8Array | undefined;
    // Closes come among them.
    while (open === undefined) {
      if (ends.server.arrived.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      const payload = ends.server.arrived.shift();
      if (payload?.[0] === MSG.CHANNEL_OPEN) open = payload;
    }
    const { sender, window } = m.decodeChannelOpen(open);
    seen.push(window);
    ends.server.send(
      m.encodeChannelOpenConfirmation({ recipient: sender, sender: 50 + i, window: 9, maxPacket: 9 }),
    );
    a.send(m.encodeChannelClose(50 + i));
    ends.server.send(m.encodeChannelClose(sender));
  }
  assertEquals(seen.sort(), [102, 103, 104]);
});

Deno.test("relay asks again for a session that was refused early, and does not lower the limit for it", async () => {
  const ends = relayEnds({ maxSessions: 10 });
  const a = ends.board();
  const opened = [];
  for (let i = 0; i < 3; i++) opened.push(await openThrough(ends, a, { sender: i, remoteId: 40 + i }));
  // One ends; the server has not reaped it yet when the next comes.
  ends.server.send(m.encodeChannelClose(opened[0]));
  a.send(m.encodeChannelClose(40));
  await ends.server.next(MSG.CHANNEL_CLOSE);
  await a.next(MSG.CHANNEL_CLOSE);
  a.open(9);
  await ends.server.refuse();
  await ends.server.refuse(m.OPEN_FAILURE.RESOURCE_SHORTAGE);
  await ends.server.confirm(49);
  assertEquals([await a.opened(), ends.relay.sessionLimit], [49, 10]);
});

Deno.test("relay hands a refusal on after some tries when nothing is open whose end could help", async () => {
  const ends = relayEnds();
  const connection = ends.connect();
  const rejected = assertRejects(
    () => connection.open("session"),
    ChannelError,
    `server answered "open failed" (2)`,
  );
  let refusals = 0;
  const refuse = async () => {
    for (;; refusals++) await ends.server.refuse();
  };
  const refusing = refuse().catch(() => {});
  await rejected;
  assertEquals([refusals, ends.relay.channelCount], [7, 0]);
  await ends.server.link.close();
  await refusing;
});

Deno.test("relay hands a refusal on at once that no waiting can mend", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  await ends.server.refuse(m.OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED);
  const failure = m.decodeChannelOpenFailure(await a.next(MSG.CHANNEL_OPEN_FAILURE));
  assertEquals(failure, { recipient: 1, reason: 1, description: "open failed" });
  assertEquals(ends.relay.channelCount, 0);
});

Deno.test("relay leaves no timer behind when the link ends while a refused session waits", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.open(1);
  await ends.server.refuse();
  await ends.server.link.close();
  await a.link.closed;
  await settle();
  assertEquals(ends.relay.channelCount, 0);
});
