import { seededRandom } from "./seeded_random.ts";

/** Packets that get lost, as TCP lets its user feel them: everything behind the lost one waits. */
export interface LossOptions {
  /** Probability that a segment of 1448 bytes is lost, 0 to 1. */
  readonly rate: number;
  /** Milliseconds until it has been sent again and is there; default: 200 (Linux's least timeout) and a round trip. */
  readonly stallMs?: number;
}

/** What makes a chunk late, beside the wire. */
export interface DelayOptions {
  /** Round-trip time in milliseconds, half of it in each direction. */
  readonly rttMs: number;
  /** Up to so many milliseconds more, in each direction, evenly spread; never reorders. Default 0. */
  readonly jitterMs?: number;
  /** Default: nothing is lost. */
  readonly loss?: LossOptions;
  /** For jitter and loss; default 1. */
  readonly seed?: number;
}

/** What one TCP segment carries on Ethernet. */
const SEGMENT_BYTES = 1448;

/** The delay of each chunk after the other, in milliseconds; the same for the same seed. */
export function delays(options: DelayOptions): (bytes: number) => number {
  const random = seededRandom(options.seed ?? 1);
  const { rttMs, jitterMs = 0, loss } = options;
  const stallMs = loss?.stallMs ?? 200 + rttMs;
  return (bytes) => {
    const segments = Math.ceil(bytes / SEGMENT_BYTES);
    const lost = loss !== undefined && random() < 1 - (1 - loss.rate) ** segments;
    return rttMs / 2 + (jitterMs > 0 ? random() * jitterMs : 0) + (lost ? stallMs : 0);
  };
}
