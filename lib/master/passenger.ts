import type { Link } from "../channel/link.ts";

/** What a server gets to send to one channel ahead of what its passenger has taken, until it is known to read. */
export const WINDOW_CAP_BYTES = 2 * 1024 * 1024;

/**
 * - `waiting`: the passenger's open waits its turn at the session limit.
 * - `opening`: our open is with the server.
 * - `answering`: the server's open is with the passenger.
 * - `open`: both know each other's number.
 */
export type RelayedState = "waiting" | "opening" | "answering" | "open";

/** One channel of a passenger: its number at either end, its windows, who has closed it, and what waits to be sent. */
export class RelayedChannel {
  readonly type: string;
  /** The passenger's number for it. */
  passengerId: number;
  /** Most bytes of data in one message to the passenger. */
  passengerMaxPacket: number;
  /** Our number for it, as the server knows it. */
  readonly localId: number;
  /** The server's number for it; the passenger knows it by that too. */
  remoteId: number | undefined;
  state: RelayedState;
  /** Undefined once the passenger is gone: the channel is then only waited out. */
  passenger: Passenger | undefined;
  closeSent = false;
  closeReceived = false;
  /** Messages for the server that wait for room on the link, in order. */
  readonly outgoing: Uint8Array[] = [];
  /** Bytes sent to the server since the last pause, and when the last of them was; see `RelaySender`. */
  sentInARow = 0;
  lastSentAt = -Infinity;
  /** Bytes that the server may still send. */
  outstanding = 0;
  /** Bytes that the passenger has granted and we have not passed on. */
  credit = 0;
  /** Most bytes that the server is told of; see `RelayWindows`. */
  windowCap = WINDOW_CAP_BYTES;
  /** Bytes that the passenger has taken since that last changed. */
  takenBytes = 0;
  /** Waits for the passenger to read, to pass more of its window on. */
  awaitsPassenger = false;
  /** Bytes that the passenger may still send. */
  serverWindow = 0;
  /** Most bytes of data in one message to the server. */
  serverMaxPacket = 0;
  /** Our open message, kept for as long as it may have to be sent again. */
  openMessage: Uint8Array | undefined;
  /** When our open was sent, on the clock of `performance.now()`. */
  askedAt = 0;
  /** How often the server has refused it for want of a session slot. */
  refusals = 0;

  constructor(
    init: {
      readonly type: string;
      readonly passenger: Passenger | undefined;
      readonly passengerId: number;
      readonly passengerMaxPacket: number;
      readonly localId: number;
      readonly remoteId?: number;
      readonly state: RelayedState;
    },
  ) {
    this.type = init.type;
    this.passenger = init.passenger;
    this.passengerId = init.passengerId;
    this.passengerMaxPacket = init.passengerMaxPacket;
    this.localId = init.localId;
    this.remoteId = init.remoteId;
    this.state = init.state;
  }

  get isSession(): boolean {
    return this.type === "session";
  }
}

/** An answer that a passenger expects; empty until it is known. */
interface PendingReply {
  payload: Uint8Array | undefined;
}

/** Somebody who rides a master in proxy mode: another process, a stock `ssh -O proxy`, or the keeper itself. */
export class Passenger {
  readonly link: Link;
  /** By the server's number. */
  readonly channels = new Map<number, RelayedChannel>();
  /** Not known to the server by number yet. */
  readonly opening = new Set<RelayedChannel>();
  /** Remote listeners it asked for, as `tcp:host:port` or `unix:path`. */
  readonly forwards = new Set<string>();
  /** It has broken the protocol; nothing more is taken from it. */
  leaving = false;
  readonly #replies: PendingReply[] = [];

  constructor(link: Link) {
    this.link = link;
  }

  get channelCount(): number {
    return this.channels.size + this.opening.size;
  }

  get sessionCount(): number {
    let count = 0;
    for (const channel of this.channels.values()) if (channel.isSession) count++;
    for (const channel of this.opening) if (channel.isSession) count++;
    return count;
  }

  /**
   * Answers to global requests carry no number: they must leave in the order of the requests, although some are
   * answered here and some by the server. The function returned gives this one's answer.
   */
  expectReply(): (payload: Uint8Array) => void {
    const reply: PendingReply = { payload: undefined };
    this.#replies.push(reply);
    return (payload) => {
      reply.payload = payload;
      while (this.#replies[0]?.payload !== undefined) this.link.send(this.#replies.shift()!.payload!);
    };
  }
}
