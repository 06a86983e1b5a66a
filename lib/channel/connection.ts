import { CarpoolError, ChannelError, LinkError, ProtocolError } from "../base/errors.ts";
import {
  type ChannelOpen,
  decodeChannelData,
  decodeChannelExtendedData,
  decodeChannelOpen,
  decodeChannelOpenConfirmation,
  decodeChannelOpenFailure,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeWindowAdjust,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelOpenFailure,
  encodeGlobalReply,
  encodeGlobalRequest,
  MSG,
  OPEN_FAILURE,
  recipientOf,
} from "../wire/messages.ts";
import { Channel, type ChannelOwner } from "./channel.ts";
import type { CloseInfo, Link } from "./link.ts";
import { RoundTrip } from "./round_trip.ts";
import { SendScheduler } from "./send_scheduler.ts";

/** What we grant a peer at first unless somebody knows better: OpenSSH's own figure. */
export const DEFAULT_WINDOW_BYTES = 2 * 1024 * 1024;

/** Most bytes that we accept in one data message (RFC 4253 §6.1 obliges everyone to take 32 KiB packets). */
export const MAX_PACKET_BYTES = 32 * 1024;

export interface OpenOptions {
  /** Type-specific data of the open message. */
  readonly data?: Uint8Array;
  /** Bytes that the peer may send at first; default 2 MiB. */
  readonly window?: number;
  /** Gives up waiting; the answer is still awaited, and a channel that comes is closed again. */
  readonly signal?: AbortSignal;
}

/** Decides on a channel that the server wants to open: a listener for it, or why not. */
export type OpenHandler = (open: ChannelOpen) =>
  | { readonly accept: (channel: Channel) => void; readonly window?: number }
  | { readonly reason: number; readonly description: string };

const BROKE_PROTOCOL = "The server broke the SSH protocol";

interface Opening {
  readonly type: string;
  readonly window: number;
  readonly resolve: (channel: Channel) => void;
  readonly reject: (error: unknown) => void;
  abandoned: boolean;
}

interface ExpectedReply {
  readonly name: string;
  readonly resolve: (data: Uint8Array | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Many channels over one link (RFC 4254): opens them, routes what arrives, answers global requests, and ends the link
 * when the peer breaks the protocol. It never knows which kind of link it runs over.
 */
export class Connection implements AsyncDisposable {
  readonly link: Link;
  readonly where: string;
  /** What the channels know of the way to the server. */
  readonly roundTrip: RoundTrip = new RoundTrip();
  readonly #channels = new Map<number, Channel>();
  readonly #openings = new Map<number, Opening>();
  readonly #replies: ExpectedReply[] = [];
  readonly #handlers = new Map<string, OpenHandler>();
  readonly #scheduler: SendScheduler;
  readonly #owner: ChannelOwner;
  #nextId = 0;
  #ended: CloseInfo | undefined;
  #lastReceivedAt = performance.now();

  constructor(link: Link) {
    this.link = link;
    this.where = link.where;
    this.#scheduler = new SendScheduler(link);
    this.#owner = {
      where: link.where,
      roundTrip: this.roundTrip,
      send: (payload) => link.send(payload),
      wake: (channel) => this.#scheduler.wake(channel),
      forget: (channel) => {
        this.#channels.delete(channel.localId);
        this.#scheduler.forget(channel);
      },
    };
    link.closed.then((info) => this.#end(info));
    link.receive((payload) => this.#receive(payload));
  }

  /** Resolves once, when the link has ended. */
  get closed(): Promise<CloseInfo> {
    return this.link.closed;
  }

  /** How the link ended; undefined while it lives. */
  get ended(): CloseInfo | undefined {
    return this.#ended;
  }

  /** Channels open now, and opens under way. */
  get channelCount(): number {
    return this.#channels.size + this.#openings.size;
  }

  /** When the last message arrived, on the clock of `performance.now()`. */
  get lastReceivedAt(): number {
    return this.#lastReceivedAt;
  }

  /**
   * Opens a channel (RFC 4254 §5.1). Rejects with `ChannelError` ("open-failed", with the server's reason) or with
   * `LinkError` when the link ends first; in both cases nothing was started.
   */
  open(type: string, options: OpenOptions = {}): Promise<Channel> {
    const { data, window = DEFAULT_WINDOW_BYTES, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#ended) return Promise.reject(this.#lostError(`Cannot open a ${type} channel`, this.#ended));
    return new Promise((resolve, reject) => {
      const id = this.#allocateId();
      const abort = () => {
        opening.abandoned = true;
        reject(signal?.reason);
      };
      const opening: Opening = {
        type,
        window,
        abandoned: false,
        resolve: (channel) => {
          signal?.removeEventListener("abort", abort);
          resolve(channel);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#openings.set(id, opening);
      this.link.send(encodeChannelOpen({ type, sender: id, window, maxPacket: MAX_PACKET_BYTES, data }));
    });
  }

  /**
   * Sends a global request (RFC 4254 §4) and resolves with the data of the answer, or null when it was refused.
   * Answers carry no number: they come in the order of the requests.
   */
  request(name: string, data?: Uint8Array): Promise<Uint8Array | null> {
    if (this.#ended) return Promise.reject(this.#lostError(`Cannot send ${name}`, this.#ended));
    return new Promise((resolve, reject) => {
      this.#replies.push({ name, resolve, reject });
      this.link.send(encodeGlobalRequest(name, true, data));
    });
  }

  /** Sends a global request that wants no answer. */
  notify(name: string, data?: Uint8Array): void {
    this.link.send(encodeGlobalRequest(name, false, data));
  }

  /** Decides on channels of `type` that the server opens; without a handler they are refused. */
  handleOpen(type: string, handler: OpenHandler): void {
    this.#handlers.set(type, handler);
  }

  /** Ends the link and everything on it. Idempotent. */
  async close(): Promise<void> {
    await this.link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #allocateId(): number {
    // Numbers grow, so that a late message for a channel that is gone never meets a new one of the same number.
    do {
      this.#nextId = (this.#nextId + 1) % 0x7fffffff;
    } while (this.#channels.has(this.#nextId) || this.#openings.has(this.#nextId));
    return this.#nextId;
  }

  #receive(payload: Uint8Array): void {
    if (this.#ended) return;
    this.#lastReceivedAt = performance.now();
    try {
      this.#route(payload);
    } catch (error) {
      // A peer that breaks the protocol cannot be trusted with anything that follows.
      const failure = error instanceof ProtocolError && error.where === undefined
        ? new ProtocolError({ what: BROKE_PROTOCOL, where: this.where, why: error.why, cause: error })
        : error;
      const why = failure instanceof CarpoolError ? failure.message : "a message could not be handled";
      this.link.close({ how: "failed", why, error: failure });
      this.#end({ how: "failed", why, error: failure });
      if (!(failure instanceof CarpoolError)) throw failure; // a fault of ours: never hidden
    }
  }

  #route(payload: Uint8Array): void {
    switch (payload[0]) {
      case MSG.CHANNEL_DATA: {
        const message = decodeChannelData(payload);
        return this.#channel(message.recipient).receiveData(message.data, undefined);
      }
      case MSG.CHANNEL_EXTENDED_DATA: {
        const message = decodeChannelExtendedData(payload);
        return this.#channel(message.recipient).receiveData(message.data, message.type);
      }
      case MSG.CHANNEL_WINDOW_ADJUST: {
        const message = decodeWindowAdjust(payload);
        // Real servers send these, and the two answers below, after the channel is gone: ignored, as OpenSSH does.
        return this.#channels.get(message.recipient)?.receiveWindowAdjust(message.bytes);
      }
      case MSG.CHANNEL_SUCCESS:
      case MSG.CHANNEL_FAILURE:
        return this.#channels.get(recipientOf(payload))?.receiveReply(payload[0] === MSG.CHANNEL_SUCCESS);
      case MSG.CHANNEL_EOF:
        return this.#channel(recipientOf(payload)).receiveEof();
      case MSG.CHANNEL_CLOSE:
        return this.#channel(recipientOf(payload)).receiveClose();
      case MSG.CHANNEL_REQUEST: {
        const message = decodeChannelRequest(payload);
        return this.#channel(message.recipient).receiveRequest(message.type, message.wantReply, message.data);
      }
      case MSG.CHANNEL_OPEN_CONFIRMATION:
        return this.#confirmed(payload);
      case MSG.CHANNEL_OPEN_FAILURE:
        return this.#refused(payload);
      case MSG.CHANNEL_OPEN:
        return this.#opened(decodeChannelOpen(payload));
      case MSG.GLOBAL_REQUEST:
        return this.#globalRequest(payload);
      case MSG.REQUEST_SUCCESS:
      case MSG.REQUEST_FAILURE: {
        const reply = this.#replies.shift();
        if (reply === undefined) this.#violation("an answer to no global request");
        return reply.resolve(payload[0] === MSG.REQUEST_SUCCESS ? payload.subarray(1) : null);
      }
      default:
        this.#violation(`message ${payload[0]} is not of the connection protocol`);
    }
  }

  #channel(id: number): Channel {
    const channel = this.#channels.get(id);
    if (channel === undefined) this.#violation(`a message for channel ${id}, which is not open`);
    return channel;
  }

  #opening(id: number): Opening {
    const opening = this.#openings.get(id);
    if (opening === undefined) this.#violation(`an answer to opening channel ${id}, which nobody is opening`);
    this.#openings.delete(id);
    return opening;
  }

  #confirmed(payload: Uint8Array): void {
    const message = decodeChannelOpenConfirmation(payload);
    const opening = this.#opening(message.recipient);
    const channel = new Channel(this.#owner, {
      type: opening.type,
      localId: message.recipient,
      remoteId: message.sender,
      receiveWindow: opening.window,
      receiveMaxPacket: MAX_PACKET_BYTES,
      sendWindow: message.window,
      sendMaxPacket: message.maxPacket,
    });
    this.#channels.set(channel.localId, channel);
    if (opening.abandoned) channel.close();
    else opening.resolve(channel);
  }

  #refused(payload: Uint8Array): void {
    const message = decodeChannelOpenFailure(payload);
    const opening = this.#opening(message.recipient);
    opening.reject(
      new ChannelError("open-failed", {
        what: `Cannot open a ${opening.type} channel`,
        where: this.where,
        why: `server answered "${printable(message.description)}" (${message.reason})`,
        reason: message.reason,
        outcome: "not-started",
      }),
    );
  }

  #opened(open: ChannelOpen): void {
    const decision = this.#handlers.get(open.type)?.(open) ??
      { reason: OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE, description: "not asked for" };
    if ("reason" in decision) {
      const { reason, description } = decision;
      return this.link.send(encodeChannelOpenFailure({ recipient: open.sender, reason, description }));
    }
    const window = decision.window ?? DEFAULT_WINDOW_BYTES;
    const channel = new Channel(this.#owner, {
      type: open.type,
      localId: this.#allocateId(),
      remoteId: open.sender,
      receiveWindow: window,
      receiveMaxPacket: MAX_PACKET_BYTES,
      sendWindow: open.window,
      sendMaxPacket: open.maxPacket,
    });
    this.#channels.set(channel.localId, channel);
    this.link.send(encodeChannelOpenConfirmation({
      recipient: open.sender,
      sender: channel.localId,
      window,
      maxPacket: MAX_PACKET_BYTES,
    }));
    decision.accept(channel);
  }

  #globalRequest(payload: Uint8Array): void {
    const { wantReply } = decodeGlobalRequest(payload);
    // keepalive@openssh.com is satisfied by any answer; hostkeys-00@openssh.com wants none; the rest is refused.
    if (wantReply) this.link.send(encodeGlobalReply(false));
  }

  #end(info: CloseInfo): void {
    if (this.#ended) return;
    this.#ended = info;
    for (const opening of this.#openings.values()) {
      opening.reject(this.#lostError(`Cannot open a ${opening.type} channel`, info));
    }
    this.#openings.clear();
    for (const reply of this.#replies.splice(0)) {
      reply.reject(this.#lostError(`Cannot learn the answer to ${reply.name}`, info));
    }
    for (const channel of [...this.#channels.values()]) channel.lost(info);
  }

  #lostError(what: string, info: CloseInfo): LinkError {
    return new LinkError(info.how === "closed" ? "closed" : "lost", {
      what,
      where: this.where,
      why: info.why,
      cause: info.error,
      outcome: "not-started",
    });
  }

  #violation(why: string): never {
    throw new ProtocolError({ what: BROKE_PROTOCOL, where: this.where, why });
  }
}

/** Server text in our messages: no control characters, not endless. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.slice(0, 200).replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
}
