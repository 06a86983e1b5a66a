import type { SessionLimit } from "../channel/session_limit.ts";
import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Passenger, RelayedChannel } from "./passenger.ts";

/** How often a session is tried again that was refused with no other open to wait for. */
const RETRIES = 6;
const RETRY_DELAY_MS = 5;

/** While others are open, the delay doubles only so often: one of them may end at any moment. */
const SHORT_RETRIES = 2;

/**
 * Whose session opens next, so that the server's MaxSessions is never run into: at most `limit` at a time, the
 * passengers in turn, each one's own in order. A refusal teaches the limit, and what was refused is asked again: it
 * was never started. (sshd counts a session until it has reaped the child: a refusal with fewer open than before is
 * only early.)
 */
export class SessionTurns {
  readonly #waiting: RelayedChannel[] = [];
  readonly #taken = new Set<RelayedChannel>();
  readonly #open = new Set<RelayedChannel>();
  readonly #start: (channel: RelayedChannel) => void;
  readonly #retries = new Map<RelayedChannel, ReturnType<typeof setTimeout>>();
  readonly #lastTurn = new WeakMap<Passenger, number>();
  #turn = 0;
  readonly #limit: SessionLimit;

  constructor(limit: SessionLimit, start: (channel: RelayedChannel) => void) {
    this.#limit = limit;
    this.#start = start;
  }

  get limit(): number {
    return this.#limit.value;
  }

  get waitingCount(): number {
    return this.#waiting.length + this.#retries.size;
  }

  ask(channel: RelayedChannel): void {
    this.#waiting.push(channel);
    this.#next();
  }

  /** Whether a spare may be opened: half the limit at most, for sshd counts what it has not reaped yet. */
  get hasRoomForSpare(): boolean {
    return this.waitingCount === 0 && this.limit > 2 && this.#taken.size < Math.floor(this.limit / 2);
  }

  get isFull(): boolean {
    return this.#taken.size >= this.limit;
  }

  /** A spare takes a slot, and its open goes to the server. */
  openSpare(channel: RelayedChannel): void {
    this.#taken.add(channel);
    this.#start(channel);
  }

  /** A spare is a passenger's now: that was its turn. */
  handedOver(channel: RelayedChannel): void {
    if (channel.passenger) this.#lastTurn.set(channel.passenger, ++this.#turn);
  }

  /** A spare was refused, which may have shown the limit. */
  spareRefused(): void {
    this.#limit.refused(this.#open.size);
  }

  opened(channel: RelayedChannel): void {
    this.#open.add(channel);
    this.#limit.opened(this.#open.size);
    if (channel.refusals > 0) this.#next();
  }

  /** Whether the refused one will be tried again. */
  refused(channel: RelayedChannel, reason: number): boolean {
    if (reason !== OPEN_FAILURE.CONNECT_FAILED && reason !== OPEN_FAILURE.RESOURCE_SHORTAGE) return false;
    this.#limit.refused(this.#open.size);
    channel.refusals++;
    if (this.#open.size === 0 && channel.refusals > RETRIES) return false;
    channel.state = "waiting";
    if (this.#taken.size > this.limit) {
      // One too many: it waits for one of the others, in the place that it had.
      this.#taken.delete(channel);
      const later = this.#waiting.findIndex(({ localId }) => localId > channel.localId);
      this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, channel);
      return true;
    }
    // The server has not yet seen that one is over: the slot is kept, so that nobody who came later gets ahead.
    const retry = () => {
      this.#retries.delete(channel);
      this.#start(channel);
    };
    const longest = this.#open.size > 0 ? SHORT_RETRIES : RETRIES;
    const delayMs = RETRY_DELAY_MS * 2 ** Math.min(channel.refusals, longest);
    this.#retries.set(channel, setTimeout(retry, delayMs));
    return true;
  }

  /** A session is over, or nobody wants it any more. */
  ended(channel: RelayedChannel): void {
    this.drop(channel);
    this.#taken.delete(channel);
    this.#open.delete(channel);
    this.#next();
  }

  /** Takes one that waits out of the queue, without starting another. */
  drop(channel: RelayedChannel): void {
    clearTimeout(this.#retries.get(channel));
    this.#retries.delete(channel);
    const index = this.#waiting.indexOf(channel);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** The link is gone: nothing opens any more. */
  end(): void {
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
    this.#waiting.length = 0;
  }

  #next(): void {
    // While one that was refused waits to be tried again, the slot that the server frees next is for that one.
    while (this.#retries.size === 0 && this.#taken.size < this.limit && this.#waiting.length > 0) {
      const channel = this.#waiting.splice(this.#fairest(), 1)[0];
      if (channel.passenger) this.#lastTurn.set(channel.passenger, ++this.#turn);
      this.#taken.add(channel);
      this.#start(channel);
    }
  }

  /**
   * The first of the passenger that holds the fewest slots, and among equals of the one whose last turn is longest
   * ago: one with a hundred waiting cannot starve another.
   */
  #fairest(): number {
    const held = new Map<Passenger | undefined, number>();
    for (const { passenger } of this.#taken) held.set(passenger, (held.get(passenger) ?? 0) + 1);
    let best = 0;
    let fewest = Infinity;
    let oldest = Infinity;
    this.#waiting.forEach(({ passenger }, index) => {
      const count = held.get(passenger) ?? 0;
      const turn = (passenger && this.#lastTurn.get(passenger)) ?? 0;
      if (count < fewest || (count === fewest && turn < oldest)) {
        [best, fewest, oldest] = [index, count, turn];
      }
    });
    return best;
  }
}
