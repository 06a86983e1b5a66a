import { assertEquals, assertRejects } from "@std/assert";
import { ChannelError } from "../../lib/base/errors.ts";
import { SessionGate } from "../../lib/channel/session_gate.ts";
import type { Session } from "../../lib/channel/session.ts";
import * as m from "../../lib/wire/messages.ts";
import { Peer } from "./peer.ts";

/** Starts the session, so that its end is seen, and has the server end it. */
async function finish(peer: Peer, session: Session): Promise<void> {
  session.start({ kind: "shell" }, { onOutput() {}, onOutputEnd() {} });
  await peer.next(m.MSG.CHANNEL_REQUEST);
  peer.send(m.encodeChannelClose(session.channel.localId));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await session.ended;
}

function refuse(peer: Peer, open: Uint8Array): void {
  const { sender } = m.decodeChannelOpen(open);
  peer.send(m.encodeChannelOpenFailure({ recipient: sender, reason: 2, description: "open failed" }));
}

Deno.test("gate opens at most its limit and lets the rest wait in order", async () => {
  const peer = new Peer();
  const gate = new SessionGate(peer.connection, 2);
  const order: number[] = [];
  const sessions = [0, 1, 2, 3].map((n) =>
    gate.acquire().then((session) => {
      order.push(n);
      return session;
    })
  );
  await peer.confirm({ sender: 1 });
  await peer.confirm({ sender: 2 });
  const first = await sessions[0];
  await sessions[1];
  assertEquals([peer.pending, gate.openCount, gate.waitingCount], [0, 2, 2]);
  await finish(peer, first);
  await peer.confirm({ sender: 3 });
  await finish(peer, await sessions[2]);
  await peer.confirm({ sender: 4 });
  await sessions[3];
  assertEquals(order, [0, 1, 2, 3]);
});

Deno.test("gate learns the limit from a refusal and tries the refused one again, ahead of later ones", async () => {
  const peer = new Peer();
  const gate = new SessionGate(peer.connection, 10);
  const order: number[] = [];
  const sessions = [0, 1, 2, 3].map((n) =>
    gate.acquire().then((session) => {
      order.push(n);
      return session;
    })
  );
  await peer.confirm({ sender: 1 });
  await peer.confirm({ sender: 2 });
  const first = await sessions[0];
  const second = await sessions[1];
  refuse(peer, await peer.next(m.MSG.CHANNEL_OPEN));
  refuse(peer, await peer.next(m.MSG.CHANNEL_OPEN));
  while (gate.waitingCount < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals([gate.limit, gate.openCount], [2, 2]);
  await finish(peer, first);
  await peer.confirm({ sender: 3 });
  await finish(peer, await sessions[2]);
  await peer.confirm({ sender: 4 });
  await finish(peer, second);
  await finish(peer, await sessions[3]);
  assertEquals(order, [0, 1, 2, 3]);
  assertEquals(gate.openCount, 0);
});

Deno.test("a refusal with fewer sessions open than before is retried and teaches nothing", async () => {
  const peer = new Peer();
  const gate = new SessionGate(peer.connection, 2);
  const a = gate.acquire();
  const b = gate.acquire();
  await peer.confirm({ sender: 1 });
  await peer.confirm({ sender: 2 });
  await b;
  await finish(peer, await a);
  const c = gate.acquire();
  refuse(peer, await peer.next(m.MSG.CHANNEL_OPEN));
  await peer.confirm({ sender: 3 });
  await c;
  assertEquals([gate.limit, gate.openCount], [2, 2]);
});

Deno.test("an open that is refused with no session to wait for fails in the end, with the server's words", async () => {
  const peer = new Peer();
  const gate = new SessionGate(peer.connection);
  const session = gate.acquire();
  const failed = assertRejects(() => session, ChannelError, "open failed");
  for (let attempt = 0; attempt < 7; attempt++) refuse(peer, await peer.next(m.MSG.CHANNEL_OPEN));
  await failed;
  assertEquals([gate.openCount, gate.waitingCount], [0, 0]);
});

Deno.test("one that waits at the gate can leave, and the others keep their order", async () => {
  const peer = new Peer();
  const gate = new SessionGate(peer.connection, 1);
  const first = gate.acquire();
  await peer.confirm();
  const abort = new AbortController();
  const leaver = gate.acquire(abort.signal);
  const last = gate.acquire();
  abort.abort(new Error("left"));
  await assertRejects(() => leaver, Error, "left");
  await finish(peer, await first);
  await peer.confirm();
  await last;
  assertEquals(gate.waitingCount, 0);
});
