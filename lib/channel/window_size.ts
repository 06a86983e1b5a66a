import type { RoundTrip } from "./round_trip.ts";

/** With less, data comes in crumbs. On a very slow way this much is already a queue. */
export const MIN_WINDOW_BYTES = 16 * 1024;

/** The queue that bulk may leave standing on the way, as a part of the shortest round trip, and its bounds. */
const QUEUE_PART = 0.1;
const MIN_QUEUE_MS = 4;
const MAX_QUEUE_MS = 20;

/** A sender's packets: on a slow way, one of them is a queue by itself. */
const PACKET_BYTES = 32 * 1024;

/** A window that shows no queue grows by this each round, one that shows too much shrinks by no more. */
const STEP = 1.125;

/** The best rate of so many rounds counts: one that was short by chance must not make the window smaller. */
const RATES = 8;

/**
 * What passed at the best sustained rate of the last 5 to 10 seconds stays allowed, without any queue: a busy machine
 * that answers late all the time must not starve a way that is as wide as before.
 */
const SUSTAINED_MS = 5_000;
const SMOOTHING = 0.25;

/** With half of the window under way for two rounds, what the second one takes is the bare way. */
const DRAIN_ROUNDS = 2;

/** A probe on a channel and its answer, with what passed in between. */
export interface Round {
  readonly rttMs: number;
  /** Bytes that arrived (of a push: were confirmed) within `ms`. */
  readonly bytes: number;
  readonly ms: number;
  /** Whether the window was what held the sender back. A round in which it had nothing to send teaches nothing. */
  readonly limited: boolean;
}

/**
 * How many bytes one channel may have under way, so that its pipe is full and the queue in front of its narrowest part
 * is not. The idea is that of TCP Vegas and BBR: a queue shows as a round trip that grows while the rate does not.
 * The window grows while no queue shows (doubling, at first), and else goes towards what passes at the best rate seen
 * lately in the shortest round trip and a little more: so a round trip that was long by chance does no harm.
 */
export class WindowSize {
  readonly #roundTrip: RoundTrip;
  readonly #maxBytes: number;
  readonly #packetBytes: number;
  readonly #rates: number[] = [];
  #rate: number | undefined;
  #sustained = { sinceMs: -Infinity, best: 0, before: 0 };
  #bytes: number;
  #startingUp = true;
  #rounds = 0;
  #draining = 0;

  /** @param packetBytes of the sender's packets, at most. */
  constructor(roundTrip: RoundTrip, bytes: number, maxBytes: number, packetBytes: number = PACKET_BYTES) {
    this.#packetBytes = packetBytes;
    this.#roundTrip = roundTrip;
    this.#bytes = bytes;
    this.#maxBytes = maxBytes;
  }

  /** What may be under way now. */
  get bytes(): number {
    return this.draining ? Math.max(MIN_WINDOW_BYTES, Math.floor(this.#bytes / 2)) : this.#bytes;
  }

  /** Rounds that were looked at. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Whether only half is allowed for the moment, to see the bare way. */
  get draining(): boolean {
    return this.#draining > 0;
  }

  /** Begins anew at `bytes`. */
  reset(bytes: number): void {
    this.#bytes = bytes;
    this.#startingUp = true;
    this.#rates.length = 0;
    this.#rate = undefined;
    this.#sustained = { sinceMs: -Infinity, best: 0, before: 0 };
  }

  /** Learns from a round. */
  round({ rttMs, bytes, ms, limited }: Round): void {
    this.#rounds++;
    this.#roundTrip.seen(rttMs);
    if (this.#draining > 0) {
      if (--this.#draining === 0) this.#roundTrip.renew(rttMs);
      return;
    }
    if (!limited) return;
    const minMs = this.#roundTrip.minMs ?? rttMs;
    this.#note(bytes / Math.max(ms, 0.01));
    const rate = Math.max(...this.#rates);
    const queueMs = Math.min(Math.max(minMs * QUEUE_PART, MIN_QUEUE_MS), MAX_QUEUE_MS) +
      this.#packetBytes / rate;
    if (rttMs < minMs + queueMs) {
      if (this.#startingUp) return this.#set(this.#bytes * 2);
      // A step beyond twice the queue that is wanted would be one too far.
      return this.#set(Math.max(this.#bytes, Math.min(this.#bytes * STEP, rate * (minMs + 2 * queueMs))));
    }
    const pipe = rate * (minMs + queueMs);
    const { best, before } = this.#sustained;
    this.#set(this.#startingUp ? pipe : Math.max(this.#bytes / STEP, pipe, Math.max(best, before) * minMs));
    this.#startingUp = false;
    this.#roundTrip.pipeBytes = this.#bytes;
    if (this.#roundTrip.stale) this.#draining = DRAIN_ROUNDS;
  }

  #note(rate: number): void {
    this.#rates.push(rate);
    if (this.#rates.length > RATES) this.#rates.shift();
    this.#rate = this.#rate === undefined ? rate : this.#rate + (rate - this.#rate) * SMOOTHING;
    const { sinceMs, best } = this.#sustained;
    const now = this.#roundTrip.now();
    if (now - sinceMs > SUSTAINED_MS) this.#sustained = { sinceMs: now, best: this.#rate, before: best };
    else this.#sustained.best = Math.max(best, this.#rate);
  }

  #set(bytes: number): void {
    this.#bytes = Math.round(Math.min(Math.max(bytes, MIN_WINDOW_BYTES), this.#maxBytes));
  }
}
