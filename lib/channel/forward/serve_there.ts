import { abortable } from "../../deps/std_async.ts";
import type { Channel } from "../channel.ts";
import type { Connection } from "../connection.ts";
import { ChannelBytes } from "./channel_bytes.ts";
import { dialFromHere } from "./dial.ts";
import type { ForwardOptions, ForwardServer } from "./forward_options.ts";
import type { ForwardConnections } from "./forward_connections.ts";
import { ForwardError } from "../../base/errors.ts";
import type { Endpoint, ForwardSpec } from "./forward_spec.ts";
import { formatForward } from "./forward_text.ts";
import { RemoteListeners } from "./remote_listeners.ts";
import { SOCKS_REPLY, socksReply, type SocksTarget } from "./socks.ts";
import { receiveSocksRequest } from "./socks_handshake.ts";
import { splice } from "./splice.ts";

/** Has the server listen, and connects from here: remote forwards. */
export async function serveThere(
  connection: Connection,
  spec: ForwardSpec,
  connections: ForwardConnections,
  options: ForwardOptions,
): Promise<ForwardServer> {
  const registry = RemoteListeners.of(connection);
  const asked = asTheServerHasIt(spec.listen);
  if (registry.has(asked)) {
    throw new ForwardError("in-use", {
      what: `Cannot open the forward ${formatForward(spec)}`,
      where: connection.where,
      why: "this connection has a forward that listens there",
      fix: "close that one first, or take another port",
    });
  }
  const { connect, listen } = spec;
  const serve = connect === undefined
    ? (channel: Channel, signal: AbortSignal) => serveSocks(connection.where, channel, signal)
    : (channel: Channel, signal: AbortSignal) => serveFixed(connection.where, channel, connect, signal);
  const listening = registry.listen(asked, {
    hasRoom: () => connections.hasRoom,
    accept: (channel) => connections.run((signal) => serve(channel, signal)),
  });
  const bound = await (options.signal ? abortable(listening, options.signal) : listening).catch((error) => {
    if (options.signal?.aborted) {
      // The server may still make it: then nobody wants it any more.
      listening.then((late) => late && registry.cancel(late), () => {});
    }
    throw error;
  });
  if (bound === undefined) throw refused(connection.where, spec);
  return {
    port: "path" in listen || "path" in bound ? undefined : bound.port,
    close: () => registry.cancel(bound),
  };
}

/** What `""` and `"*"` mean is written differently in a request (RFC 4254 §7.1). */
function asTheServerHasIt(listen: Endpoint): Endpoint {
  if ("path" in listen) return listen;
  const host = listen.host === "" ? "localhost" : listen.host === "*" ? "" : listen.host;
  return { host, port: listen.port };
}

function refused(where: string, spec: ForwardSpec): ForwardError {
  const { listen } = spec;
  return new ForwardError("refused", {
    what: `Cannot open the forward ${formatForward(spec)}`,
    where,
    why: "the server refused the forward",
    fix: "path" in listen
      ? "the path may exist there, or its AllowStreamLocalForwarding or the key's options forbid it"
      : "the port may be in use there, or its AllowTcpForwarding, GatewayPorts, PermitListen or the key's options " +
        "forbid it",
  });
}

async function serveFixed(
  where: string,
  channel: Channel,
  target: Endpoint,
  signal: AbortSignal,
): Promise<void> {
  // Listening from the start: what the other side already sends waits in the window.
  const bytes = new ChannelBytes(channel);
  const socket = await dialFromHere(target, where, signal).catch((error) => {
    channel.close();
    throw error;
  });
  await splice(socket, bytes, { signal });
}

async function serveSocks(where: string, channel: Channel, signal: AbortSignal): Promise<void> {
  const bytes = new ChannelBytes(channel);
  const close = () => {
    channel.close();
    bytes.stop();
  };
  signal.addEventListener("abort", close, { once: true });
  let socket: Deno.Conn;
  let target: SocksTarget;
  let held = 0;
  try {
    const request = await receiveSocksRequest({
      read: async () => {
        bytes.consumed(held);
        const chunk = await bytes.next();
        held = chunk?.length ?? 0;
        return chunk;
      },
      write: (reply) => channel.write(reply),
      close,
    }, where);
    target = request.target;
    bytes.consumed(held - request.rest.length);
    bytes.unread(request.rest);
    socket = await dialFromHere(target, where, signal).catch(async (error) => {
      await channel.write(socksReply(target.version, SOCKS_REPLY.CONNECTION_REFUSED)).catch(() => {}); // it left
      throw error;
    });
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
  await channel.write(socksReply(target.version, SOCKS_REPLY.SUCCEEDED)).catch(() => {}); // the splice will see
  await splice(socket, bytes, { signal });
}
