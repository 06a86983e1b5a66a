import type { ChannelOpen } from "../../wire/messages.ts";
import { OPEN_FAILURE } from "../../wire/messages.ts";
import type { Channel } from "../channel.ts";
import type { Connection, OpenHandler } from "../connection.ts";
import type { Endpoint } from "./forward_spec.ts";
import {
  decodeForwarded,
  decodeListenAnswer,
  encodeListen,
  FORWARDED_TCP,
  FORWARDED_UNIX,
  namesFor,
} from "./forward_messages.ts";

/** Takes the channels of one listener on the server. */
export interface RemoteListener {
  /** False: it has as many connections as it takes. */
  readonly hasRoom: () => boolean;
  readonly accept: (channel: Channel) => void;
}

const NOT_ASKED_FOR = {
  reason: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
  description: "no such forward",
} as const;

const OVERLOADED = {
  reason: OPEN_FAILURE.RESOURCE_SHORTAGE,
  description: "too many connections",
} as const;

const registries = new WeakMap<Connection, RemoteListeners>();

/**
 * The listeners on the server that one connection has asked for. What the server opens goes to the forward whose
 * listener it names, and nothing else is let in: a server cannot make us connect anywhere that nobody asked for.
 */
export class RemoteListeners {
  readonly #connection: Connection;
  readonly #listeners = new Map<string, RemoteListener>();
  /** Requests for port 0 whose answer, the port, is under way: the server may connect before we have read it. */
  readonly #settling = new Set<Promise<unknown>>();

  private constructor(connection: Connection) {
    this.#connection = connection;
    for (const type of [FORWARDED_TCP, FORWARDED_UNIX]) connection.handleOpen(type, this.#decide);
  }

  /** Those of a connection: the same object every time. */
  static of(connection: Connection): RemoteListeners {
    const known = registries.get(connection);
    if (known) return known;
    const made = new RemoteListeners(connection);
    registries.set(connection, made);
    return made;
  }

  has(listen: Endpoint): boolean {
    return this.#listeners.has(keyOf(listen));
  }

  /**
   * Asks the server to listen. Resolves with where it does, port 0 replaced by the one it chose; undefined when it
   * refuses.
   */
  async listen(listen: Endpoint, listener: RemoteListener): Promise<Endpoint | undefined> {
    const { listen: name } = namesFor(listen);
    if (!("path" in listen) && listen.port === 0) return await this.#listenAnywhere(listen, listener);
    // Known before the answer comes: the first connection may be right behind it.
    this.#listeners.set(keyOf(listen), listener);
    const answer = await this.#request(name, listen).catch((error) => {
      this.#listeners.delete(keyOf(listen));
      throw error;
    });
    if (answer === null) this.#listeners.delete(keyOf(listen));
    return answer === null ? undefined : listen;
  }

  async #listenAnywhere(
    listen: { readonly host: string; readonly port: number },
    listener: RemoteListener,
  ): Promise<Endpoint | undefined> {
    const settled = this.#request(namesFor(listen).listen, listen).then((answer) => {
      if (answer === null) return undefined;
      const chosen = { host: listen.host, port: decodeListenAnswer(answer) };
      this.#listeners.set(keyOf(chosen), listener);
      return chosen;
    });
    this.#settling.add(settled);
    try {
      return await settled;
    } finally {
      this.#settling.delete(settled);
    }
  }

  /** Asks the server to listen no more; resolves when it has answered, whatever it said, or is gone. */
  async cancel(listen: Endpoint): Promise<void> {
    try {
      await this.#request(namesFor(listen).cancel, listen);
    } catch {
      // The connection has ended, and its listeners with it.
    } finally {
      this.#listeners.delete(keyOf(listen));
    }
  }

  #request(name: string, listen: Endpoint): Promise<Uint8Array | null> {
    return this.#connection.request(name, encodeListen(listen));
  }

  readonly #decide: OpenHandler = (open: ChannelOpen) => {
    const connected = decodeForwarded(open.type, open.data);
    const listener = this.#find(connected);
    if (listener) return listener.hasRoom() ? { accept: listener.accept } : OVERLOADED;
    if ("path" in connected || this.#settling.size === 0) return NOT_ASKED_FOR;
    const settling = [...this.#settling];
    return {
      accept: async (channel) => {
        await Promise.allSettled(settling);
        const late = this.#find(connected);
        if (late?.hasRoom()) late.accept(channel);
        else channel.close();
      },
    };
  };

  #find(connected: Endpoint): RemoteListener | undefined {
    const exact = this.#listeners.get(keyOf(connected));
    if (exact || "path" in connected) return exact;
    // Some servers name the address they bound, not the one they were asked for: then the port decides, if it can.
    const samePort = [...this.#listeners].filter(([key]) => key.endsWith(` ${connected.port}`));
    return samePort.length === 1 ? samePort[0][1] : undefined;
  }
}

/** Unlike for a path and an address; a host has no space in it. */
function keyOf(endpoint: Endpoint): string {
  return "path" in endpoint ? `unix:${endpoint.path}\n` : `tcp:${endpoint.host} ${endpoint.port}`;
}
