/** Writes all of `bytes`: a socket may take only some at a time. */
export async function writeAll(
  socket: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await socket.write(bytes.subarray(sent));
}
