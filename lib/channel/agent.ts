import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { ChannelBytes } from "./forward/channel_bytes.ts";
import { splice } from "./forward/splice.ts";

/** Each is somebody asking for one signature or for the list of keys. */
const MAX_CONNECTIONS = 64;

/**
 * Answers the `auth-agent@openssh.com` channels that the server opens for sessions with agent forwarding by connecting
 * to the agent. An agent that is not there costs that one channel.
 */
export function serveAgent(connection: Connection, socketPath: string): void {
  const ended = new AbortController();
  connection.closed.then(() => ended.abort());
  let count = 0;
  connection.handleOpen("auth-agent@openssh.com", () => {
    if (count >= MAX_CONNECTIONS) {
      return { reason: OPEN_FAILURE.RESOURCE_SHORTAGE, description: "too many ask the agent at once" };
    }
    count++;
    return { accept: (channel) => void answer(channel, socketPath, ended.signal).finally(() => count--) };
  });
}

async function answer(channel: Channel, socketPath: string, signal: AbortSignal): Promise<void> {
  // Listening from the start: what the other side already sends waits in the window.
  const bytes = new ChannelBytes(channel);
  let socket: Deno.Conn;
  try {
    socket = await Deno.connect({ transport: "unix", path: socketPath });
  } catch {
    return channel.close(); // whoever asks hears that there is no agent, as without forwarding
  }
  await splice(socket, bytes, { signal });
}
