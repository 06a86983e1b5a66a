import { ProtocolError } from "../base/errors.ts";
import type { RelayedChannel } from "./passenger.ts";

/** The channels of a relay, by our number and, once it is known, by the server's. */
export class RelayTable {
  readonly #byLocal = new Map<number, RelayedChannel>();
  readonly #byRemote = new Map<number, RelayedChannel>();
  #nextId = 0;

  get size(): number {
    return this.#byLocal.size;
  }

  all(): IterableIterator<RelayedChannel> {
    return this.#byLocal.values();
  }

  byLocal(localId: number): RelayedChannel | undefined {
    return this.#byLocal.get(localId);
  }

  byRemote(remoteId: number): RelayedChannel | undefined {
    return this.#byRemote.get(remoteId);
  }

  /** A number for a new channel. They grow, so that a late message never meets a new channel of the same number. */
  allocateId(): number {
    do {
      this.#nextId = (this.#nextId + 1) % 0x7fffffff;
    } while (this.#byLocal.has(this.#nextId));
    return this.#nextId;
  }

  add(channel: RelayedChannel): void {
    this.#byLocal.set(channel.localId, channel);
  }

  /** The server has said its number for the channel. */
  nameRemote(channel: RelayedChannel, remoteId: number): void {
    if (this.#byRemote.has(remoteId)) throw violation(`channel number ${remoteId} used twice`);
    channel.remoteId = remoteId;
    this.#byRemote.set(remoteId, channel);
  }

  delete(channel: RelayedChannel): void {
    this.#byLocal.delete(channel.localId);
    if (channel.remoteId !== undefined) this.#byRemote.delete(channel.remoteId);
  }

  clear(): void {
    this.#byLocal.clear();
    this.#byRemote.clear();
  }
}

/** Somebody broke the protocol: a passenger loses its connection for it, the server the link. */
export function violation(why: string): ProtocolError {
  return new ProtocolError({ what: "Cannot pass a message on", why });
}
