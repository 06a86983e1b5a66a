import type { RoundTrip } from "./round_trip.ts";
import { WindowSize } from "./window_size.ts";

/** No channel's window grows beyond this: at 200 ms it carries 1.3 Gbit/s. */
export const MAX_RECEIVE_WINDOW_BYTES = 32 * 1024 * 1024;

/** A round is not begun for less: a short command's output is over before anything could be learnt from it. */
const PROBE_AFTER_BYTES = 128 * 1024;

/** A sender cuts its data as it is granted: for less than this, into crumbs. */
const MIN_STEP_BYTES = 4 * 1024;

/** A reader that leaves half of its window unread for so long is not keeping up. */
const BEHIND_MS = 200;

/**
 * What a peer may send on a channel (RFC 4254 §5.2), as it is granted: never more under way and unread together than
 * the window. The window follows what the way carries (see {@linkcode WindowSize}) as long as the reader keeps up, and
 * goes back to what it was at first when it does not. It can be made smaller only by granting nothing for a while.
 */
export class ReceiveWindow {
  readonly #roundTrip: RoundTrip;
  readonly #maxBytes: number;
  #size: WindowSize;
  #initial: number;
  #outstanding: number;
  #unread = 0;
  #behindSinceMs: number | undefined;
  /** Bytes since the last round ended, or since the one that is under way began. */
  #bytes = 0;
  #roundBeganAtMs: number | undefined;

  constructor(roundTrip: RoundTrip, bytes: number, maxBytes: number = MAX_RECEIVE_WINDOW_BYTES) {
    this.#roundTrip = roundTrip;
    this.#maxBytes = maxBytes;
    this.#initial = this.#outstanding = bytes;
    this.#size = new WindowSize(roundTrip, bytes, maxBytes);
  }

  /** Bytes that the peer may still send. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Bytes that have come and that nobody has read. */
  get unread(): number {
    return this.#unread;
  }

  /** Bytes that may be under way and unread together. */
  get bytes(): number {
    return this.#size.bytes;
  }

  /** Whether to find out how long a round trip takes now: ask, and say {@linkcode answered}. */
  get wantsProbe(): boolean {
    return this.#roundBeganAtMs === undefined && this.#bytes >= PROBE_AFTER_BYTES;
  }

  received(bytes: number): void {
    this.#outstanding -= bytes;
    this.#unread += bytes;
    this.#bytes += bytes;
    if (this.#unread * 2 > this.#size.bytes) this.#behindSinceMs ??= this.#roundTrip.now();
  }

  /** Some of it has been read; returns what to grant now, mostly 0. */
  consumed(bytes: number): number {
    this.#unread -= bytes;
    this.#shrinkBehind();
    return this.#grant();
  }

  /** A probe is on its way. */
  probed(): void {
    this.#roundBeganAtMs = this.#roundTrip.now();
    this.#bytes = 0;
  }

  /** Its answer has come; returns what to grant now. */
  answered(): number {
    if (this.#roundBeganAtMs === undefined) return 0;
    const rttMs = this.#roundTrip.now() - this.#roundBeganAtMs;
    this.#roundBeganAtMs = undefined;
    const { bytes } = this.#size;
    // With everything granted under way, one round brings one window; less, where the sender had no more.
    const limited = this.#bytes >= 0.6 * bytes && this.#unread <= bytes / 2;
    this.#size.round({ rttMs, bytes: this.#bytes, ms: rttMs, limited });
    this.#bytes = 0;
    return this.#grant();
  }

  /** Makes it at least so large; returns what to grant now: all of it at once. */
  resize(bytes: number): number {
    const more = bytes - this.#initial;
    this.#initial = bytes;
    this.#size = new WindowSize(this.#roundTrip, bytes, Math.max(this.#maxBytes, bytes));
    if (more <= 0) return 0;
    this.#outstanding += more;
    return more;
  }

  #grant(): number {
    const size = this.#size.bytes;
    const room = size - this.#outstanding - this.#unread;
    // In halves while little is known, which keeps adjust messages rare; in small steps where the window is only as
    // large as the pipe: what is read and not granted again is missing there.
    const step = this.#size.rounds === 0 ? size / 2 : Math.min(size / 2, Math.max(size / 16, MIN_STEP_BYTES));
    if (room <= 0 || room < step) return 0;
    this.#outstanding += room;
    return room;
  }

  #shrinkBehind(): void {
    const since = this.#behindSinceMs;
    if (since === undefined) return;
    if (this.#roundTrip.now() - since >= BEHIND_MS && this.#size.bytes > this.#initial) {
      this.#size.reset(this.#initial);
    }
    if (this.#unread * 2 <= this.#size.bytes) this.#behindSinceMs = undefined;
  }
}
