import type { Channel } from "../channel.ts";
import type { CloseInfo } from "../link.ts";

/**
 * What arrives on a channel, to be taken chunk by chunk. Unlike `ByteInbox` the window is given back only when the
 * taker says so: for a forward that is when the local socket has accepted the bytes, so that what waits for a reader
 * who does not read is never more than the window.
 */
export class ChannelBytes {
  readonly channel: Channel;
  /** Resolves when the channel is over, with how the link ended if that was why. */
  readonly over: Promise<CloseInfo | undefined>;
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #stopped = false;
  #wanted: (() => void) | undefined;

  /** Becomes the channel's listener. */
  constructor(channel: Channel) {
    this.channel = channel;
    const { promise, resolve } = Promise.withResolvers<CloseInfo | undefined>();
    this.over = promise;
    channel.attach({
      onData: (data, extendedType) => {
        // Nothing defines extended data for forwards (RFC 4254 §5.2): it is no part of the stream.
        if (extendedType !== undefined || this.#stopped) return channel.consumed(data.length);
        this.#chunks.push(data);
        this.#wake();
      },
      onEof: () => this.#end(),
      onRequest: () => false,
      onClose: (lost) => {
        this.#end();
        resolve(lost);
      },
    });
  }

  /** The next bytes; undefined at the end. Their window is not given back: see {@linkcode consumed}. One taker. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#wanted = resolve);
    }
    return this.#chunks.shift();
  }

  /** Puts bytes back that were taken and not used. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#chunks.unshift(bytes);
  }

  /** Gives the window of `bytes` back. */
  consumed(bytes: number): void {
    this.channel.consumed(bytes);
  }

  /** Nobody wants the rest: here it ends at once, and what comes is dropped so that the other side is not stuck. */
  stop(): void {
    this.#stopped = true;
    this.#end();
    for (const chunk of this.#chunks.splice(0)) this.consumed(chunk.length);
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.();
  }
}
