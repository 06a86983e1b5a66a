import { ChannelError } from "../../base/errors.ts";
import { delay } from "../../deps/std_async.ts";
import { OPEN_FAILURE } from "../../wire/messages.ts";
import type { Channel } from "../channel.ts";
import type { Connection } from "../connection.ts";
import { ChannelBytes } from "./channel_bytes.ts";
import type { ForwardOptions, ForwardServer } from "./forward_options.ts";
import type { ForwardConnections } from "./forward_connections.ts";
import { encodeDirect, namesFor, type Originator } from "./forward_messages.ts";
import type { Endpoint, ForwardSpec } from "./forward_spec.ts";
import { listenHere } from "./local_listener.ts";
import { SOCKS_REPLY, socksReply } from "./socks.ts";
import { receiveSocksRequest } from "./socks_handshake.ts";
import { closeSocket, splice } from "./splice.ts";
import { writeAll } from "./write_all.ts";

/** Between two tries when accepting fails, which happens when there are no descriptors left. */
const ACCEPT_RETRY_MS = 100;

/** Longest pieces of a SOCKS request that are read at a time. */
const SOCKS_READ_BYTES = 1024;

/** Listens here and has the server connect: local and dynamic forwards. */
export async function serveHere(
  connection: Connection,
  spec: ForwardSpec,
  connections: ForwardConnections,
  options: ForwardOptions,
): Promise<ForwardServer> {
  const { listeners, port } = await listenHere(spec, connection.where, options);
  const serve = spec.connect === undefined ? serveSocks : serveFixed;
  const accepting = listeners.map((listener) =>
    acceptAll(listener, connections, (socket, signal) => serve(connection, socket, spec.connect, signal))
  );
  return {
    port,
    async close() {
      for (const listener of listeners) listener.close();
      // Those that wait for room end with the connections, whose end is asked for at the same time.
      await Promise.all(accepting);
    },
  };
}

async function acceptAll(
  listener: Deno.Listener,
  connections: ForwardConnections,
  serve: (socket: Deno.Conn, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  for (;;) {
    await connections.room();
    let socket: Deno.Conn;
    try {
      socket = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      // A client that left before it was accepted, or no descriptors: the next one may do better.
      await delay(ACCEPT_RETRY_MS, { signal: connections.signal }).catch(() => {});
      continue;
    }
    if ("setNoDelay" in socket) (socket as Deno.TcpConn).setNoDelay(true);
    if (connections.signal.aborted) socket.close();
    else connections.run((signal) => serve(socket, signal));
  }
}

async function serveFixed(
  connection: Connection,
  socket: Deno.Conn,
  target: Endpoint | undefined,
  signal: AbortSignal,
): Promise<void> {
  let channel: Channel;
  try {
    channel = await openDirect(connection, target as Endpoint, socket, signal);
  } catch (error) {
    closeSocket(socket);
    throw error;
  }
  await splice(socket, new ChannelBytes(channel), { signal });
}

async function serveSocks(
  connection: Connection,
  socket: Deno.Conn,
  _target: undefined | Endpoint,
  signal: AbortSignal,
): Promise<void> {
  const abort = () => closeSocket(socket);
  signal.addEventListener("abort", abort, { once: true });
  let channel: Channel;
  let first: Uint8Array;
  try {
    const { target, rest } = await receiveSocksRequest({
      read: async () => {
        const buffer = new Uint8Array(SOCKS_READ_BYTES);
        const length = await socket.read(buffer);
        return length === null ? undefined : buffer.subarray(0, length);
      },
      write: (bytes) => writeAll(socket, bytes),
      close: abort,
    }, connection.where);
    try {
      channel = await openDirect(connection, target, socket, signal);
    } catch (error) {
      await writeAll(socket, socksReply(target.version, replyFor(error))).catch(() => {}); // it left: no one to tell
      throw error;
    }
    first = rest;
    // Told only now, and yet as soon: the client's bytes could not have left before the channel was open.
    await writeAll(socket, socksReply(target.version, SOCKS_REPLY.SUCCEEDED)).catch(() => {}); // the splice will see
  } catch (error) {
    closeSocket(socket);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  await splice(socket, new ChannelBytes(channel), { first, signal });
}

function openDirect(
  connection: Connection,
  target: Endpoint,
  socket: Deno.Conn,
  signal: AbortSignal,
): Promise<Channel> {
  const data = encodeDirect(target, originatorOf(socket.remoteAddr));
  return connection.open(namesFor(target).direct, { data, signal });
}

/** A Unix socket has no address; OpenSSH's words for that. */
function originatorOf(address: Deno.Addr): Originator {
  return "hostname" in address
    ? { host: address.hostname, port: address.port }
    : { host: "127.0.0.1", port: 65535 };
}

function replyFor(error: unknown): number {
  if (!(error instanceof ChannelError)) return SOCKS_REPLY.GENERAL_FAILURE;
  if (error.reason === OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED) return SOCKS_REPLY.NOT_ALLOWED;
  if (error.reason !== OPEN_FAILURE.CONNECT_FAILED) return SOCKS_REPLY.GENERAL_FAILURE;
  // sshd says in words what its connect(2) or resolver said, in English.
  return /refused/i.test(error.message) ? SOCKS_REPLY.CONNECTION_REFUSED : SOCKS_REPLY.HOST_UNREACHABLE;
}
