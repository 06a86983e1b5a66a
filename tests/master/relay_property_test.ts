import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import type { Channel } from "../../lib/channel/channel.ts";
import { Connection } from "../../lib/channel/connection.ts";
import { Relay } from "../../lib/master/relay.ts";
import * as m from "../../lib/wire/messages.ts";
import { settle } from "./relay_ends.ts";

const { MSG } = m;

/**
 * A server that echoes: what a channel sends comes back on it, within the windows, and after EOF it closes. It uses
 * the lowest free number, as OpenSSH does, so that numbers are used again at once.
 */
class EchoServer {
  readonly #send: (payload: Uint8Array) => void;
  readonly #channels = new Map<number, {
    peer: number;
    window: number;
    maxPacket: number;
    waiting: number[];
    eof: boolean;
    closeSent: boolean;
    closeReceived: boolean;
  }>();
  readonly #maxSessions: number;
  refused = 0;

  constructor(send: (payload: Uint8Array) => void, maxSessions: number) {
    this.#send = send;
    this.#maxSessions = maxSessions;
  }

  get open(): number {
    return this.#channels.size;
  }

  receive(payload: Uint8Array): void {
    if (payload[0] === MSG.CHANNEL_OPEN) return this.#opened(m.decodeChannelOpen(payload));
    const number = m.recipientOf(payload);
    const channel = this.#channels.get(number);
    assert(channel, `message ${payload[0]} for channel ${number}, which is not open: sshd would hang up`);
    switch (payload[0]) {
      case MSG.CHANNEL_DATA: {
        const { data } = m.decodeChannelData(payload);
        channel.waiting.push(...data);
        this.#send(m.encodeWindowAdjust(channel.peer, data.length));
        break;
      }
      case MSG.CHANNEL_WINDOW_ADJUST:
        channel.window += m.decodeWindowAdjust(payload).bytes;
        break;
      case MSG.CHANNEL_EOF:
        channel.eof = true;
        break;
      case MSG.CHANNEL_CLOSE:
        assert(!channel.closeReceived, "CLOSE twice: sshd would hang up");
        channel.closeReceived = true;
        break;
      default:
        assert(false, `message ${payload[0]}`);
    }
    this.#go(number);
  }

  #opened({ sender, window, maxPacket }: m.ChannelOpen): void {
    if (this.#channels.size >= this.#maxSessions) {
      this.refused++;
      return this.#send(
        m.encodeChannelOpenFailure({ recipient: sender, reason: 2, description: "open failed" }),
      );
    }
    let number = 0;
    while (this.#channels.has(number)) number++;
    const fresh = { waiting: [], eof: false, closeSent: false, closeReceived: false };
    this.#channels.set(number, { peer: sender, window, maxPacket, ...fresh });
    this.#send(
      m.encodeChannelOpenConfirmation({ recipient: sender, sender: number, window: 3000, maxPacket: 700 }),
    );
  }

  #go(number: number): void {
    const channel = this.#channels.get(number)!;
    while (!channel.closeSent && channel.waiting.length > 0 && channel.window > 0) {
      const length = Math.min(channel.waiting.length, channel.window, channel.maxPacket);
      channel.window -= length;
      this.#send(m.encodeChannelData(channel.peer, Uint8Array.from(channel.waiting.splice(0, length))));
    }
    if (!channel.closeSent && (channel.closeReceived || (channel.eof && channel.waiting.length === 0))) {
      channel.closeSent = true;
      this.#send(m.encodeChannelClose(channel.peer));
    }
    if (channel.closeSent && channel.closeReceived) this.#channels.delete(number);
  }
}

/** A session that says who it is in every byte, and checks that it hears just that back. */
class Talker {
  readonly said: number[] = [];
  readonly heard: number[] = [];
  #channel: Channel | undefined;
  #early: (() => void)[] = [];
  #silent = false;
  closed = false;
  failed: unknown;

  constructor(connection: Connection, window: number, readonly self: number) {
    connection.open("session", { window }).then((channel) => {
      this.#channel = channel;
      channel.attach({
        onData: (data) => {
          this.heard.push(...data);
          channel.consumed(data.length);
        },
        onEof: () => {},
        onRequest: () => false,
        onClose: () => this.closed = true,
      });
      for (const act of this.#early.splice(0)) act();
    }, (error) => this.failed = error);
  }

  #act(act: () => void): void {
    if (this.#channel) act();
    else this.#early.push(act);
  }

  say(count: number): void {
    this.#act(() => {
      if (this.#silent) return;
      const data = Uint8Array.from(
        { length: count },
        (_, i) => (this.self * 37 + this.said.length + i) & 255,
      );
      this.said.push(...data);
      this.#channel!.write(data).catch(() => {}); // its channel may be closed before it has left
    });
  }

  eof(): void {
    this.#act(() => {
      this.#silent = true;
      this.#channel!.eof();
    });
  }

  close(): void {
    this.#act(() => {
      this.#silent = true;
      this.#channel!.close();
    });
  }
}

type Step =
  | { readonly kind: "open"; readonly who: number; readonly window: number }
  | { readonly kind: "say"; readonly which: number; readonly count: number }
  | { readonly kind: "eof" | "close"; readonly which: number }
  | { readonly kind: "vanish"; readonly who: number }
  | { readonly kind: "hold"; readonly held: boolean }
  | { readonly kind: "turns"; readonly count: number };

const who = fc.nat({ max: 3 });
const which = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("open" as const),
      who,
      window: fc.integer({ min: 1, max: 5000 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("say" as const),
      which,
      count: fc.integer({ min: 1, max: 4000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("eof" as const, "close" as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("vanish" as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("hold" as const), held: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 12 }) }),
  },
);

Deno.test("relay brings every byte to the right channel of the right passenger, in order, whatever they do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const [ours, theirs] = memoryLinkPair();
      const server = new EchoServer((payload) => theirs.send(payload), 100);
      theirs.receive((payload) => server.receive(payload));
      const relay = new Relay(ours, { maxSessions: 3 });
      const board = () => {
        const [near, far] = memoryLinkPair();
        relay.add(far);
        return new Connection(near);
      };
      const passengers = Array.from({ length: 4 }, board);
      const talkers: Talker[] = [];
      const gone = new Set<Talker>();
      const closers = new Set<Talker>();
      const of = new Map<Connection, Talker[]>();
      for (const step of steps) {
        const talker = "which" in step ? talkers[step.which % Math.max(talkers.length, 1)] : undefined;
        if (step.kind === "open") {
          const connection = passengers[step.who];
          const opened = new Talker(connection, step.window, talkers.length);
          talkers.push(opened);
          of.set(connection, [...of.get(connection) ?? [], opened]);
        } else if (step.kind === "vanish") {
          for (const one of of.get(passengers[step.who]) ?? []) gone.add(one);
          passengers[step.who].close();
          passengers[step.who] = board();
        } else if (step.kind === "hold") relay.hold(step.held);
        else if (step.kind === "turns") { for (let i = 0; i < step.count; i++) await Promise.resolve(); }
        else if (step.kind === "say") talker?.say(step.count);
        else if (step.kind === "eof") talker?.eof();
        else if (talker) {
          closers.add(talker);
          talker.close();
        }
      }
      relay.hold(false);
      for (const talker of talkers) talker.eof();
      await settle();
      // A window of one byte takes as many turns as there are bytes.
      for (let i = 0; i < 3000 && relay.channelCount > 0; i++) await settle();
      await settle();
      for (const talker of talkers) {
        // Whoever left or closed early hears a beginning of what it said; everybody else hears it all.
        const told = gone.has(talker) || closers.has(talker);
        assertEquals(talker.heard, talker.said.slice(0, told ? talker.heard.length : undefined));
        if (!told) assertEquals([talker.closed, talker.failed], [true, undefined]);
      }
      assertEquals(
        {
          channels: relay.channelCount,
          sessions: relay.sessionCount,
          server: server.open,
          refused: server.refused,
        },
        { channels: 0, sessions: 0, server: 0, refused: 0 },
      );
      assertEquals(relay.passengerCount, 4);
      await ours.close();
    }),
    { numRuns: 300 },
  );
});
