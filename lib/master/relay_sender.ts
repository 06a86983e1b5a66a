import type { Link } from "../channel/link.ts";
import type { RelayedChannel } from "./passenger.ts";

/** Above this many bytes not yet sent to the server, channels wait their turn. */
const HIGH_WATER_BYTES = 256 * 1024;

/** A channel that sends so much without pausing for so long is bulk, and lets the others go first. */
const BULK_BYTES = 256 * 1024;
const PAUSE_MS = 1000;

/**
 * Sends what passengers have for the server: at once while the link has room and nobody waits, else one message of
 * each channel in turn, those that send much only when no other has anything. The order within a channel is kept;
 * between channels nobody waits behind another's megabytes.
 */
export class RelaySender {
  readonly #link: Link;
  readonly #ready = new Set<RelayedChannel>();
  readonly #bulk = new Set<RelayedChannel>();
  #waiting = false;
  #held = false;
  #ended = false;

  constructor(link: Link) {
    this.#link = link;
    link.closed.then(() => {
      this.#ended = true;
      for (const queue of [this.#ready, this.#bulk]) {
        for (const channel of queue) channel.outgoing.length = 0;
        queue.clear();
      }
    });
  }

  send(channel: RelayedChannel, payload: Uint8Array): void {
    if (this.#ended) return;
    // Whoever finds a moment's room must not slip in before those who wait: it would find the next one too.
    const waiting = this.#ready.size > 0 || this.#bulk.size > 0;
    if (!waiting && !this.#held && this.#link.queuedBytes < HIGH_WATER_BYTES) {
      return this.#pass(channel, payload);
    }
    channel.outgoing.push(payload);
    this.#queue(channel);
    this.#pump();
  }

  #pass(channel: RelayedChannel, payload: Uint8Array): void {
    const now = performance.now();
    if (now - channel.lastSentAt > PAUSE_MS) channel.sentInARow = 0;
    channel.sentInARow += payload.length;
    channel.lastSentAt = now;
    this.#link.send(payload);
  }

  #queue(channel: RelayedChannel): void {
    const bulk = channel.sentInARow >= BULK_BYTES && performance.now() - channel.lastSentAt <= PAUSE_MS;
    if (bulk && !this.#ready.has(channel)) return void this.#bulk.add(channel);
    this.#bulk.delete(channel);
    this.#ready.add(channel);
  }

  /** While held, everything waits. */
  hold(held: boolean): void {
    this.#held = held;
    this.#pump();
  }

  #pump(): void {
    if (this.#held || this.#waiting || this.#ended) return;
    for (;;) {
      const queue = this.#ready.size > 0 ? this.#ready : this.#bulk;
      if (queue.size === 0) return;
      if (this.#link.queuedBytes >= HIGH_WATER_BYTES) return this.#waitForRoom();
      // A Set keeps insertion order: first in, first served, and back to the end.
      const [channel] = queue;
      queue.delete(channel);
      const payload = channel.outgoing.shift();
      if (payload === undefined) continue;
      this.#pass(channel, payload);
      if (channel.outgoing.length > 0) this.#queue(channel);
    }
  }

  #waitForRoom(): void {
    this.#waiting = true;
    const again = () => {
      this.#waiting = false;
      this.#pump();
    };
    // A link that says it has room and has none would be asked round for ever, and nothing else would ever run.
    this.#link.drained().then(() =>
      this.#link.queuedBytes < HIGH_WATER_BYTES ? again() : void setTimeout(again, 1)
    );
  }
}
