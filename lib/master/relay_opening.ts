import type { Link } from "../channel/link.ts";
import { SessionLimit } from "../channel/session_limit.ts";
import {
  type ChannelOpen,
  decodeChannelOpen,
  decodeChannelOpenConfirmation,
  decodeChannelOpenFailure,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelOpenFailure,
  MSG,
  OPEN_FAILURE,
} from "../wire/messages.ts";
import { type Passenger, RelayedChannel } from "./passenger.ts";
import { renumber } from "./relayed_data.ts";
import type { RelaySender } from "./relay_sender.ts";
import { RelaySpares } from "./relay_spares.ts";
import { type RelayTable, violation } from "./relay_table.ts";
import type { RelayWindows } from "./relay_windows.ts";
import { SessionTurns } from "./session_turns.ts";

/** What opening channels needs of the relay around it. */
export interface RelayOpeningParts {
  readonly link: Link;
  readonly table: RelayTable;
  readonly sender: RelaySender;
  readonly windows: RelayWindows;
  readonly maxSessions: number;
  /** Most sessions kept open ahead of need. */
  readonly spares: number;
  readonly spareUnusedMs?: number;
  /** Whether a refusal may be risked again later, when a limit or the want of spares is looked at anew. */
  readonly forgives: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  readonly beforeOpen?: () => void;
  readonly isQuiet?: () => boolean;
  /** The channel is open at the server, and nobody's any more. */
  readonly closeForGone: (channel: RelayedChannel) => void;
  /** The channel is over. */
  readonly forget: (channel: RelayedChannel) => void;
}

/**
 * How channels of a relay come to be open: a passenger asks, and gets a spare, or its turn at the session limit; the
 * server answers; or the server asks, and a passenger answers.
 */
export class RelayOpening {
  readonly turns: SessionTurns;
  readonly spares: RelaySpares;
  readonly #parts: RelayOpeningParts;
  #everRefused = false;
  #rttMs: number | undefined;

  constructor(parts: RelayOpeningParts) {
    this.#parts = parts;
    const { forgives, now } = parts;
    const limit = new SessionLimit(parts.maxSessions, { rises: forgives, now });
    this.turns = new SessionTurns(limit, (channel) => this.#send(channel));
    this.spares = new RelaySpares({
      most: parts.spares,
      unusedMs: parts.spareUnusedMs,
      forgives,
      now,
      allocateId: () => parts.table.allocateId(),
      open: (channel) => {
        parts.table.add(channel);
        this.turns.openSpare(channel);
      },
      close: parts.closeForGone,
      hasRoom: () => this.turns.hasRoomForSpare,
    });
  }

  /** Whether the server has ever refused an open: what that means for leaving, see `Master`. */
  get everRefused(): boolean {
    return this.#everRefused;
  }

  /** The shortest time that the server took to answer an open for a session, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** A passenger opens a channel. */
  passengerOpens(passenger: Passenger, payload: Uint8Array): void {
    const open = decodeChannelOpen(payload);
    if (open.maxPacket === 0) throw violation("a passenger announced a maximum packet of 0 bytes");
    const { table, windows, isQuiet, beforeOpen } = this.#parts;
    const wasQuiet = isQuiet?.() ?? false;
    beforeOpen?.();
    if (open.type === "session" && this.#handOver(passenger, open, wasQuiet)) return;
    const channel = new RelayedChannel({
      type: open.type,
      passenger,
      passengerId: open.sender,
      passengerMaxPacket: open.maxPacket,
      localId: table.allocateId(),
      state: "waiting",
    });
    const window = windows.start(channel, open.window);
    channel.openMessage = encodeChannelOpen({ ...open, sender: channel.localId, window });
    table.add(channel);
    passenger.opening.add(channel);
    if (channel.isSession) this.turns.ask(channel);
    else this.#send(channel);
  }

  /** Gives a passenger a session that is open already, or on its way; whether there was one. */
  #handOver(passenger: Passenger, open: ChannelOpen, isQuiet: boolean): boolean {
    if (this.turns.waitingCount > 0) return false;
    if (isQuiet) {
      // Only an answer tells whether the link still lives; where the limit leaves no room to ask, a spare makes it.
      if (this.turns.isFull) this.spares.dropOne();
      return false;
    }
    const channel = this.spares.take();
    if (channel === undefined) return false;
    channel.passenger = passenger;
    channel.passengerId = open.sender;
    channel.passengerMaxPacket = open.maxPacket;
    channel.credit = open.window;
    this.turns.handedOver(channel);
    if (channel.state === "opening") {
      passenger.opening.add(channel); // its confirmation goes on from here, and the window with it
      return true;
    }
    const { remoteId, serverWindow, serverMaxPacket } = channel;
    passenger.channels.set(remoteId!, channel);
    passenger.link.send(
      encodeChannelOpenConfirmation({
        recipient: open.sender,
        sender: remoteId!,
        window: serverWindow,
        maxPacket: serverMaxPacket,
      }),
    );
    this.#parts.windows.topUp(channel);
    return true;
  }

  #send(channel: RelayedChannel): void {
    channel.state = "opening";
    channel.askedAt = performance.now();
    this.#parts.sender.send(channel, channel.openMessage!.slice());
  }

  /** The server has confirmed an open. */
  confirmed(channel: RelayedChannel, payload: Uint8Array): void {
    const message = decodeChannelOpenConfirmation(payload);
    if (channel.state !== "opening") throw violation("an open confirmed that is not under way");
    channel.state = "open";
    channel.openMessage = undefined;
    channel.serverWindow = message.window;
    channel.serverMaxPacket = message.maxPacket;
    this.#parts.table.nameRemote(channel, message.sender);
    if (channel.isSession) {
      this.turns.opened(channel);
      this.#rttMs = Math.min(this.#rttMs ?? Infinity, performance.now() - channel.askedAt);
    }
    const { passenger } = channel;
    if (passenger === undefined) {
      if (!this.spares.arrived(channel)) this.#parts.closeForGone(channel);
      return;
    }
    passenger.opening.delete(channel);
    passenger.channels.set(message.sender, channel);
    passenger.link.send(renumber(payload, channel.passengerId));
    if (channel.credit > 0) this.#parts.windows.topUp(channel); // a spare that was taken on its way
  }

  /** The server has refused an open. */
  refused(channel: RelayedChannel, payload: Uint8Array): void {
    if (channel.state !== "opening") throw violation("an open refused that is not under way");
    this.#everRefused = true;
    const { reason } = decodeChannelOpenFailure(payload);
    if (this.spares.has(channel)) {
      this.spares.refused(channel);
      this.turns.spareRefused();
    } else if (channel.isSession && channel.passenger && this.turns.refused(channel, reason)) {
      this.spares.dropOne(); // nobody waits for a session while one lies idle
      return; // it gets another turn
    } else channel.passenger?.link.send(renumber(payload, channel.passengerId));
    this.#parts.forget(channel);
  }

  /** The server opens a channel, to this passenger: whoever asked for what it comes from. */
  serverOpens(open: ChannelOpen, passenger: Passenger | undefined, payload: Uint8Array): void {
    if (passenger === undefined) {
      return this.refuse(open.sender, OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, "nobody asked for it");
    }
    const { table } = this.#parts;
    const channel = new RelayedChannel({
      type: open.type,
      passenger,
      passengerId: 0,
      passengerMaxPacket: 0,
      localId: table.allocateId(),
      state: "answering",
    });
    channel.serverWindow = open.window;
    channel.serverMaxPacket = open.maxPacket;
    table.nameRemote(channel, open.sender);
    table.add(channel);
    passenger.opening.add(channel);
    passenger.link.send(payload);
  }

  /** Refuses a channel that the server opens. */
  refuse(remoteId: number, reason: number, description: string): void {
    this.#parts.link.send(encodeChannelOpenFailure({ recipient: remoteId, reason, description }));
  }

  /** A passenger answers the server's open. */
  passengerAnswers(passenger: Passenger, channel: RelayedChannel, payload: Uint8Array): void {
    const { link, windows, forget } = this.#parts;
    if (payload[0] === MSG.CHANNEL_OPEN_FAILURE) {
      const { recipient, reason, description } = decodeChannelOpenFailure(payload);
      link.send(encodeChannelOpenFailure({ recipient, reason, description }));
      return forget(channel);
    }
    if (payload[0] !== MSG.CHANNEL_OPEN_CONFIRMATION) {
      throw violation("a passenger used a channel before it took it");
    }
    const { recipient, sender, window, maxPacket } = decodeChannelOpenConfirmation(payload);
    if (maxPacket === 0) throw violation("a passenger announced a maximum packet of 0 bytes");
    channel.state = "open";
    channel.passengerId = sender;
    channel.passengerMaxPacket = maxPacket;
    passenger.opening.delete(channel);
    passenger.channels.set(recipient, channel);
    link.send(
      encodeChannelOpenConfirmation({
        recipient,
        sender: channel.localId,
        window: windows.start(channel, window),
        maxPacket,
      }),
    );
  }

  /** The channel is over. */
  forget(channel: RelayedChannel): void {
    const wasSpare = this.spares.has(channel);
    this.spares.forget(channel);
    if (!channel.isSession) return;
    this.turns.ended(channel);
    if (!wasSpare) this.spares.refill(); // there may be room now for as many as are wanted
  }

  /** The link is gone. */
  end(): void {
    this.spares.end();
    this.turns.end();
  }
}
