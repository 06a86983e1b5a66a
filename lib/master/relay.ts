import { ProtocolError } from "../base/errors.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import {
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
  encodeGlobalRequest,
  encodeWindowAdjust,
  isChannelMessage,
  MSG,
  OPEN_FAILURE,
  recipientOf,
} from "../wire/messages.ts";
import { RemoteForwards } from "./remote_forwards.ts";
import { Passenger } from "./passenger.ts";
import { RelayedChannel } from "./relayed_channel.ts";
import { RelaySender } from "./relay_sender.ts";
import { SessionTurns } from "./session_turns.ts";

/** No server gets more than this to send to one channel ahead of what its passenger has taken. */
const WINDOW_CAP_BYTES = 2 * 1024 * 1024;

export interface RelayOptions {
  /** Sessions at a time; a refusal lowers it. */
  readonly maxSessions: number;
  /** Called whenever passengers or channels come or go. */
  readonly onChange?: () => void;
  /** Called before a passenger opens something, so that a quiet link can be probed; see `LinkWatch`. */
  readonly beforeOpen?: () => void;
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
  readonly #replies: ((payload: Uint8Array) => void)[] = [];
  readonly #forwards = new RemoteForwards();
  readonly #sender: RelaySender;
  readonly #turns: SessionTurns;
  #nextId = 0;
  #lastReceivedAt = performance.now();
  #ended = false;

  constructor(link: Link, options: RelayOptions) {
    this.link = link;
    this.#options = options;
    this.#sender = new RelaySender(link);
    this.#turns = new SessionTurns(options.maxSessions, (channel) => this.#sendOpen(channel));
    link.closed.then((info) => this.#end(info));
    link.receive((payload) => {
      this.#lastReceivedAt = performance.now();
      try {
        this.#fromServer(payload);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        const why = `The server broke the SSH protocol: ${link.where}: ${error.why}`;
        link.close({ how: "failed", why, error });
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

  /** Channels of every kind, those that are only being waited out included. */
  get channelCount(): number {
    return this.#byLocal.size;
  }

  get sessionLimit(): number {
    return this.#turns.limit;
  }

  /** What is open, for `-O channels` and the like: type and state, no content. */
  describeChannels(): { readonly localId: number; readonly type: string; readonly state: string }[] {
    return [...this.#byLocal.values()].map(({ localId, type, state }) => ({ localId, type, state }));
  }

  /** Takes a passenger on; it leaves when its link ends. */
  add(link: Link): Passenger {
    const passenger = new Passenger(link);
    this.#passengers.add(passenger);
    link.closed.then(() => this.#leave(passenger));
    link.receive((payload) => {
      if (this.#ended || !this.#passengers.has(passenger)) return;
      try {
        this.#fromPassenger(passenger, payload);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        link.close({ how: "failed", why: error.message, error });
      }
    });
    this.#changed();
    return passenger;
  }

  /** Sends a global request of our own; resolves with the whole answer, or rejects when the link ends first. */
  request(name: string, data?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.link.closed.then(reject);
      this.#replies.push(resolve);
      this.link.send(encodeGlobalRequest(name, true, data));
    });
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
    if (type === MSG.REQUEST_SUCCESS || type === MSG.REQUEST_FAILURE) {
      const reply = this.#replies.shift();
      if (reply === undefined) throw new ProtocolError({ what: "", why: "an answer to no global request" });
      return reply(payload);
    }
    if (!isChannelMessage(type)) throw new ProtocolError({ what: "", why: `message ${type} out of place` });
    const channel = this.#byLocal.get(recipientOf(payload));
    if (channel === undefined) {
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type >= MSG.CHANNEL_SUCCESS) return; // late, harmless
      throw new ProtocolError({ what: "", why: `message ${type} for a channel that is not open` });
    }
    if (type === MSG.CHANNEL_OPEN_CONFIRMATION) return this.#confirmed(channel, payload);
    if (type === MSG.CHANNEL_OPEN_FAILURE) return this.#refused(channel, payload);
    if (type === MSG.CHANNEL_REQUEST && this.#answerKeepalive(channel, payload)) return;
    const { passenger } = channel;
    if (passenger) {
      if (type === MSG.CHANNEL_DATA || type === MSG.CHANNEL_EXTENDED_DATA) this.#countData(channel, payload);
      passenger.link.send(renumber(payload, channel.passengerId));
    }
    if (type === MSG.CHANNEL_CLOSE) {
      channel.closeReceived = true;
      // One whose passenger is gone was closed by us when it left.
      if (channel.closeSent) this.#forget(channel);
    }
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
    if (channel.state !== "opening" || this.#byRemote.has(message.sender)) {
      throw new ProtocolError({ what: "", why: "an open confirmed that is not under way" });
    }
    channel.state = "open";
    channel.remoteId = message.sender;
    this.#byRemote.set(message.sender, channel);
    if (channel.isSession) this.#turns.opened(channel);
    const { passenger } = channel;
    if (passenger === undefined) return this.#closeForGone(channel);
    passenger.opening.delete(channel);
    passenger.channels.set(message.sender, channel);
    passenger.link.send(renumber(payload, channel.passengerId));
  }

  #refused(channel: RelayedChannel, payload: Uint8Array): void {
    if (channel.state !== "opening") {
      throw new ProtocolError({ what: "", why: "an open refused that is not under way" });
    }
    const { reason } = decodeChannelOpenFailure(payload);
    if (channel.isSession && channel.passenger && this.#turns.refused(channel, reason)) return; // it gets another turn
    channel.passenger?.link.send(renumber(payload, channel.passengerId));
    channel.passenger?.opening.delete(channel);
    this.#forget(channel);
  }

  #countData(channel: RelayedChannel, payload: Uint8Array): void {
    channel.outstanding -= payload.length - (payload[0] === MSG.CHANNEL_DATA ? 9 : 13);
    if (channel.credit > 0 && channel.outstanding * 2 < WINDOW_CAP_BYTES) this.#topUp(channel);
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
      localId: this.#allocateId(),
      remoteId: open.sender,
      state: "answering",
      outstanding: 0,
      credit: 0,
    });
    this.#byLocal.set(channel.localId, channel);
    this.#byRemote.set(open.sender, channel);
    passenger.opening.add(channel);
    passenger.link.send(payload);
    this.#changed();
  }

  // From a passenger

  #fromPassenger(passenger: Passenger, payload: Uint8Array): void {
    const type = payload[0];
    if (type === MSG.CHANNEL_OPEN) return this.#passengerOpens(passenger, payload);
    if (type === MSG.GLOBAL_REQUEST) return this.#globalRequest(passenger, payload);
    if (!isChannelMessage(type)) {
      throw new ProtocolError({ what: "Cannot pass a message on", why: `a passenger sent message ${type}` });
    }
    const remoteId = recipientOf(payload);
    const channel = this.#byRemote.get(remoteId);
    if (channel === undefined || channel.passenger !== passenger) {
      // A peer may send these until it has seen the other's CLOSE.
      if (type === MSG.CHANNEL_WINDOW_ADJUST || type === MSG.CHANNEL_CLOSE || type >= MSG.CHANNEL_SUCCESS) {
        return;
      }
      throw new ProtocolError({
        what: "Cannot pass a message on",
        why: `a passenger sent message ${type} to channel ${remoteId}, which is not its own`,
      });
    }
    if (channel.state === "answering") return this.#passengerAnswers(passenger, channel, payload);
    if (channel.closeSent) return; // it has closed: the rest is not the server's business
    switch (type) {
      case MSG.CHANNEL_OPEN_CONFIRMATION:
      case MSG.CHANNEL_OPEN_FAILURE:
        throw new ProtocolError({ what: "Cannot pass a message on", why: "a passenger answered no open" });
      case MSG.CHANNEL_WINDOW_ADJUST:
        channel.credit += decodeWindowAdjust(payload).bytes;
        return this.#topUp(channel);
      case MSG.CHANNEL_REQUEST:
        this.#forwards.noteRequest(passenger, channel, decodeChannelRequest(payload).type);
        break;
      case MSG.CHANNEL_CLOSE:
        channel.closeSent = true;
        break;
    }
    this.#sender.send(channel, payload);
    if (channel.closeSent && channel.closeReceived) this.#forget(channel);
  }

  #passengerOpens(passenger: Passenger, payload: Uint8Array): void {
    const open = decodeChannelOpen(payload);
    this.#options.beforeOpen?.();
    const outstanding = Math.min(open.window, WINDOW_CAP_BYTES);
    const localId = this.#allocateId();
    const channel = new RelayedChannel({
      type: open.type,
      passenger,
      passengerId: open.sender,
      localId,
      state: "waiting",
      outstanding,
      credit: open.window - outstanding,
      openMessage: encodeChannelOpen({ ...open, sender: localId, window: outstanding }),
    });
    this.#byLocal.set(localId, channel);
    passenger.opening.add(channel);
    if (channel.isSession) this.#turns.ask(channel);
    else this.#sendOpen(channel);
    this.#changed();
  }

  #sendOpen(channel: RelayedChannel): void {
    channel.state = "opening";
    this.#sender.send(channel, channel.openMessage!.slice());
  }

  #passengerAnswers(passenger: Passenger, channel: RelayedChannel, payload: Uint8Array): void {
    if (payload[0] === MSG.CHANNEL_OPEN_FAILURE) {
      this.link.send(payload);
      passenger.opening.delete(channel);
      return this.#forget(channel);
    }
    if (payload[0] !== MSG.CHANNEL_OPEN_CONFIRMATION) {
      throw new ProtocolError({
        what: "Cannot pass a message on",
        why: "a passenger used a channel before it took it",
      });
    }
    const message = decodeChannelOpenConfirmation(payload);
    channel.state = "open";
    channel.passengerId = message.sender;
    channel.outstanding = Math.min(message.window, WINDOW_CAP_BYTES);
    channel.credit = message.window - channel.outstanding;
    passenger.opening.delete(channel);
    passenger.channels.set(channel.remoteId!, channel);
    const { recipient, maxPacket } = message;
    this.link.send(
      encodeChannelOpenConfirmation({
        recipient,
        sender: channel.localId,
        window: channel.outstanding,
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
    this.#replies.push((answer) => {
      const success = answer[0] === MSG.REQUEST_SUCCESS;
      if (success) change(answer.subarray(1));
      if (this.#passengers.has(passenger)) reply?.(answer);
      else if (success) this.#cancelForwards(passenger);
      this.#changed();
    });
    this.link.send(encodeGlobalRequest(request.name, true, request.data));
  }

  /** Passes on as much of the passenger's window as fits the cap, less what it has not taken from its socket yet. */
  #topUp(channel: RelayedChannel): void {
    const { passenger } = channel;
    if (passenger === undefined || channel.remoteId === undefined || channel.closeSent) return;
    const room = WINDOW_CAP_BYTES - channel.outstanding - passenger.link.queuedBytes;
    const bytes = Math.min(channel.credit, room);
    if (bytes > 0) {
      channel.credit -= bytes;
      channel.outstanding += bytes;
      return this.#sender.send(channel, encodeWindowAdjust(channel.remoteId, bytes));
    }
    // No room: either the server may still send half a cap, and its data will bring us here again; or the passenger
    // is not reading, and we wait for its socket (so much is queued then that `drained` really waits).
    if (channel.credit > 0 && passenger.link.queuedBytes * 2 > WINDOW_CAP_BYTES) {
      passenger.link.drained().then(() => this.#topUp(channel));
    }
  }

  // Ends

  #leave(passenger: Passenger): void {
    if (!this.#passengers.delete(passenger)) return;
    this.#cancelForwards(passenger);
    for (const channel of [...passenger.opening]) {
      channel.passenger = undefined;
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
    this.#changed();
  }

  #closeForGone(channel: RelayedChannel): void {
    channel.outgoing.length = 0;
    if (!channel.closeSent) this.#sender.send(channel, encodeChannelClose(channel.remoteId!));
    channel.closeSent = true;
    if (channel.closeReceived) this.#forget(channel);
  }

  #cancelForwards(passenger: Passenger): void {
    for (const request of this.#forwards.release(passenger)) {
      this.#replies.push(() => {});
      this.link.send(encodeGlobalRequest(request.name, true, request.data));
    }
  }

  #forget(channel: RelayedChannel): void {
    this.#byLocal.delete(channel.localId);
    if (channel.remoteId !== undefined) {
      this.#byRemote.delete(channel.remoteId);
      channel.passenger?.channels.delete(channel.remoteId);
    }
    this.#forwards.forget(channel);
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
    this.#ended = true;
    for (const passenger of this.#passengers) passenger.link.close(info);
    this.#passengers.clear();
    this.#byLocal.clear();
    this.#byRemote.clear();
  }
}

/** Writes another recipient into a channel message: the number's four bytes, in place. */
function renumber(payload: Uint8Array, recipient: number): Uint8Array {
  payload[1] = recipient >>> 24;
  payload[2] = recipient >>> 16;
  payload[3] = recipient >>> 8;
  payload[4] = recipient;
  return payload;
}
