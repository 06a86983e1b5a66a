import { ProtocolError } from "../base/errors.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import {
  decodeChannelOpen,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeWindowAdjust,
  encodeChannelClose,
  encodeChannelReply,
  encodeGlobalReply,
  isChannelMessage,
  MSG,
  OPEN_FAILURE,
  recipientOf,
} from "../wire/messages.ts";
import { GlobalReplies } from "./global_replies.ts";
import { RemoteForwards } from "./remote_forwards.ts";
import { Passenger, type RelayedChannel } from "./passenger.ts";
import { checkFromPassenger, dataLengthOf } from "./passenger_check.ts";
import { isData, renumber, splitData } from "./relayed_data.ts";
import { RelaySender } from "./relay_sender.ts";
import { RelayOpening } from "./relay_opening.ts";
import { RelayWindows } from "./relay_windows.ts";
import { RelayTable, violation } from "./relay_table.ts";

export interface RelayOptions {
  /** Sessions at a time; a refusal lowers it. */
  readonly maxSessions: number;
  /** Whether the server may be asked again, later, for what it has refused; default true. On a master of OpenSSH's not. */
  readonly forgives?: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  /** Called whenever passengers or channels come or go. */
  readonly onChange?: () => void;
  /** Called before a passenger opens something, so that a quiet link can be probed; see `LinkWatch`. */
  readonly beforeOpen?: () => void;
  /** Whether the link was silent for so long that nothing but an open may be written to it; see `LinkWatch`. */
  readonly isQuiet?: () => boolean;
  /** Most sessions kept open ahead of need; default 0. */
  readonly spares?: number;
  /** Milliseconds after which a spare that nobody took is closed; default 60 s. */
  readonly spareUnusedMs?: number;
  /** Called when a passenger has left, or had to: `how` is then `failed`. */
  readonly onLeave?: (info: CloseInfo) => void;
}

/**
 * Many passengers over one link. It renumbers channels, passes messages on without looking into data, keeps each
 * passenger to its own channels, and cleans up after one that vanishes in any state. A passenger that breaks the
 * protocol loses its own connection, never the link.
 */
export class Relay {
  readonly link: Link;
  readonly #options: RelayOptions;
  readonly #passengers = new Set<Passenger>();
  readonly #table = new RelayTable();
  readonly #replies: GlobalReplies;
  readonly #forwards = new RemoteForwards();
  readonly #sender: RelaySender;
  readonly #windows: RelayWindows;
  readonly #opening: RelayOpening;
  #lastReceivedAt = performance.now();
  /** How the link ended, or is about to. */
  #ended: CloseInfo | undefined;

  constructor(link: Link, options: RelayOptions) {
    this.link = link;
    this.#options = options;
    this.#replies = new GlobalReplies(link);
    this.#sender = new RelaySender(link);
    this.#windows = new RelayWindows(this.#sender);
    this.#opening = new RelayOpening({
      link,
      table: this.#table,
      sender: this.#sender,
      windows: this.#windows,
      maxSessions: options.maxSessions,
      spares: options.spares ?? 0,
      spareUnusedMs: options.spareUnusedMs,
      forgives: options.forgives ?? true,
      now: options.now,
      beforeOpen: options.beforeOpen,
      isQuiet: options.isQuiet,
      closeForGone: (channel) => this.#closeForGone(channel),
      forget: (channel) => this.#forget(channel),
    });
    link.closed.then((info) => this.#end(info));
    link.receive((payload) => {
      if (this.#ended) return;
      this.#lastReceivedAt = performance.now();
      try {
        this.#fromServer(payload);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        const why = `The server broke the SSH protocol: ${link.where}: ${error.why}`;
        this.#ended = { how: "failed", why, error }; // nothing that follows can be trusted
        link.close(this.#ended);
      }
    });
  }

  /** When the server was last heard, on the clock of `performance.now()`. */
  get lastReceivedAt(): number {
    return this.#lastReceivedAt;
  }

  /** The shortest time that the server took to answer an open for a session, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#opening.rttMs;
  }

  get passengerCount(): number {
    return this.#passengers.size;
  }

  /** Sessions that passengers have open, are opening or wait for. */
  get sessionCount(): number {
    let count = 0;
    for (const passenger of this.#passengers) count += passenger.sessionCount;
    return count;
  }

  /** Channels of every kind, those that are only being waited out included; spares are none. */
  get channelCount(): number {
    return this.#table.size - this.#opening.spares.count;
  }

  /** Opens the spares that are wanted now, before anybody has asked for a session. */
  openSpares(): void {
    this.#opening.spares.refill();
  }

  /** Closes the spares; there will be no more. */
  endSpares(): void {
    this.#opening.spares.end();
  }

  /** Listeners at the server that passengers have asked for. */
  get forwardCount(): number {
    let count = 0;
    for (const passenger of this.#passengers) count += passenger.forwards.size;
    return count;
  }

  get sessionLimit(): number {
    return this.#opening.turns.limit;
  }

  /** What is open, for `-O channels` and the like: type and state, no content. */
  describeChannels(): { readonly localId: number; readonly type: string; readonly state: string }[] {
    const shown = [...this.#table.all()].filter((channel) => !this.#opening.spares.has(channel));
    return shown.map(({ localId, type, state }) => ({ localId, type, state }));
  }

  /** Whether nothing is open or under way at the server, and it never refused an open: see `Master`. */
  get mayLeave(): boolean {
    return !this.#opening.everRefused && ![...this.#table.all()].some(({ state }) => state === "opening");
  }

  /** Sends every passenger away; the link stays. */
  dismiss(info: CloseInfo): void {
    for (const passenger of [...this.#passengers]) passenger.link.close(info);
  }

  /** From now on channels to an agent that some session has asked for go to this passenger. */
  serveAgentBy(passenger: Passenger): void {
    this.#forwards.serveAgentBy(passenger);
  }

  /** Takes a passenger on; it leaves when its link ends. */
  add(link: Link): Passenger {
    const passenger = new Passenger(link);
    if (this.#ended) {
      link.close(this.#ended);
      return passenger;
    }
    this.#passengers.add(passenger);
    link.closed.then((info) => this.#leave(passenger, info));
    link.receive((payload) => {
      if (this.#ended || passenger.leaving) return;
      try {
        this.#fromPassenger(passenger, payload);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        passenger.leaving = true; // what it sent behind that is not for the server
        link.close({ how: "failed", why: error.message, error });
      }
    });
    this.#changed();
    return passenger;
  }

  /** Sends a global request of our own; resolves with the whole answer, or rejects when the link ends first. */
  request(name: string, data?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => this.#replies.send(name, data, resolve, reject));
  }

  /** Holds what passengers send to the server, or lets it go: while a quiet link is being probed. */
  hold(held: boolean): void {
    this.#sender.hold(held);
  }

  // From the server

  #fromServer(payload: Uint8Array): void {
    const type = payload[0];
    if (type === MSG.CHANNEL_OPEN) return this.#serverOpens(payload);
    if (type === MSG.GLOBAL_REQUEST) {
      if (decodeGlobalRequest(payload).wantReply) this.link.send(encodeGlobalReply(false));
      return;
    }
    if (type === MSG.REQUEST_SUCCESS || type === MSG.REQUEST_FAILURE) return this.#replies.answer(payload);
    if (!isChannelMessage(type)) throw violation(`message ${type} out of place`);
    const localId = recipientOf(payload);
    const channel = this.#table.byLocal(localId);
    if (channel === undefined || channel.closeReceived) {
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type >= MSG.CHANNEL_SUCCESS) return; // late, harmless
      throw violation(`message ${type} for channel ${localId}, which is not open`);
    }
    if (type === MSG.CHANNEL_OPEN_CONFIRMATION) return this.#opening.confirmed(channel, payload);
    if (type === MSG.CHANNEL_OPEN_FAILURE) return this.#opening.refused(channel, payload);
    if (channel.state !== "open") {
      throw violation(`message ${type} for channel ${localId}, which is being opened`);
    }
    if (type === MSG.CHANNEL_REQUEST && this.#answerKeepalive(channel, payload)) return;
    if (type === MSG.CHANNEL_WINDOW_ADJUST) {
      this.#windows.serverGranted(channel, decodeWindowAdjust(payload).bytes);
    }
    if (type === MSG.CHANNEL_CLOSE) {
      channel.closeReceived = true;
      if (this.#opening.spares.has(channel)) this.#spareClosed(channel);
    }
    if (channel.passenger) this.#toPassenger(channel.passenger, channel, payload);
    // One whose passenger is gone was closed by us when it left.
    if (channel.closeReceived && channel.closeSent) this.#forget(channel);
  }

  #toPassenger(passenger: Passenger, channel: RelayedChannel, payload: Uint8Array): void {
    renumber(payload, channel.passengerId);
    if (!isData(payload[0])) return passenger.link.send(payload);
    const bytes = dataLengthOf(payload);
    if (bytes <= channel.passengerMaxPacket) passenger.link.send(payload);
    else for (const part of splitData(payload, channel.passengerMaxPacket)) passenger.link.send(part);
    this.#windows.received(channel, bytes);
  }

  /**
   * sshd sends keepalive@openssh.com on whichever channel is open first (ClientAliveInterval). Its passenger may be
   * stopped, and must not cost the others their connection: the answer is ours.
   */
  #answerKeepalive(channel: RelayedChannel, payload: Uint8Array): boolean {
    const { type, wantReply } = decodeChannelRequest(payload);
    if (type !== "keepalive@openssh.com") return false;
    if (wantReply && channel.remoteId !== undefined && !channel.closeSent) {
      this.link.send(encodeChannelReply(channel.remoteId, false));
    }
    return true;
  }

  /** The server does not want idle sessions. */
  #spareClosed(channel: RelayedChannel): void {
    this.#opening.spares.gone(channel);
    if (!channel.closeSent) this.#sender.send(channel, encodeChannelClose(channel.remoteId!));
    channel.closeSent = true;
  }

  #serverOpens(payload: Uint8Array): void {
    const open = decodeChannelOpen(payload);
    const passenger = this.#forwards.passengerFor(open);
    this.#opening.serverOpens(
      open,
      passenger && this.#passengers.has(passenger) ? passenger : undefined,
      payload,
    );
    this.#changed();
  }

  // From a passenger

  #fromPassenger(passenger: Passenger, payload: Uint8Array): void {
    checkFromPassenger(payload);
    const type = payload[0];
    if (type === MSG.CHANNEL_OPEN) {
      this.#opening.passengerOpens(passenger, payload);
      return this.#changed();
    }
    if (type === MSG.GLOBAL_REQUEST) return this.#globalRequest(passenger, payload);
    const remoteId = recipientOf(payload);
    const channel = this.#table.byRemote(remoteId);
    if (channel === undefined || channel.passenger !== passenger) {
      // A peer may send these until it has seen the other's CLOSE.
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type === MSG.CHANNEL_CLOSE || type >= MSG.CHANNEL_SUCCESS) {
        return;
      }
      throw violation(`a passenger sent message ${type} to channel ${remoteId}, which is not its own`);
    }
    if (channel.state === "answering") return this.#opening.passengerAnswers(passenger, channel, payload);
    if (channel.closeSent) return; // it has closed: the rest is not the server's business
    switch (type) {
      case MSG.CHANNEL_OPEN_CONFIRMATION:
      case MSG.CHANNEL_OPEN_FAILURE:
        throw violation("a passenger answered no open");
      case MSG.CHANNEL_WINDOW_ADJUST:
        return this.#windows.granted(channel, decodeWindowAdjust(payload).bytes);
      case MSG.CHANNEL_DATA:
      case MSG.CHANNEL_EXTENDED_DATA:
        this.#windows.sent(channel, dataLengthOf(payload));
        break;
      case MSG.CHANNEL_REQUEST:
        this.#forwards.noteRequest(passenger, channel, decodeChannelRequest(payload).type);
        break;
      case MSG.CHANNEL_CLOSE:
        channel.closeSent = true;
        break;
    }
    this.#sender.send(channel, payload);
    if (type === MSG.CHANNEL_REQUEST) this.#opening.spares.refill(); // behind it, in the same flight
    if (channel.closeSent && channel.closeReceived) this.#forget(channel);
  }

  #globalRequest(passenger: Passenger, payload: Uint8Array): void {
    const request = decodeGlobalRequest(payload);
    const reply = request.wantReply ? passenger.expectReply() : undefined;
    const change = this.#forwards.changeFor(passenger, request);
    // Everything else concerns the connection, which is not the passenger's: above all no-more-sessions@openssh.com.
    if (change === undefined) return reply?.(encodeGlobalReply(false));
    this.#replies.send(request.name, request.data, (answer) => {
      const success = answer[0] === MSG.REQUEST_SUCCESS;
      if (success) change(answer.subarray(1));
      if (this.#passengers.has(passenger)) reply?.(answer);
      else if (success) this.#cancelForwards(passenger);
      this.#changed();
    });
  }

  // Ends

  #leave(passenger: Passenger, info: CloseInfo): void {
    if (!this.#passengers.delete(passenger)) return;
    this.#cancelForwards(passenger);
    const opening = [...passenger.opening];
    // None of its own may get the turn that another of its own gives up.
    for (const channel of opening) {
      channel.passenger = undefined;
      if (channel.state === "waiting") this.#opening.turns.drop(channel);
    }
    for (const channel of opening) {
      if (channel.state === "answering") {
        this.#opening.refuse(channel.remoteId!, OPEN_FAILURE.CONNECT_FAILED, "the passenger has left");
        this.#forget(channel);
      } else if (channel.state === "waiting") this.#forget(channel);
      // An open that is with the server is never abandoned: its answer is awaited, then the channel closed.
    }
    for (const channel of [...passenger.channels.values()]) {
      channel.passenger = undefined;
      this.#closeForGone(channel);
    }
    passenger.opening.clear();
    passenger.channels.clear();
    this.#options.onLeave?.(info);
    this.#changed();
  }

  /** What it had sent still reaches the server, as it would on a connection of its own. */
  #closeForGone(channel: RelayedChannel): void {
    if (!channel.closeSent) this.#sender.send(channel, encodeChannelClose(channel.remoteId!));
    channel.closeSent = true;
    if (channel.closeReceived) this.#forget(channel);
  }

  #cancelForwards(passenger: Passenger): void {
    for (const request of this.#forwards.release(passenger)) {
      this.#replies.send(request.name, request.data, () => {}); // a listener that is gone is what we want
    }
  }

  #forget(channel: RelayedChannel): void {
    this.#table.delete(channel);
    channel.passenger?.opening.delete(channel);
    if (channel.remoteId !== undefined) channel.passenger?.channels.delete(channel.remoteId);
    this.#forwards.forget(channel);
    this.#opening.forget(channel);
    this.#changed();
  }

  #changed(): void {
    if (!this.#ended) this.#options.onChange?.();
  }

  #end(info: CloseInfo): void {
    this.#ended = info;
    this.#opening.end();
    this.#replies.end(info);
    const passengers = [...this.#passengers];
    this.#passengers.clear();
    this.#table.clear();
    for (const passenger of passengers) passenger.link.close(info);
  }
}
