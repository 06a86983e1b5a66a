import type { Channel } from "./channel.ts";
import type { Link } from "./link.ts";

/** Above this many bytes not yet sent, channels wait: what is queued here delays every short command behind it. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * Gives the channels that have data to send their turns: one message each, in the order they asked, as long as the
 * link has room; those that have much to send only when no other wants to. So a large push on one channel delays a
 * short command on another by one message, not by megabytes. (Whoever goes on sending becomes bulk itself: nobody is
 * kept out for long.)
 */
export class SendScheduler {
  readonly #link: Link;
  readonly #ready = new Set<Channel>();
  readonly #bulk = new Set<Channel>();
  #pumping = false;
  #waiting = false;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Asks for turns until the channel has nothing sendable left. */
  wake(channel: Channel): void {
    this.#queue(channel);
    this.#pump();
  }

  forget(channel: Channel): void {
    this.#ready.delete(channel);
    this.#bulk.delete(channel);
  }

  #queue(channel: Channel): void {
    if (!channel.isBulk) this.#bulk.delete(channel); // it has paused
    else if (!this.#ready.has(channel)) return void this.#bulk.add(channel);
    this.#ready.add(channel);
  }

  #pump(): void {
    if (this.#pumping || this.#waiting) return;
    this.#pumping = true;
    try {
      for (;;) {
        const queue = this.#ready.size > 0 ? this.#ready : this.#bulk;
        if (queue.size === 0) return;
        if (this.#link.queuedBytes >= HIGH_WATER_BYTES) return this.#waitForRoom();
        // A Set keeps insertion order: first in, first served, and back to the end.
        const [channel] = queue;
        queue.delete(channel);
        channel.sendNext();
        if (channel.sendable) this.#queue(channel);
      }
    } finally {
      this.#pumping = false;
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
