/** Sessions opened ahead of need: what they save, and that they never cost anybody anything. */
import { assertEquals, assertRejects } from "@std/assert";
import { LinkError } from "../../lib/base/errors.ts";
import { SessionGate, type SessionGateOptions } from "../../lib/channel/session_gate.ts";
import type { Session, SessionEnd } from "../../lib/channel/session.ts";
import { SECOND_CHANCE_MS } from "../../lib/channel/spare_pool.ts";
import * as m from "../../lib/wire/messages.ts";
import { Peer } from "./peer.ts";

function gateWith(peer: Peer, options: SessionGateOptions = {}, limit = 10): SessionGate {
  return new SessionGate(peer.connection, limit, { spares: 4, ...options });
}

function start(session: Session, command: string): Promise<SessionEnd> {
  session.start({ kind: "exec", command }, { onOutput() {}, onOutputEnd() {} });
  return session.ended;
}

/** Takes the exec request, which must be the next message but for window grants. */
async function takeExec(peer: Peer): Promise<string> {
  for (;;) {
    const payload = await peer.any();
    if (payload[0] === m.MSG.CHANNEL_WINDOW_ADJUST) continue;
    assertEquals(payload[0], m.MSG.CHANNEL_REQUEST);
    return new TextDecoder().decode(m.decodeChannelRequest(payload).data.subarray(4));
  }
}

/** A server that answers the exec on our channel `local` and ends it. */
async function finish(peer: Peer, local: number): Promise<void> {
  peer.send(m.encodeChannelReply(local, true));
  peer.send(m.encodeChannelClose(local));
  await peer.settle();
}

Deno.test("a gate with spares opens one at once, with window 0, and the next command's request leaves without an open", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const open = await peer.confirm({ sender: 1, window: 0 });
  assertEquals(open.window, 0);
  await peer.settle();
  assertEquals([gate.spareCount, gate.openCount], [1, 0]);
  const ended = start(await gate.acquire(), "one");
  assertEquals(await takeExec(peer), "one");
  // Behind the request, in the same flight: the next spare.
  const next = await peer.confirm({ sender: 2, window: 0 });
  assertEquals(next.window, 0);
  await finish(peer, open.sender);
  assertEquals((await ended).outcome, "unknown"); // this server never tells
  await peer.hangUp();
});

Deno.test("a command that finds the spare on its way waits for it instead of opening another", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const session = gate.acquire();
  const open = await peer.confirm({ sender: 1, window: 0 });
  assertEquals((await session).channel.localId, open.sender);
  assertEquals(peer.pending, 0);
  await peer.hangUp();
});

Deno.test("spares follow use: as many as were wanted at once, never more than half the limit", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const sessions = Array.from({ length: 4 }, () => gate.acquire());
  const locals: number[] = [];
  for (let at = 0; at < 4; at++) locals.push((await peer.confirm({ sender: at + 1, window: 0 })).sender);
  const ended = [];
  for (const session of sessions) ended.push(start(await session, "x"));
  await takeExec(peer);
  // Four are running: one more is half of ten.
  await peer.confirm({ sender: 5, window: 0 });
  for (let at = 1; at < 4; at++) await takeExec(peer);
  for (const local of locals) await finish(peer, local);
  await Promise.all(ended);
  start(await gate.acquire(), "y");
  for (let at = 0; at < 4; at++) {
    const payload = await nextOpenOrClose(peer);
    peer.send(
      m.encodeChannelOpenConfirmation({ recipient: payload, sender: 10 + at, window: 0, maxPacket: 32768 }),
    );
  }
  await peer.settle();
  assertEquals([gate.spareCount, gate.openCount], [4, 1]);
  await peer.hangUp();
});

/** Skips what is no open; returns the number of the next. */
async function nextOpenOrClose(peer: Peer): Promise<number> {
  for (;;) {
    const payload = await peer.any();
    if (payload[0] === m.MSG.CHANNEL_OPEN) return m.decodeChannelOpen(payload).sender;
  }
}

Deno.test("a server that refuses a spare is not asked for another, and commands go on", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const { sender } = m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN));
  peer.send(m.encodeChannelOpenFailure({ recipient: sender, reason: 2, description: "open failed" }));
  await peer.settle();
  for (const remote of [1, 2]) {
    const session = gate.acquire();
    const open = await peer.confirm({ sender: remote });
    assertEquals(open.window > 0, true);
    start(await session, "x");
    await takeExec(peer);
    await finish(peer, open.sender);
    await peer.next(m.MSG.CHANNEL_CLOSE);
  }
  assertEquals([gate.spareCount, gate.limit, peer.pending], [0, 10, 0]);
  await peer.hangUp();
});

Deno.test("spares that were refused once, for whatever reason, are there again later", async () => {
  const peer = new Peer();
  const clock = { ms: 0 };
  const gate = gateWith(peer, { now: () => clock.ms });
  const { sender } = m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN));
  peer.send(m.encodeChannelOpenFailure({ recipient: sender, reason: 2, description: "open failed" }));
  await peer.settle();
  clock.ms = SECOND_CHANCE_MS;
  const session = gate.acquire();
  await peer.confirm({ sender: 1 });
  start(await session, "x");
  assertEquals(await takeExec(peer), "x");
  assertEquals((await peer.confirm({ sender: 2, window: 0 })).window, 0);
  assertEquals(gate.spareCount > 0, true);
  await peer.hangUp();
});

Deno.test("a server that closes a spare is not asked for another, and nobody is told", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const open = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  peer.send(m.encodeChannelClose(open.sender));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await peer.settle();
  assertEquals(gate.spareCount, 0);
  const session = gate.acquire();
  await peer.confirm({ sender: 2 });
  start(await session, "x");
  assertEquals([await takeExec(peer), peer.pending], ["x", 0]);
  await peer.hangUp();
});

Deno.test("a command written to a spare that the server was just closing runs on another channel, its input with it", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  const session = await gate.acquire();
  const ended = start(session, "cat");
  const written = session.write(new TextEncoder().encode("in"));
  session.endInput();
  assertEquals(await takeExec(peer), "cat");
  m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN)); // the next spare; left unanswered
  peer.send(m.encodeChannelClose(spare.sender)); // without an answer to exec: it never saw it
  await peer.next(m.MSG.CHANNEL_CLOSE);
  const again = await peer.confirm({ sender: 3, window: 0 });
  assertEquals(await takeExec(peer), "cat");
  peer.send(m.encodeChannelReply(again.sender, true));
  peer.send(m.encodeWindowAdjust(again.sender, 100));
  await written;
  assertEquals(new TextDecoder().decode(m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data), "in");
  await peer.next(m.MSG.CHANNEL_EOF);
  peer.send(m.encodeChannelRequest(again.sender, "exit-status", false, new Uint8Array(4)));
  peer.send(m.encodeChannelClose(again.sender));
  assertEquals((await ended).code, 0);
  await peer.hangUp();
});

Deno.test("a command that the server has answered is never sent twice", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  const ended = start(await gate.acquire(), "x");
  await takeExec(peer);
  await peer.next(m.MSG.CHANNEL_OPEN);
  peer.send(m.encodeChannelReply(spare.sender, true));
  peer.send(m.encodeChannelClose(spare.sender));
  assertEquals((await ended).outcome, "unknown");
  await peer.next(m.MSG.CHANNEL_CLOSE);
  assertEquals(peer.pending, 0);
  await peer.hangUp();
});

Deno.test("on a link that was silent for long a fresh session is opened first, and the spare is kept", async () => {
  const peer = new Peer();
  let aheadMs = 0;
  const clocks = { steady: () => performance.now() + aheadMs, wall: () => Date.now() + aheadMs };
  const gate = gateWith(peer, { quiet: { clocks } });
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  aheadMs = 20_000;
  const session = gate.acquire();
  const open = await peer.confirm({ sender: 2 });
  assertEquals(open.sender !== spare.sender, true);
  start(await session, "x");
  assertEquals([await takeExec(peer), gate.spareCount], ["x", 1]);
  await peer.hangUp();
});

Deno.test("a machine that slept asks first, although by the steady clock the link was not silent", async () => {
  const peer = new Peer();
  let aheadMs = 0;
  const clocks = { steady: () => performance.now(), wall: () => Date.now() + aheadMs };
  const gate = gateWith(peer, { quiet: { clocks } });
  await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  aheadMs = 60_000;
  const session = gate.acquire();
  await peer.confirm({ sender: 2 });
  await session;
  const [next] = [gate.acquire()]; // it has answered: the spare serves again
  assertEquals((await next).channel.remoteId, 1);
  await peer.hangUp();
});

Deno.test("a silent link whose limit leaves no room gives its spare up rather than the command", async () => {
  const peer = new Peer();
  let aheadMs = 0;
  const clocks = { steady: () => performance.now() + aheadMs, wall: () => Date.now() + aheadMs };
  const gate = gateWith(peer, { quiet: { clocks } }, 3);
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  const busy = [gate.acquire(), gate.acquire(), gate.acquire()]; // the spare, and two opened
  const held = [spare, await peer.confirm({ sender: 2 }), await peer.confirm({ sender: 3 })];
  for (const one of busy) start(await one, "sleep");
  for (const _ of busy) await takeExec(peer);
  await finish(peer, held[1].sender);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  aheadMs = 20_000;
  const session = gate.acquire();
  const open = await peer.confirm({ sender: 4 });
  assertEquals((await session).channel.localId, open.sender);
  await peer.hangUp();
});

Deno.test("a session that the server refuses beside a spare takes its place", async () => {
  const peer = new Peer();
  let aheadMs = 0;
  const clocks = { steady: () => performance.now() + aheadMs, wall: () => Date.now() + aheadMs };
  const gate = gateWith(peer, { quiet: { clocks } });
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  aheadMs = 20_000;
  const session = gate.acquire();
  const { sender } = m.decodeChannelOpen(await peer.next(m.MSG.CHANNEL_OPEN));
  peer.send(m.encodeChannelOpenFailure({ recipient: sender, reason: 2, description: "open failed" }));
  assertEquals(m.recipientOf(await peer.next(m.MSG.CHANNEL_CLOSE)), 1);
  peer.send(m.encodeChannelClose(spare.sender));
  const open = await peer.confirm({ sender: 2 });
  assertEquals((await session).channel.localId, open.sender);
  await peer.hangUp();
});

Deno.test("a spare that nobody used is closed, and the next use brings one again", async () => {
  const peer = new Peer();
  const gate = gateWith(peer, { spareUnusedMs: 5 });
  const awake = setInterval(() => {}, 1000); // its own timer lets a program end
  const spare = await peer.confirm({ sender: 1, window: 0 });
  await peer.next(m.MSG.CHANNEL_CLOSE);
  peer.send(m.encodeChannelClose(spare.sender));
  await peer.settle();
  assertEquals([gate.spareCount, peer.pending], [0, 0]);
  const session = gate.acquire();
  await peer.confirm({ sender: 2 });
  start(await session, "x");
  await takeExec(peer);
  await peer.confirm({ sender: 3, window: 0 });
  await peer.hangUp();
  clearInterval(awake);
});

Deno.test("nothing is kept where the limit is two, or where nobody asked for spares", async () => {
  for (const [spares, limit] of [[4, 2], [4, 1], [0, 10]]) {
    const peer = new Peer();
    const gate = gateWith(peer, { spares }, limit);
    const session = gate.acquire();
    await peer.confirm({ sender: 1 });
    start(await session, "x");
    await takeExec(peer);
    await peer.settle();
    assertEquals([peer.pending, gate.spareCount], [0, 0]);
    await peer.hangUp();
  }
});

Deno.test("one that gives up while the spare is on its way leaves it to the next", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  const leaver = new AbortController();
  const left = gate.acquire(leaver.signal);
  leaver.abort(new DOMException("enough", "AbortError"));
  const open = await peer.confirm({ sender: 1, window: 0 });
  await assertRejects(() => left, DOMException, "enough");
  assertEquals((await gate.acquire()).channel.localId, open.sender);
  await peer.hangUp();
});

Deno.test("a link that ends with spares open ends them without a word, and an open after it fails as it would", async () => {
  const peer = new Peer();
  const gate = gateWith(peer);
  await peer.confirm({ sender: 1, window: 0 });
  await peer.settle();
  await peer.hangUp();
  await peer.settle();
  const error = await assertRejects(() => gate.acquire(), LinkError);
  assertEquals(error.outcome, "not-started");
});

Deno.test("bulk work waits behind what is not, whenever it came", async () => {
  const peer = new Peer();
  const gate = gateWith(peer, { spares: 0 }, 1);
  const order: string[] = [];
  const first = gate.acquire();
  const local = (await peer.confirm({ sender: 1 })).sender;
  const queued = [
    gate.acquire(undefined, { bulk: true }).then(() => order.push("bulk")),
    gate.acquire().then((session) => {
      order.push("short");
      return start(session, "y");
    }),
  ];
  start(await first, "x");
  await takeExec(peer);
  await finish(peer, local);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  const second = await peer.confirm({ sender: 2 });
  await takeExec(peer);
  await finish(peer, second.sender);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await peer.confirm({ sender: 3 });
  await Promise.all(queued);
  assertEquals(order, ["short", "bulk"]);
  await peer.hangUp();
});
