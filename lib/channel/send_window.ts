import type { RoundTrip } from "./round_trip.ts";
import { WindowSize } from "./window_size.ts";

/** Bytes that a channel may have under way before anything is known of the way. */
const INITIAL_BYTES = 1024 * 1024;

/** More than a server ever grants one channel at once (OpenSSH: 2 MiB); then its own window is what counts. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Short input is sent without asking for anything. */
const PROBE_AFTER_BYTES = 256 * 1024;

/** So many probes are under way with a full window, and none is worth less than this. */
const PROBES_PER_WINDOW = 16;
const MIN_PROBE_BYTES = 32 * 1024;
const MIN_PROBES_PER_WINDOW = 4;

/** A packet is no more than a part of the window: on a slow way, a large one delays the others. */
const MAX_PACKET_BYTES = 32 * 1024;
const MIN_PACKET_BYTES = 4 * 1024;
const PACKETS_PER_WINDOW = 8;

interface Probe {
  readonly sentBytes: number;
  readonly atMs: number;
}

/**
 * What we may send on a channel ahead of what is known to have arrived, so that a push stands in no queue: neither in
 * the kernel's buffers, which take megabytes that nothing can take back, nor in front of the narrowest part of the
 * way. A request that the server must answer follows the data now and then: its answer confirms what went before it.
 */
export class SendWindow {
  readonly #roundTrip: RoundTrip;
  readonly #size: WindowSize;
  readonly #probes: Probe[] = [];
  #sent = 0;
  #confirmed = 0;
  #probedAt = 0;
  #limited = false;
  #roundBeganAtMs = -Infinity;
  #confirmedBefore = 0;
  #unlimited = false;

  constructor(
    roundTrip: RoundTrip,
    bytes: number = Math.max(256 * 1024, roundTrip.pipeBytes ?? INITIAL_BYTES),
  ) {
    this.#roundTrip = roundTrip;
    this.#size = new WindowSize(roundTrip, Math.min(bytes, INITIAL_BYTES), MAX_BYTES, MAX_PACKET_BYTES / 2);
  }

  get #packetBytes(): number {
    const part = Math.floor(this.#size.bytes / PACKETS_PER_WINDOW);
    return Math.min(Math.max(part, MIN_PACKET_BYTES), MAX_PACKET_BYTES);
  }

  /** Bytes that one message may have now; 0: none may be sent. */
  get room(): number {
    if (this.#unlimited) return Infinity;
    const room = this.#size.bytes - (this.#sent - this.#confirmed);
    if (room >= MIN_PACKET_BYTES || this.#sent === this.#confirmed) return Math.min(room, this.#packetBytes);
    this.#limited = true;
    return 0;
  }

  /** Bytes that may be under way together. */
  get bytes(): number {
    return this.#size.bytes;
  }

  /** Bytes sent that are not known to have arrived. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed;
  }

  /** Whether an answer is being waited for. */
  get awaitsAnswer(): boolean {
    return this.#probes.length > 0;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** Whether to send a probe behind what was just sent. */
  get wantsProbe(): boolean {
    if (this.#unlimited || this.#sent < PROBE_AFTER_BYTES) return false;
    const since = this.#sent - this.#probedAt;
    const { bytes } = this.#size;
    const least = Math.min(MIN_PROBE_BYTES, bytes / MIN_PROBES_PER_WINDOW);
    return since >= Math.max(least, bytes / PROBES_PER_WINDOW);
  }

  /** A probe is on its way. */
  probed(): void {
    this.#probedAt = this.#sent;
    this.#probes.push({ sentBytes: this.#sent, atMs: this.#roundTrip.now() });
  }

  /** The answer to the oldest probe has come. */
  answered(): void {
    const probe = this.#probes.shift();
    if (probe === undefined) return;
    this.#confirmed = probe.sentBytes;
    const now = this.#roundTrip.now();
    const rttMs = now - probe.atMs;
    // Rounds do not overlap: each one sees what the last one has led to. The first has nothing to be measured from.
    if (probe.atMs < this.#roundBeganAtMs) return;
    if (this.#roundBeganAtMs === -Infinity) this.#roundTrip.seen(rttMs);
    else {
      const [bytes, ms] = [this.#confirmed - this.#confirmedBefore, now - this.#roundBeganAtMs];
      this.#size.round({ rttMs, bytes, ms, limited: this.#limited });
    }
    this.#limited = false;
    this.#confirmedBefore = this.#confirmed;
    this.#roundBeganAtMs = now;
  }

  /** The server answers no probes, or the way is dead: from here on its own window alone counts. */
  giveUp(): void {
    this.#unlimited = true;
  }
}
