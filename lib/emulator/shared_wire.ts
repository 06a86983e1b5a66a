import type { Clock, Timer } from "./clock.ts";

export interface SharedWireOptions {
  readonly clock: Clock;
  /** Default: no limit. */
  readonly bandwidthBytesPerSecond?: number;
  /** Bytes that may wait for the wire; default 100 ms of it, at least 32 KiB. */
  readonly queueBytes?: number;
}

interface Waiter {
  readonly bytes: number;
  readonly admitted: (departsAtMs: number) => void;
}

/**
 * One direction of a link: a wire that sends one byte after the other, with a bounded queue in front of it, shared by
 * all connections. Nothing is stored here: the queue is the time at which the wire will be free again.
 *
 * A real router drops what does not fit, and TCP slows down. Here TCP ends at the relay on either side, so nothing
 * may be dropped: whoever finds the queue full waits, first come first served, and reads no further from its socket.
 * The sender sees that as TCP's own backpressure.
 */
export class SharedWire {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  readonly #queueBytes: number;
  readonly #waiters: Waiter[] = [];
  #freeAtMs = -Infinity;
  #timer: Timer | undefined;
  #held = false;
  #peakBytes = 0;

  constructor(options: SharedWireOptions) {
    this.#clock = options.clock;
    this.#bytesPerMs = (options.bandwidthBytesPerSecond ?? Infinity) / 1000;
    this.#queueBytes = options.queueBytes ?? Math.max(32 * 1024, this.#bytesPerMs * 100);
  }

  /** The most that a connection should hand over at once, so that others get a turn: 4 ms of the wire. */
  get grainBytes(): number {
    return Math.floor(Math.min(64 * 1024, this.#queueBytes, Math.max(1448, this.#bytesPerMs * 4)));
  }

  /** Bytes that wait for the wire or are on their way onto it. */
  get queuedBytes(): number {
    if (this.#bytesPerMs === Infinity) return 0;
    return Math.max(0, this.#freeAtMs - this.#clock.now()) * this.#bytesPerMs;
  }

  /** The most that ever waited, with what was admitted last; since the last call. */
  takePeakBytes(): number {
    const peak = this.#peakBytes;
    this.#peakBytes = 0;
    return peak;
  }

  /**
   * Calls `admitted` as soon as there is room, at once if there is, with the moment at which the last of these bytes
   * will have left.
   */
  admit(bytes: number, admitted: (departsAtMs: number) => void): void {
    this.#waiters.push({ bytes, admitted });
    if (this.#waiters.length === 1) this.#serve();
  }

  /** A pulled cable: nothing more is admitted until {@linkcode release}. */
  hold(): void {
    this.#held = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  release(): void {
    this.#held = false;
    this.#serve();
  }

  /** Forgets who waits. */
  stop(): void {
    this.hold();
    this.#waiters.length = 0;
  }

  #serve(): void {
    while (!this.#held && this.#timer === undefined && this.#waiters.length > 0) {
      const { bytes, admitted } = this.#waiters[0];
      const now = this.#clock.now();
      const roomAtMs = this.#bytesPerMs === Infinity
        ? now
        : this.#freeAtMs - Math.max(0, this.#queueBytes - bytes) / this.#bytesPerMs;
      if (roomAtMs > now) {
        this.#timer = this.#clock.setTimer(roomAtMs, () => {
          this.#timer = undefined;
          this.#serve();
        });
        return;
      }
      this.#waiters.shift();
      this.#freeAtMs = Math.max(this.#freeAtMs, now) + bytes / this.#bytesPerMs;
      this.#peakBytes = Math.max(this.#peakBytes, this.queuedBytes);
      admitted(this.#freeAtMs);
    }
  }
}
