import type { Clock, Timer } from "./clock.ts";
import type { SharedWire } from "./shared_wire.ts";

export interface DelayLineOptions<Item> {
  readonly clock: Clock;
  readonly wire: SharedWire;
  /** Milliseconds from leaving the wire to arriving, asked anew for each item: jitter and stalls are in it. */
  readonly delayMs: (bytes: number) => number;
  /** Hands an item over; the next waits until that is done. */
  readonly deliver: (item: Item) => void | Promise<void>;
  /** Bytes that may be under way before {@linkcode DelayLine.push} makes the sender wait. */
  readonly windowBytes: number;
  /** Nothing arrives before this moment. */
  readonly notBeforeMs?: number;
}

interface Parcel<Item> {
  readonly item: Item;
  readonly bytes: number;
  dueAtMs: number;
  readonly urgent: boolean;
}

/**
 * One direction of one connection: what is pushed comes out later, in order, however the delay varies. Any number of
 * items are under way at once, so the delay costs no throughput.
 */
export class DelayLine<Item> {
  readonly #options: DelayLineOptions<Item>;
  readonly #clock: Clock;
  #parcels: Parcel<Item>[] = [];
  #underWayBytes = 0;
  #lastDueAtMs: number;
  #timer: Timer | undefined;
  #delivering = false;
  #held = false;
  #stopped = false;
  #waiting: (() => void)[] = [];

  constructor(options: DelayLineOptions<Item>) {
    this.#options = options;
    this.#clock = options.clock;
    this.#lastDueAtMs = options.notBeforeMs ?? -Infinity;
  }

  /** Bytes that have been let onto the wire and have not arrived. */
  get underWayBytes(): number {
    return this.#underWayBytes;
  }

  /**
   * Sends `item`, which counts as `bytes`. Calls `more` when the sender may go on: when the item is in the queue of
   * the wire and the window is open.
   */
  push(item: Item, bytes: number, more: () => void): void {
    if (this.#stopped) return more();
    this.#options.wire.admit(bytes, (departsAtMs) => {
      if (this.#stopped) return more();
      const dueAtMs = Math.max(this.#lastDueAtMs, departsAtMs + this.#options.delayMs(bytes));
      this.#lastDueAtMs = dueAtMs;
      // What follows close on something else is part of a stream: nobody waits for just this piece of it.
      this.#parcels.push({ item, bytes, dueAtMs, urgent: this.#parcels.length === 0 });
      this.#underWayBytes += bytes;
      this.#arm();
      if (this.#underWayBytes < this.#options.windowBytes) more();
      else this.#waiting.push(more);
    });
  }

  /** A pulled cable: nothing arrives until {@linkcode release}. */
  hold(): void {
    this.#held = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What was under way is sent again from `atMs` on, as TCP would: it arrives a full delay later. */
  release(atMs: number): void {
    this.#held = false;
    const dueAtMs = atMs + this.#options.delayMs(0);
    for (const parcel of this.#parcels) parcel.dueAtMs = Math.max(parcel.dueAtMs, dueAtMs);
    this.#lastDueAtMs = Math.max(this.#lastDueAtMs, this.#parcels.at(-1)?.dueAtMs ?? -Infinity);
    this.#arm();
  }

  /** Drops everything; idempotent. */
  stop(): void {
    this.hold();
    this.#stopped = true;
    this.#parcels = [];
    this.#underWayBytes = 0;
    this.#open();
  }

  #open(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const more of waiting) more();
  }

  #arm(): void {
    if (this.#held || this.#delivering || this.#timer || this.#parcels.length === 0) return;
    const { dueAtMs, urgent } = this.#parcels[0];
    this.#timer = this.#clock.setTimer(dueAtMs, () => {
      this.#timer = undefined;
      this.#deliver();
    }, urgent);
  }

  #deliver(): void {
    while (!this.#held && !this.#delivering && this.#parcels.length > 0) {
      if (this.#parcels[0].dueAtMs > this.#clock.now()) return this.#arm();
      const { item, bytes } = this.#parcels.shift()!;
      const done = () => {
        if (this.#stopped) return;
        this.#underWayBytes -= bytes;
        if (this.#underWayBytes < this.#options.windowBytes) this.#open();
      };
      const pending = this.#options.deliver(item);
      if (pending === undefined) {
        done();
        continue;
      }
      this.#delivering = true;
      // deliver() never rejects by contract: what goes wrong on a socket is the relay's to handle.
      pending.then(() => {
        this.#delivering = false;
        done();
        this.#deliver();
      });
    }
  }
}
