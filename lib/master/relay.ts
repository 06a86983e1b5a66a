import { ProtocolError } from "../base/errors.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import {
  type ChannelOpen,
  decodeChannelOpen,
  decodeChannelOpenConfirmation,
  decodeChannelOpenFailure,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeWindowAdjust,
  encodeChannelClose,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelOpenFailure,
  encodeChannelReply,
  encodeGlobalReply,
  isChannelMessage,
  MSG,
  OPEN_FAILURE,
  recipientOf,
} from "../wire/messages.ts";
import { GlobalReplies } from "./global_replies.ts";
import { RemoteForwards } from "./remote_forwards.ts";
import { Passenger, RelayedChannel } from "./passenger.ts";
import { checkFromPassenger, dataLengthOf } from "./passenger_check.ts";
import { isData, renumber, splitData } from "./relayed_data.ts";
import { RelaySender } from "./relay_sender.ts";
import { RelaySpares } from "./relay_spares.ts";
import { RelayWindows } from "./relay_windows.ts";
import { SessionTurns } from "./session_turns.ts";

export interface RelayOptions {
  /** Sessions at a time; a refusal lowers it. */
  readonly maxSessions: number;
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
  readonly #byLocal = new Map<number, RelayedChannel>();
  readonly #byRemote = new Map<number, RelayedChannel>();
  readonly #replies: GlobalReplies;
  readonly #forwards = new RemoteForwards();
  readonly #sender: RelaySender;
  readonly #windows: RelayWindows;
  readonly #turns: SessionTurns;
  readonly #spares: RelaySpares;
  #nextId = 0;
  #everRefused = false;
  #lastReceivedAt = performance.now();
  /** How the link ended, or is about to. */
  #ended: CloseInfo | undefined;

  constructor(link: Link, options: RelayOptions) {
    this.link = link;
    this.#options = options;
    this.#replies = new GlobalReplies(link);
    this.#sender = new RelaySender(link);
    this.#windows = new RelayWindows(this.#sender);
    this.#turns = new SessionTurns(options.maxSessions, (channel) => this.#sendOpen(channel));
    this.#spares = new RelaySpares({
      most: options.spares ?? 0,
      unusedMs: options.spareUnusedMs,
      allocateId: () => this.#allocateId(),
      open: (channel) => {
        this.#byLocal.set(channel.localId, channel);
        this.#turns.openSpare(channel);
      },
      close: (channel) => this.#closeForGone(channel),
      hasRoom: () => this.#turns.hasRoomForSpare,
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
    return this.#byLocal.size - this.#spares.count;
  }

  /** Opens the spares that are wanted now, before anybody has asked for a session. */
  openSpares(): void {
    this.#spares.refill();
  }

  /** Closes the spares; there will be no more. */
  endSpares(): void {
    this.#spares.end();
  }

  /** Listeners at the server that passengers have asked for. */
  get forwardCount(): number {
    let count = 0;
    for (const passenger of this.#passengers) count += passenger.forwards.size;
    return count;
  }

  get sessionLimit(): number {
    return this.#turns.limit;
  }

  /** What is open, for `-O channels` and the like: type and state, no content. */
  describeChannels(): { readonly localId: number; readonly type: string; readonly state: string }[] {
    const shown = [...this.#byLocal.values()].filter((channel) => !this.#spares.has(channel));
    return shown.map(({ localId, type, state }) => ({ localId, type, state }));
  }

  /** Whether nothing is open or under way at the server, and it never refused an open: see `Master`. */
  get mayLeave(): boolean {
    return !this.#everRefused && ![...this.#byLocal.values()].some(({ state }) => state === "opening");
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
    const channel = this.#byLocal.get(localId);
    if (channel === undefined || channel.closeReceived) {
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type >= MSG.CHANNEL_SUCCESS) return; // late, harmless
      throw violation(`message ${type} for channel ${localId}, which is not open`);
    }
    if (type === MSG.CHANNEL_OPEN_CONFIRMATION) return this.#confirmed(channel, payload);
    if (type === MSG.CHANNEL_OPEN_FAILURE) return this.#refused(channel, payload);
    if (channel.state !== "open") {
      throw violation(`message ${type} for channel ${localId}, which is being opened`);
    }
    if (type === MSG.CHANNEL_REQUEST && this.#answerKeepalive(channel, payload)) return;
    if (type === MSG.CHANNEL_WINDOW_ADJUST) {
      this.#windows.serverGranted(channel, decodeWindowAdjust(payload).bytes);
    }
    if (type === MSG.CHANNEL_CLOSE) {
      channel.closeReceived = true;
      if (this.#spares.has(channel)) this.#spareClosed(channel);
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

  #confirmed(channel: RelayedChannel, payload: Uint8Array): void {
    const message = decodeChannelOpenConfirmation(payload);
    if (channel.state !== "opening") throw violation("an open confirmed that is not under way");
    channel.state = "open";
    channel.openMessage = undefined;
    channel.serverWindow = message.window;
    channel.serverMaxPacket = message.maxPacket;
    this.#nameRemote(channel, message.sender);
    if (channel.isSession) this.#turns.opened(channel);
    const { passenger } = channel;
    if (passenger === undefined) {
      if (!this.#spares.arrived(channel)) this.#closeForGone(channel);
      return;
    }
    passenger.opening.delete(channel);
    passenger.channels.set(message.sender, channel);
    passenger.link.send(renumber(payload, channel.passengerId));
    if (channel.credit > 0) this.#windows.topUp(channel); // a spare that was taken on its way
  }

  /** The server does not want idle sessions: it gets none any more. */
  #spareClosed(channel: RelayedChannel): void {
    this.#spares.gone(channel);
    if (!channel.closeSent) this.#sender.send(channel, encodeChannelClose(channel.remoteId!));
    channel.closeSent = true;
  }

  #refused(channel: RelayedChannel, payload: Uint8Array): void {
    if (channel.state !== "opening") throw violation("an open refused that is not under way");
    this.#everRefused = true;
    const { reason } = decodeChannelOpenFailure(payload);
    if (this.#spares.has(channel)) {
      this.#spares.gone(channel);
      this.#turns.spareRefused();
      return this.#forget(channel);
    }
    if (channel.isSession && channel.passenger && this.#turns.refused(channel, reason)) return; // it gets another turn
    channel.passenger?.link.send(renumber(payload, channel.passengerId));
    this.#forget(channel);
  }

  #nameRemote(channel: RelayedChannel, remoteId: number): void {
    if (this.#byRemote.has(remoteId)) throw violation(`channel number ${remoteId} used twice`);
    channel.remoteId = remoteId;
    this.#byRemote.set(remoteId, channel);
  }

  #serverOpens(payload: Uint8Array): void {
    const open = decodeChannelOpen(payload);
    const passenger = this.#forwards.passengerFor(open);
    if (passenger === undefined || !this.#passengers.has(passenger)) {
      return this.link.send(encodeChannelOpenFailure({
        recipient: open.sender,
        reason: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
        description: "nobody asked for it",
      }));
    }
    const channel = new RelayedChannel({
      type: open.type,
      passenger,
      passengerId: 0,
      passengerMaxPacket: 0,
      localId: this.#allocateId(),
      state: "answering",
    });
    channel.serverWindow = open.window;
    channel.serverMaxPacket = open.maxPacket;
    this.#nameRemote(channel, open.sender);
    this.#byLocal.set(channel.localId, channel);
    passenger.opening.add(channel);
    passenger.link.send(payload);
    this.#changed();
  }

  // From a passenger

  #fromPassenger(passenger: Passenger, payload: Uint8Array): void {
    checkFromPassenger(payload);
    const type = payload[0];
    if (type === MSG.CHANNEL_OPEN) return this.#passengerOpens(passenger, payload);
    if (type === MSG.GLOBAL_REQUEST) return this.#globalRequest(passenger, payload);
    const remoteId = recipientOf(payload);
    const channel = this.#byRemote.get(remoteId);
    if (channel === undefined || channel.passenger !== passenger) {
      // A peer may send these until it has seen the other's CLOSE.
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type === MSG.CHANNEL_CLOSE || type >= MSG.CHANNEL_SUCCESS) {
        return;
      }
      throw violation(`a passenger sent message ${type} to channel ${remoteId}, which is not its own`);
    }
    if (channel.state === "answering") return this.#passengerAnswers(passenger, channel, payload);
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
    if (type === MSG.CHANNEL_REQUEST) this.#spares.refill(); // behind it, in the same flight
    if (channel.closeSent && channel.closeReceived) this.#forget(channel);
  }

  #passengerOpens(passenger: Passenger, payload: Uint8Array): void {
    const open = decodeChannelOpen(payload);
    if (open.maxPacket === 0) throw violation("a passenger announced a maximum packet of 0 bytes");
    const isQuiet = this.#options.isQuiet?.() ?? false;
    this.#options.beforeOpen?.();
    if (open.type === "session" && this.#handOver(passenger, open, isQuiet)) return this.#changed();
    const channel = new RelayedChannel({
      type: open.type,
      passenger,
      passengerId: open.sender,
      passengerMaxPacket: open.maxPacket,
      localId: this.#allocateId(),
      state: "waiting",
    });
    const window = this.#windows.start(channel, open.window);
    channel.openMessage = encodeChannelOpen({ ...open, sender: channel.localId, window });
    this.#byLocal.set(channel.localId, channel);
    passenger.opening.add(channel);
    if (channel.isSession) this.#turns.ask(channel);
    else this.#sendOpen(channel);
    this.#changed();
  }

  /** Gives a passenger a session that is open already, or on its way; whether there was one. */
  #handOver(passenger: Passenger, open: ChannelOpen, isQuiet: boolean): boolean {
    if (this.#turns.waitingCount > 0) return false;
    if (isQuiet) {
      // Only an answer tells whether the link still lives; where the limit leaves no room to ask, a spare makes it.
      if (this.#turns.isFull) this.#spares.dropOne();
      return false;
    }
    const channel = this.#spares.take();
    if (channel === undefined) return false;
    channel.passenger = passenger;
    channel.passengerId = open.sender;
    channel.passengerMaxPacket = open.maxPacket;
    channel.credit = open.window;
    this.#turns.handedOver(channel);
    if (channel.state === "opening") {
      passenger.opening.add(channel); // its confirmation goes on from here, and the window with it
      return true;
    }
    const { serverWindow, serverMaxPacket } = channel;
    const remoteId = channel.remoteId!;
    passenger.channels.set(remoteId, channel);
    passenger.link.send(
      encodeChannelOpenConfirmation({
        recipient: open.sender,
        sender: remoteId,
        window: serverWindow,
        maxPacket: serverMaxPacket,
      }),
    );
    this.#windows.topUp(channel);
    return true;
  }

  #sendOpen(channel: RelayedChannel): void {
    channel.state = "opening";
    this.#sender.send(channel, channel.openMessage!.slice());
  }

  #passengerAnswers(passenger: Passenger, channel: RelayedChannel, payload: Uint8Array): void {
    if (payload[0] === MSG.CHANNEL_OPEN_FAILURE) {
      const { recipient, reason, description } = decodeChannelOpenFailure(payload);
      this.link.send(encodeChannelOpenFailure({ recipient, reason, description }));
      return this.#forget(channel);
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
    this.link.send(
      encodeChannelOpenConfirmation({
        recipient,
        sender: channel.localId,
        window: this.#windows.start(channel, window),
        maxPacket,
      }),
    );
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
      if (channel.state === "waiting") this.#turns.drop(channel);
    }
    for (const channel of opening) {
      if (channel.state === "answering") {
        this.link.send(encodeChannelOpenFailure({
          recipient: channel.remoteId!,
          reason: OPEN_FAILURE.CONNECT_FAILED,
          description: "the passenger has left",
        }));
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
    this.#byLocal.delete(channel.localId);
    channel.passenger?.opening.delete(channel);
    if (channel.remoteId !== undefined) {
      this.#byRemote.delete(channel.remoteId);
      channel.passenger?.channels.delete(channel.remoteId);
    }
    this.#forwards.forget(channel);
    this.#spares.forget(channel);
    if (channel.isSession) this.#turns.ended(channel);
    this.#changed();
  }

  #allocateId(): number {
    do {
      this.#nextId = (this.#nextId + 1) % 0x7fffffff;
    } while (this.#byLocal.has(this.#nextId));
    return this.#nextId;
  }

  #changed(): void {
    if (!this.#ended) this.#options.onChange?.();
  }

  #end(info: CloseInfo): void {
    this.#ended = info;
    this.#spares.end();
    this.#turns.end();
    this.#replies.end(info);
    const passengers = [...this.#passengers];
    this.#passengers.clear();
    this.#byLocal.clear();
    this.#byRemote.clear();
    for (const passenger of passengers) passenger.link.close(info);
  }
}

function violation(why: string): ProtocolError {
  return new ProtocolError({ what: "Cannot pass a message on", why });
}
