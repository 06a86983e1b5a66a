import type { SessionGate } from "../channel/session_gate.ts";
import { BULK_LANE_BYTES, type Lanes } from "./lanes.ts";
import type { Load, SessionSource } from "./session_source.ts";
import { RIDDEN_BYTES, rideOn, type SshRide } from "./ssh_ride.ts";

/** For each millisecond of round trip, so much more makes a lane's handshake worth its time. */
const BYTES_PER_MS = 2 * 1024 * 1024;

/**
 * Over one session of OpenSSH's, 2 MiB move in a round trip at most. On a way as long as this that is as fast as this
 * process could be; on a longer one several channels are faster.
 */
const RIDE_RTT_MS = 10;

/** How `ssh` can move a large file, where that would not be slower. */
export async function nearRide(
  roundTripMs: number | undefined,
  find: () => SshRide | undefined | Promise<SshRide | undefined>,
): Promise<SshRide | undefined> {
  return roundTripMs === undefined || roundTripMs > RIDE_RTT_MS ? undefined : await find();
}

/** A way this short has no queue that a command would wait in for long. */
const RIDE_THERE_RTT_MS = 5;

/**
 * Whether a copy had better go over the OpenSSH master that is there than over a lane: a large file, moved by `ssh`
 * processes in less time than a login would take, while no command of this process's would have to share with it.
 */
export function ridesThere({ bytes, single }: Load, main: SessionGate, roundTripMs = Infinity): boolean {
  const { openCount, waitingCount } = main;
  // A fetch has a session open already, in which it asked.
  return single && bytes >= RIDDEN_BYTES && roundTripMs <= RIDE_THERE_RTT_MS && openCount <= 1 &&
    waitingCount === 0;
}

/** A source of sessions that is held until it is disposed. */
export type HeldSource = SessionSource & Disposable;

/** How many bytes of a copy call for a lane of its own, on a connection with this round trip. */
function laneThreshold(roundTripMs = 0): number {
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
  return pays ? await heldLane(lanes, main, where) : undefined;
}

/** Copies under way that began without their lane. One may have the cryptography of its lane done by this process. */
let farCopies = 0;

/** A lane that joins a copy which has begun without it; undefined for a file that would be sent before it has logged in. */
export async function furtherSource(
  lanes: Lanes | undefined,
  main: SessionGate,
  { bytes }: Load,
  where: string,
): Promise<HeldSource | undefined> {
  if (bytes < RIDDEN_BYTES) return undefined;
  const alone = farCopies++ === 0;
  using over = new DisposableStack();
  over.defer(() => void farCopies--);
  const held = await heldLane(lanes, main, where, alone);
  if (held === undefined) return undefined;
  over.adopt(held[Symbol.dispose], (release) => release());
  const later = over.move();
  held[Symbol.dispose] = () => later.dispose();
  return held;
}

async function heldLane(
  lanes: Lanes | undefined,
  main: SessionGate,
  where: string,
  far = false,
): Promise<HeldSource | undefined> {
  const held = await lanes?.bulk(main, far);
  if (held === undefined) return undefined;
  const { lane, release } = held;
  return {
    open: (signal) => lane.gate.acquire(signal, { bulk: true }),
    get parallel() {
      return lane.gate.limit;
    },
    where,
    ride: () => nearRide(lane.gate.roundTripMs, () => rideOn(lane.connection)),
    [Symbol.dispose]: release,
  };
}
