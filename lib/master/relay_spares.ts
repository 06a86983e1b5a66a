import { SparePool } from "../channel/spare_pool.ts";
import { MAX_PACKET_BYTES } from "../channel/connection.ts";
import { encodeChannelOpen } from "../wire/messages.ts";
import { RelayedChannel } from "./passenger.ts";

/** What the spares of a relay need from it. */
export interface RelaySparing {
  readonly most: number;
  /** Milliseconds; default as {@linkcode SparePool}'s. */
  readonly unusedMs?: number;
  /** Whether the server may be asked again after it has refused one. */
  readonly forgives: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  allocateId(): number;
  /** Takes a session slot and sends the open. */
  open(channel: RelayedChannel): void;
  close(channel: RelayedChannel): void;
  hasRoom(): boolean;
}

/**
 * Sessions that are open at the server before a passenger asks. They have no passenger, hold nothing and are not shown;
 * their window is 0 until somebody takes them.
 */
export class RelaySpares {
  readonly #pool: SparePool<RelayedChannel>;
  /** Opened as spares and not taken; those being closed among them. */
  readonly #idle = new Set<RelayedChannel>();

  constructor(sparing: RelaySparing) {
    this.#pool = new SparePool<RelayedChannel>({
      open: () => {
        const channel = spareChannel(sparing.allocateId());
        this.#idle.add(channel);
        sparing.open(channel);
        return channel;
      },
      close: sparing.close,
      hasRoom: sparing.hasRoom,
    }, sparing);
  }

  /** Whether it is a spare that nobody has taken. */
  has(channel: RelayedChannel): boolean {
    return this.#idle.has(channel);
  }

  /** Channels that are nobody's. */
  get count(): number {
    return this.#idle.size;
  }

  /** One for a passenger that asks for a session now: open, or on its way. */
  take(): RelayedChannel | undefined {
    const channel = this.#pool.take();
    if (channel !== undefined) this.#idle.delete(channel);
    return channel;
  }

  refill(): void {
    this.#pool.refill();
  }

  /** The server has confirmed one. Whether it is kept; otherwise it is to be closed. */
  arrived(channel: RelayedChannel): boolean {
    return this.#pool.arrived(channel);
  }

  /** The server has closed one. */
  gone(channel: RelayedChannel): void {
    this.#pool.gone(channel);
  }

  /** The server has refused one. */
  refused(channel: RelayedChannel): void {
    this.#pool.refused(channel);
  }

  /** The channel is over. */
  forget(channel: RelayedChannel): void {
    this.#idle.delete(channel);
  }

  /** Closes the oldest to make room. */
  dropOne(): void {
    this.#pool.dropOne();
  }

  /** Closes all; there will be no more. */
  end(): void {
    this.#pool.end();
  }
}

function spareChannel(localId: number): RelayedChannel {
  const channel = new RelayedChannel({
    type: "session",
    passenger: undefined,
    passengerId: 0,
    passengerMaxPacket: MAX_PACKET_BYTES,
    localId,
    state: "waiting",
  });
  channel.openMessage = encodeChannelOpen({
    type: "session",
    sender: localId,
    window: 0,
    maxPacket: MAX_PACKET_BYTES,
  });
  return channel;
}
