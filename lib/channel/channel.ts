import { ChannelError, ProtocolError } from "../base/errors.ts";
import {
  encodeChannelClose,
  encodeChannelData,
  encodeChannelEof,
  encodeChannelExtendedData,
  encodeChannelReply,
  encodeChannelRequest,
  encodeWindowAdjust,
} from "../wire/messages.ts";
import type { CloseInfo } from "./link.ts";
import { ReceiveWindow } from "./receive_window.ts";
import type { RoundTrip } from "./round_trip.ts";
import { SendWindow } from "./send_window.ts";

/**
 * - `open`: both sides may send.
 * - `closing`: we have sent CLOSE and wait for the peer's.
 * - `closed`: both have sent CLOSE, or the link is gone; the number is free again.
 *
 * A channel that is still being opened is not a `Channel` yet: see `Connection.open`.
 */
export type ChannelState = "open" | "closing" | "closed";

/** Who listens to a channel. All calls are synchronous, in the order of the messages. */
export interface ChannelHandlers {
  /**
   * Bytes from the peer; `extendedType` is undefined for plain data (RFC 4254 §5.2). The window is not given back
   * until {@linkcode Channel.consumed} says so.
   */
  onData(data: Uint8Array, extendedType: number | undefined): void;
  /** The peer will send no more data. */
  onEof(): void;
  /** A request from the peer; the return value is the answer, where one is wanted. */
  onRequest(type: string, data: Uint8Array): boolean;
  /** The channel is over; nothing comes after this. `lost` is set when the link ended first. */
  onClose(lost: CloseInfo | undefined): void;
}

/** What a channel needs from the connection it lives on. */
export interface ChannelOwner {
  readonly where: string;
  /** What is known of the way to the server, by all channels together. */
  readonly roundTrip: RoundTrip;
  send(payload: Uint8Array): void;
  /** Asks for a turn to send data: `channel.sendNext()` will be called when the link has room. */
  wake(channel: Channel): void;
  /** The channel is over and its number may be used again. */
  forget(channel: Channel): void;
}

/** The numbers and windows that open and confirmation settled (RFC 4254 §5.1). */
export interface ChannelNumbers {
  readonly type: string;
  readonly localId: number;
  readonly remoteId: number;
  /** Bytes that we granted the peer at first. */
  readonly receiveWindow: number;
  /** Most bytes that we accept in one message. */
  readonly receiveMaxPacket: number;
  readonly sendWindow: number;
  readonly sendMaxPacket: number;
}

interface ExpectedReply {
  readonly resolve: (success: boolean) => void;
  readonly reject: (error: unknown) => void;
  readonly sentAtMs: number;
}

interface PendingWrite {
  data: Uint8Array;
  readonly extendedType: number | undefined;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

const MAX_WINDOW = 0xffffffff;

/** We never put more than this into one message, whatever the peer allows: other channels want their turn. */
const MAX_SEND_BYTES = 32 * 1024;

/** A channel that sends so much without pausing for so long is bulk, and lets the others go first. */
const BULK_BYTES = 256 * 1024;
const PAUSE_MS = 1000;

/**
 * A request that no server knows: RFC 4254 §5.4 has it answered all the same, behind everything that went before.
 * (Not a global request: OpenSSH's proxy mode hangs up on those.)
 */
const PROBE = "rtt@carpool";

/** A server that leaves a probe unanswered for so long answers none. */
const PROBE_DEADLINE_MS = 5000;

/**
 * One channel of a connection (RFC 4254 §5): its state, both windows, its queue of writes and of expected replies.
 * It knows messages, not what they mean: a session or a forward listens through {@linkcode ChannelHandlers}.
 */
export class Channel {
  readonly type: string;
  readonly localId: number;
  readonly remoteId: number;
  readonly where: string;
  readonly #owner: ChannelOwner;
  readonly #receiveMaxPacket: number;
  readonly #sendMaxPacket: number;
  readonly #writes: PendingWrite[] = [];
  readonly #replies: ExpectedReply[] = [];
  #handlers: ChannelHandlers | undefined;
  #early: ((handlers: ChannelHandlers) => void)[] = [];
  #state: ChannelState = "open";
  #closeReceived = false;
  #answered = false;
  #eofReceived = false;
  #eofSent = false;
  #eofWanted = false;
  #sendWindow: number;
  readonly #receiving: ReceiveWindow;
  readonly #sending: SendWindow;
  /** Bytes sent since the last pause. */
  #sentInARow = 0;
  #lastSentAt = -Infinity;
  #probeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: ChannelOwner, numbers: ChannelNumbers) {
    this.#owner = owner;
    this.where = owner.where;
    this.type = numbers.type;
    this.localId = numbers.localId;
    this.remoteId = numbers.remoteId;
    if (numbers.sendMaxPacket === 0) this.#violation("a maximum packet of 0 bytes");
    this.#receiving = new ReceiveWindow(owner.roundTrip, numbers.receiveWindow);
    this.#sending = new SendWindow(owner.roundTrip);
    this.#receiveMaxPacket = numbers.receiveMaxPacket;
    this.#sendWindow = numbers.sendWindow;
    this.#sendMaxPacket = numbers.sendMaxPacket;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Whether the peer has answered a request: it has seen what was sent before that. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Bytes that the peer is ready to receive now. */
  get sendWindow(): number {
    return this.#sendWindow;
  }

  /** Bytes that the peer may still send before we grant more. */
  get receiveWindow(): number {
    return this.#receiving.outstanding;
  }

  /** Bytes that may be under way to us and unread together: grows and shrinks, see {@linkcode ReceiveWindow}. */
  get receiveWindowSize(): number {
    return this.#receiving.bytes;
  }

  /** Bytes sent that may still be on their way; known only roughly, and only of a channel that has sent much. */
  get unconfirmedBytes(): number {
    return this.#sending.unconfirmed;
  }

  /** Whether much is being sent here: others go first. */
  get isBulk(): boolean {
    return this.#sentInARow >= BULK_BYTES && this.#owner.roundTrip.now() - this.#lastSentAt <= PAUSE_MS;
  }

  /** Sets the listener, once; what came before is delivered first. */
  attach(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    for (const deliver of early) deliver(handlers);
  }

  /**
   * Queues bytes for the peer. Resolves when all have been handed to the link, which waits for the peer's window and
   * for the link to have room; rejects with `ChannelError` ("closed") when the channel ends first.
   */
  write(data: Uint8Array, extendedType?: number): Promise<void> {
    if (this.#state !== "open" || this.#eofWanted) return Promise.reject(this.#closedError("Cannot write"));
    if (data.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.#writes.push({ data, extendedType, done, failed });
      this.#probeSending();
      this.#owner.wake(this);
    });
  }

  /** Says that no more data will come, after everything queued (RFC 4254 §5.3). Idempotent. */
  eof(): void {
    if (this.#state !== "open" || this.#eofWanted) return;
    this.#eofWanted = true;
    if (this.#writes.length === 0) this.#sendEof();
  }

  #sendEof(): void {
    if (this.#eofSent) return;
    this.#eofSent = true;
    this.#owner.send(encodeChannelEof(this.remoteId));
  }

  /** Sends a request whose answer nobody waits for. */
  notify(type: string, data?: Uint8Array): void {
    if (this.#state === "open") this.#owner.send(encodeChannelRequest(this.remoteId, type, false, data));
  }

  /**
   * Sends a request and resolves with the answer (RFC 4254 §5.4). Answers come in the order of the requests. Rejects
   * when the channel ends first.
   */
  request(type: string, data?: Uint8Array): Promise<boolean> {
    if (this.#state !== "open") return Promise.reject(this.#closedError(`Cannot send the request ${type}`));
    this.#owner.send(encodeChannelRequest(this.remoteId, type, true, data));
    const reply = Promise.withResolvers<boolean>();
    this.#replies.push({ ...reply, sentAtMs: this.#owner.roundTrip.now() });
    return reply.promise;
  }

  /** Ends the channel at once, dropping what is queued. Idempotent. The peer's CLOSE is awaited in `closing`. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#owner.send(encodeChannelClose(this.remoteId));
    this.#failWrites();
    if (this.#closeReceived) this.#end(undefined);
  }

  /** Gives `bytes` of the receive window back: they have been read. */
  consumed(bytes: number): void {
    this.#grant(this.#receiving.consumed(bytes));
  }

  /** Lets the peer send up to `size` bytes unread: how a spare, opened with window 0, is put to work. */
  resizeReceiveWindow(size: number): void {
    this.#grant(this.#receiving.resize(size));
  }

  #grant(bytes: number): void {
    if (bytes === 0 || this.#state !== "open" || this.#eofReceived || this.#closeReceived) return;
    this.#owner.send(encodeWindowAdjust(this.remoteId, bytes));
  }

  /** Asks how long a round trip takes now; nothing is learnt where the channel ends first. */
  #probe(answered: () => void): void {
    this.request(PROBE).then(answered, () => {});
  }

  /** Finds out about the way down, once a round trip, while much comes. */
  #watchReceiving(): void {
    if (!this.#receiving.wantsProbe || this.#state !== "open" || this.#eofReceived) return;
    this.#receiving.probed();
    this.#probe(() => this.#grant(this.#receiving.answered()));
  }

  /** Finds out what of a push has arrived. */
  #watchSending(length: number): void {
    const now = this.#owner.roundTrip.now();
    this.#sentInARow = (now - this.#lastSentAt > PAUSE_MS ? 0 : this.#sentInARow) + length;
    this.#lastSentAt = now;
    this.#sending.sent(length);
    this.#probeSending();
  }

  /** A probe behind what was sent where one is due, or where nothing else would ever let us go on. */
  #probeSending(): void {
    const stuck = this.#writes.length > 0 && this.#sending.room <= 0 && !this.#sending.awaitsAnswer;
    if (this.#state !== "open" || !(stuck || this.#sending.wantsProbe)) return;
    this.#sending.probed();
    this.#probeTimer ??= setTimeout(() => {
      this.#sending.giveUp();
      this.#owner.wake(this);
    }, PROBE_DEADLINE_MS);
    this.#probe(() => {
      this.#stopProbeTimer();
      this.#sending.answered();
      if (this.sendable) this.#owner.wake(this);
      else this.#probeSending();
    });
  }

  #stopProbeTimer(): void {
    // Naming clearTimeout is not free: the first use of a timer function takes Deno 5 ms.
    if (this.#probeTimer === undefined) return;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
  }

  /** Whether a turn to send would send something. */
  get sendable(): boolean {
    return this.#state === "open" && this.#writes.length > 0 && this.#sendWindow > 0 &&
      this.#sending.room > 0;
  }

  /** Sends at most one data message; called by the scheduler. */
  sendNext(): void {
    const write = this.#writes[0];
    if (write === undefined || !this.sendable) return;
    const { room } = this.#sending;
    const length = Math.min(write.data.length, this.#sendWindow, room, this.#sendMaxPacket, MAX_SEND_BYTES);
    const part = write.data.subarray(0, length);
    this.#sendWindow -= length;
    this.#owner.send(
      write.extendedType === undefined
        ? encodeChannelData(this.remoteId, part)
        : encodeChannelExtendedData(this.remoteId, write.extendedType, part),
    );
    if (length < write.data.length) {
      write.data = write.data.subarray(length);
      return this.#watchSending(length);
    }
    this.#writes.shift();
    write.done();
    this.#watchSending(length);
    if (this.#writes.length === 0 && this.#eofWanted) this.#sendEof();
  }

  // What arrives. The connection has decoded the message and found this channel by its number.

  receiveData(data: Uint8Array, extendedType: number | undefined): void {
    this.#refuseAfterClose("data");
    if (this.#eofReceived) this.#violation("data after EOF");
    const { outstanding } = this.#receiving;
    if (data.length > outstanding) {
      this.#violation(`${data.length} bytes of data with a window of ${outstanding}`);
    }
    if (data.length > this.#receiveMaxPacket) {
      this.#violation(`${data.length} bytes in one message, at most ${this.#receiveMaxPacket} allowed`);
    }
    this.#receiving.received(data.length);
    if (this.#state !== "open") return; // we have closed: nobody reads, and no window is given back
    this.#watchReceiving();
    this.#deliver((handlers) => handlers.onData(data, extendedType));
  }

  receiveWindowAdjust(bytes: number): void {
    if (this.#closeReceived) return; // seen from real servers; harmless
    if (this.#sendWindow + bytes > MAX_WINDOW) {
      this.#violation(`a window of ${this.#sendWindow + bytes} bytes`);
    }
    this.#sendWindow += bytes;
    if (this.sendable) this.#owner.wake(this);
  }

  receiveEof(): void {
    this.#refuseAfterClose("EOF");
    if (this.#eofReceived) return;
    this.#eofReceived = true;
    this.#deliver((handlers) => handlers.onEof());
  }

  receiveRequest(type: string, wantReply: boolean, data: Uint8Array): void {
    this.#refuseAfterClose("a request");
    // RFC 4254 §5.4 has us answer; keepalive@openssh.com wants any answer, and a failure is one.
    const answer = (success: boolean) => {
      if (wantReply && this.#state === "open") this.#owner.send(encodeChannelReply(this.remoteId, success));
    };
    if (this.#state !== "open") return;
    this.#deliver((handlers) => answer(handlers.onRequest(type, data)), () => answer(false), type);
  }

  receiveReply(success: boolean): void {
    if (this.#closeReceived) return;
    const reply = this.#replies.shift();
    if (reply === undefined) this.#violation("an answer to no request");
    this.#answered = true;
    this.#owner.roundTrip.seen(this.#owner.roundTrip.now() - reply.sentAtMs);
    reply.resolve(success);
  }

  receiveClose(): void {
    if (this.#closeReceived) this.#violation("CLOSE twice");
    this.#closeReceived = true;
    if (this.#state === "open") {
      this.#state = "closing";
      this.#owner.send(encodeChannelClose(this.remoteId));
      this.#failWrites();
    }
    this.#end(undefined);
  }

  /** The link is gone. */
  lost(info: CloseInfo): void {
    if (this.#state === "closed") return;
    this.#failWrites();
    this.#end(info);
  }

  #deliver(event: (handlers: ChannelHandlers) => void, otherwise?: () => void, requestType?: string): void {
    if (this.#handlers !== undefined) event(this.#handlers);
    // A keepalive on a channel that nobody listens to yet must still be answered, or sshd hangs up.
    else if (requestType?.startsWith("keepalive@")) otherwise?.();
    else this.#early.push(event);
  }

  #end(lost: CloseInfo | undefined): void {
    this.#state = "closed";
    this.#stopProbeTimer();
    this.#owner.forget(this);
    for (const reply of this.#replies.splice(0)) reply.reject(this.#closedError("Cannot learn an answer"));
    this.#deliver((handlers) => handlers.onClose(lost));
  }

  #failWrites(): void {
    if (this.#writes.length === 0) return;
    const error = this.#closedError("Cannot write");
    for (const write of this.#writes.splice(0)) write.failed(error);
  }

  #refuseAfterClose(what: string): void {
    if (this.#closeReceived) this.#violation(`${what} after CLOSE`);
  }

  #closedError(what: string): ChannelError {
    return new ChannelError("closed", { what, where: this.where, why: `the ${this.type} channel is closed` });
  }

  #violation(why: string): never {
    throw new ProtocolError({
      what: "The server broke the SSH protocol",
      where: this.where,
      why: `${why} on channel ${this.localId} (${this.type})`,
    });
  }
}
