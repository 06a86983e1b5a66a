import type { Link } from "../channel/link.ts";
import type { RelayedChannel } from "./relayed_channel.ts";

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
