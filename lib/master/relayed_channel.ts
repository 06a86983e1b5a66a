import type { Passenger } from "./passenger.ts";

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
  /** Bytes that the server may still send. */
  outstanding = 0;
  /** Bytes that the passenger has granted and we have not passed on. */
  credit = 0;
  /** Waits for the passenger to read, to pass more of its window on. */
  awaitsPassenger = false;
  /** Bytes that the passenger may still send. */
  serverWindow = 0;
  /** Most bytes of data in one message to the server. */
  serverMaxPacket = 0;
  /** Our open message, kept for as long as it may have to be sent again. */
  openMessage: Uint8Array | undefined;
  /** How often the server has refused it for want of a session slot. */
  refusals = 0;

  constructor(
    init: {
      readonly type: string;
      readonly passenger: Passenger;
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
