import { LinkError } from "../../base/errors.ts";
import type { Connection } from "../connection.ts";
import type { CloseInfo } from "../link.ts";
import { ForwardConnections } from "./forward_connections.ts";
import type { ForwardSpec } from "./forward_spec.ts";
import type { ForwardOptions, ForwardServer } from "./forward_options.ts";
import { formatForward } from "./forward_text.ts";
import { serveHere } from "./serve_here.ts";
import { serveThere } from "./serve_there.ts";

/** Each may hold a channel's window of 2 MiB in memory, if its reader does not read. */
const MAX_CONNECTIONS = 1024;

/**
 * Opens a forward and resolves when it listens.
 *
 * Throws `ForwardError`: "in-use" and "cannot-listen" for a listener here, "refused" for one that the server does not
 * want; `LinkError` when the connection ends first.
 */
export async function openForward(
  connection: Connection,
  spec: ForwardSpec,
  options: ForwardOptions = {},
): Promise<Forward> {
  options.signal?.throwIfAborted();
  if (connection.ended) {
    throw new LinkError(connection.ended.how === "closed" ? "closed" : "lost", {
      what: `Cannot open the forward ${formatForward(spec)}`,
      where: connection.where,
      why: connection.ended.why,
      cause: connection.ended.error,
      outcome: "not-started",
    });
  }
  const connections = new ForwardConnections(
    options.maxConnections ?? MAX_CONNECTIONS,
    options.onConnectionError ?? (() => {}),
  );
  const serve = spec.kind === "remote" ? serveThere : serveHere;
  const server = await serve(connection, spec, connections, options).catch(async (error) => {
    await connections.end(); // a server may be quick to connect to a listener that we have given up
    throw error;
  });
  const forward = new Forward(spec, connection, server, connections);
  connection.closed.then((info) => forward.end(info));
  return forward;
}

/**
 * A forward that listens until it is closed or its connection ends. Every connection through it is a channel of its
 * own; nothing is left when it is closed.
 */
export class Forward implements AsyncDisposable {
  /** What was asked for, read. */
  readonly spec: ForwardSpec;
  /** Whose connection it is on: `user@host:port`. */
  readonly where: string;
  /** The port that is listened on, also where 0 was asked for; undefined for a Unix socket. */
  readonly listenPort: number | undefined;
  /** Resolves when it is over and nothing of it is left; never rejects. */
  readonly closed: Promise<CloseInfo>;
  readonly #resolveClosed: (info: CloseInfo) => void;
  readonly #server: ForwardServer;
  readonly #connections: ForwardConnections;
  #ending: Promise<void> | undefined;

  /** @ignore Use {@linkcode Host.forward}. */
  constructor(
    spec: ForwardSpec,
    connection: Connection,
    server: ForwardServer,
    connections: ForwardConnections,
  ) {
    this.spec = spec;
    this.where = connection.where;
    this.listenPort = server.port;
    this.#server = server;
    this.#connections = connections;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** Connections through it that are open now. */
  get connections(): number {
    return this.#connections.count;
  }

  /**
   * Stops listening, on the server too, and ends the connections through it. Idempotent. A Unix socket made by sshd
   * keeps its file, as sshd never removes one: the server's StreamLocalBindUnlink lets the next forward take it.
   */
  close(): Promise<void> {
    return this.end({ how: "closed", why: "the forward was closed" });
  }

  /** @ignore */
  end(info: CloseInfo): Promise<void> {
    return this.#ending ??= this.#end(info);
  }

  async #end(info: CloseInfo): Promise<void> {
    await Promise.all([this.#server.close(), this.#connections.end()]);
    this.#resolveClosed(info);
  }

  /** Closes, as {@linkcode Forward.close} does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
