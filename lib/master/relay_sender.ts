import type { Link } from "../channel/link.ts";
import type { RelayedChannel } from "./passenger.ts";

/** Above this many bytes not yet sent to the server, channels wait their turn. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * Sends what passengers have for the server: at once while the link has room and nobody waits, else one message of
 * each channel in turn. The order within a channel is kept; between channels nobody waits behind another's megabytes.
 */
export class RelaySender {
  readonly #link: Link;
  readonly #ready = new Set<RelayedChannel>();
  #waiting = false;
  #held = false;
  #ended = false;

  constructor(link: Link) {
    this.#link = link;
    link.closed.then(() => {
      this.#ended = true;
      for (const channel of this.#ready) channel.outgoing.length = 0;
      this.#ready.clear();
    });
  }

  send(channel: RelayedChannel, payload: Uint8Array): void {
    if (this.#ended) return;
    // Whoever finds a moment's room must not slip in before those who wait: it would find the next one too.
    if (this.#ready.size === 0 && !this.#held && this.#link.queuedBytes < HIGH_WATER_BYTES) {
      return this.#link.send(payload);
    }
    channel.outgoing.push(payload);
    this.#ready.add(channel);
    this.#pump();
  }

  /** While held, everything waits. */
  hold(held: boolean): void {
    this.#held = held;
    this.#pump();
  }

  #pump(): void {
    if (this.#held || this.#waiting || this.#ended) return;
    while (this.#ready.size > 0) {
      if (this.#link.queuedBytes >= HIGH_WATER_BYTES) return this.#waitForRoom();
      // A Set keeps insertion order: first in, first served, and back to the end.
      const [channel] = this.#ready;
      this.#ready.delete(channel);
      const payload = channel.outgoing.shift();
      if (payload === undefined) continue;
      this.#link.send(payload);
      if (channel.outgoing.length > 0) this.#ready.add(channel);
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
