import { assertEquals } from "@std/assert";
import { SessionGate } from "../../lib/channel/session_gate.ts";
import type { Session } from "../../lib/channel/session.ts";
import { Lanes, type LanesOptions } from "../../lib/host/lanes.ts";
import type { LanePurpose } from "../../lib/host/lane.ts";
import * as m from "../../lib/wire/messages.ts";
import { Peer } from "../channel/peer.ts";

/** Waits for what is known to come; a lane's own timer keeps no program alive. */
async function until(come: () => boolean): Promise<void> {
  while (!come()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A host with one session at a time on each connection. */
class World {
  readonly main = new Peer();
  readonly gate = new SessionGate(this.main.connection, 1);
  readonly lanePeers: Peer[] = [];
  readonly asked: LanePurpose[] = [];
  readonly said: string[] = [];
  readonly lanes: Lanes;

  constructor(options: Partial<LanesOptions> = {}) {
    this.lanes = new Lanes({
      most: 1,
      handshakeMs: 0,
      lingerMs: 1,
      open: (purpose) => {
        this.asked.push(purpose);
        const peer = new Peer();
        this.lanePeers.push(peer);
        return Promise.resolve(peer.connection);
      },
      say: (message) => void this.said.push(message),
      ...options,
    });
    this.lanes.relieve(this.gate);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lanes.close();
    await this.main.connection.close();
  }
}

/** Starts the session, so that its end is seen, and has the server end it. */
async function finish(peer: Peer, session: Session): Promise<void> {
  session.start({ kind: "shell" }, { onOutput() {}, onOutputEnd() {} });
  await peer.next(m.MSG.CHANNEL_REQUEST);
  peer.send(m.encodeChannelClose(session.channel.localId));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await session.ended;
}

Deno.test("commands that wait longer than a handshake takes go to another connection, first come first", async () => {
  await using world = new World();
  const first = world.gate.acquire();
  const order: string[] = [];
  const second = world.gate.acquire().then((session) => (order.push("second"), session));
  const third = world.gate.acquire().then((session) => (order.push("third"), session));
  await world.main.confirm({ sender: 1 });
  await first;
  await until(() => world.lanePeers.length > 0);
  const [lane] = world.lanePeers;
  await lane.confirm({ sender: 1 });
  const session = await second;
  assertEquals([order, world.asked, world.gate.waitingCount], [["second"], ["sessions"], 1]);
  assertEquals([world.lanes.count, world.lanes.sessionCount], [1, 1]);
  // The lane serves the next one as soon as it has room, too.
  await finish(lane, session);
  await lane.confirm({ sender: 2 });
  await finish(lane, await third);
  await until(() => world.lanes.count === 0); // nobody uses it: it is closed by itself
  assertEquals(world.lanePeers[0].connection.ended?.how, "closed");
});

Deno.test("no lane is opened while nobody waits, or where the wait is shorter than a handshake", async () => {
  await using world = new World({ handshakeMs: 60_000 });
  const first = world.gate.acquire();
  const second = world.gate.acquire();
  await world.main.confirm({ sender: 1 });
  const session = await first;
  await new Promise((resolve) => setTimeout(resolve, 60)); // several looks
  assertEquals(world.asked, []);
  await finish(world.main, session);
  await world.main.confirm({ sender: 2 });
  await second;
  assertEquals(world.asked, []);
});

Deno.test("where no lane can be had, everything stays on one connection, and none is tried again", async () => {
  let tries = 0;
  const refused = Promise.withResolvers<void>();
  await using world = new World({
    open: () => {
      tries++;
      refused.resolve();
      return Promise.reject(new Error("somebody would have to be asked"));
    },
  });
  const first = world.gate.acquire();
  const second = world.gate.acquire();
  await world.main.confirm({ sender: 1 });
  const session = await first;
  await refused.promise;
  await finish(world.main, session);
  await world.main.confirm({ sender: 2 });
  await second;
  assertEquals(await world.lanes.bulk(world.gate), undefined);
  assertEquals([tries, world.said], [
    1,
    ["Staying on one connection: somebody would have to be asked"],
  ]);
});

Deno.test("a command sent to a lane that dies before it is started takes its place at the first connection again", async () => {
  await using world = new World();
  const first = world.gate.acquire();
  const second = world.gate.acquire();
  const third = world.gate.acquire();
  await world.main.confirm({ sender: 1 });
  const session = await first;
  await until(() => world.lanePeers.length > 0);
  await world.lanePeers[0].next(m.MSG.CHANNEL_OPEN);
  await world.lanes.close();
  await finish(world.main, session);
  await world.main.confirm({ sender: 2 });
  await finish(world.main, await second);
  await world.main.confirm({ sender: 3 });
  await third;
});

Deno.test("data has a lane to itself, used again by the next copy and closed when none comes", async () => {
  await using world = new World({ lingerMs: 50 });
  const one = await world.lanes.bulk(world.gate);
  assertEquals([world.asked, world.lanes.count], [["bulk"], 1]);
  assertEquals(await world.lanes.bulk(world.gate), undefined); // it is in use, and there is to be one
  one!.release();
  const two = await world.lanes.bulk(world.gate);
  assertEquals([two!.lane === one!.lane, world.lanePeers.length], [true, 1]);
  two!.release();
  two!.release();
  await until(() => world.lanes.count === 0);
});

Deno.test("closing a host's lanes gives up one that is being opened", async () => {
  const world = new World({
    open: (_purpose, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const opening = world.lanes.bulk(world.gate);
  await world.lanes.close();
  assertEquals([await opening, world.said], [undefined, []]);
  await world.main.connection.close();
});
