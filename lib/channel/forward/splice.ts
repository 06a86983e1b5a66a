import type { ChannelBytes } from "./channel_bytes.ts";
import { writeAll } from "./write_all.ts";

/** The part of `Deno.Conn` that a forward needs. */
export interface LocalSocket {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** One message's worth: reading more at a time would only hold more memory for each idle connection. */
const READ_BYTES = 32 * 1024;

export interface SpliceOptions {
  /** Bytes already read from the socket, to be sent first. */
  readonly first?: Uint8Array;
  /** Ends both at once. */
  readonly signal: AbortSignal;
}

/**
 * Joins a socket and a channel until both are over, and leaves neither open. Never rejects.
 *
 * Each direction has its own end: EOF on the one passes on, and the other goes on (RFC 4254 §5.3). The socket is read
 * only as the channel takes what was read; the channel's window is given back only as the socket takes what came.
 */
export async function splice(
  socket: LocalSocket,
  bytes: ChannelBytes,
  options: SpliceOptions,
): Promise<void> {
  const { channel } = bytes;
  const { signal, first } = options;
  const abort = () => {
    channel.close();
    bytes.stop(); // the peer's CLOSE may take its time
    closeSocket(socket);
  };
  if (signal.aborted) return abort();
  signal.addEventListener("abort", abort, { once: true });

  const outwards = sendAll(socket, bytes, first).then((whole) => {
    // Whoever reset the socket reads no more either. If it was the channel that ended, what came is still delivered.
    if (!whole && channel.state === "open") abort();
  });
  const inwards = receiveAll(socket, bytes);
  // A peer that closes the channel takes nothing more: once what came is written, the socket has no use.
  const peerGone = bytes.over.then(() => inwards);
  await Promise.race([Promise.all([outwards, inwards]), peerGone]);

  signal.removeEventListener("abort", abort);
  abort();
  await Promise.all([outwards, inwards]);
}

/** Socket to channel, up to the socket's EOF; false when either broke off before. */
async function sendAll(
  socket: LocalSocket,
  { channel }: ChannelBytes,
  first: Uint8Array | undefined,
): Promise<boolean> {
  const buffer = new Uint8Array(READ_BYTES);
  try {
    if (first !== undefined) await channel.write(first);
    for (;;) {
      const length = await socket.read(buffer);
      if (length === null) break;
      // Resolves when the bytes have been copied into messages: then the buffer is free again.
      await channel.write(buffer.subarray(0, length));
    }
    channel.eof();
    return true;
  } catch {
    return false;
  }
}

/** Channel to socket, up to the channel's EOF. */
async function receiveAll(socket: LocalSocket, bytes: ChannelBytes): Promise<void> {
  let held = 0;
  try {
    for (let chunk = await bytes.next(); chunk !== undefined; chunk = await bytes.next()) {
      held = chunk.length;
      await writeAll(socket, chunk);
      bytes.consumed(held);
      held = 0;
    }
    await socket.closeWrite();
  } catch {
    bytes.consumed(held);
    // Nobody reads any more, but what is still being sent may matter: only this direction ends.
    bytes.stop();
  }
}

/** Idempotent, unlike `Deno.Conn.close`. */
export function closeSocket(socket: LocalSocket): void {
  try {
    socket.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
