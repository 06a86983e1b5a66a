import type { SessionGate } from "../channel/session_gate.ts";
import { BULK_LANE_BYTES, type Lanes } from "./lanes.ts";
import type { SessionSource } from "./session_source.ts";

/** For each millisecond of round trip, so much more makes a lane's handshake worth its time. */
const BYTES_PER_MS = 2 * 1024 * 1024;

/** A source of sessions that is held until it is disposed. */
export type HeldSource = SessionSource & Disposable;

/** How many bytes of a copy call for a lane of its own, on a connection with this round trip. */
export function laneThreshold(roundTripMs = 0): number {
  return BULK_LANE_BYTES + Math.round(roundTripMs * BYTES_PER_MS);
}

/**
 * A lane for a copy of so many bytes; undefined where they are few, and where none can be had: the copy then goes over
 * the connection that is there. While commands wait there for their turn, a copy of any size makes way for them.
 */
export async function laneSource(
  lanes: Lanes | undefined,
  main: SessionGate,
  bytes: number,
  where: string,
): Promise<HeldSource | undefined> {
  const pays = bytes >= laneThreshold(main.roundTripMs) || main.waitingCount > 0;
  const held = pays ? await lanes?.bulk(main) : undefined;
  if (held === undefined) return undefined;
  const { lane, release } = held;
  return {
    open: (signal) => lane.gate.acquire(signal, { bulk: true }),
    get parallel() {
      return lane.gate.limit;
    },
    where,
    [Symbol.dispose]: release,
  };
}
