/** The contents of remote files. Requests are only written here: replies are awaited later, so that many travel together. */
import { encodeRead, FX, writePacket } from "../wire/sftp.ts";
import { shown } from "./copy_names.ts";
import type { SftpClient } from "./sftp_client.ts";
import type { SftpHandle } from "./sftp_files.ts";
import type { SendOptions, Sent } from "./sftp_sent.ts";

/**
 * Writes one READ. The reply is `data`, or a status: the end of the file is one. Its budget is held until released, so
 * that what has arrived and is not yet on the disk counts.
 */
export function sendRead(
  sftp: SftpClient,
  handle: SftpHandle,
  offset: number,
  length: number,
  options?: SendOptions,
): Promise<Sent> {
  return sftp.send((id) => encodeRead(id, handle.id, offset, length), {
    hold: true,
    bytes: length,
    ...options,
  });
}

/** The data of a READ, at most `length` bytes; empty at the end of the file. */
export async function readReply(
  sftp: SftpClient,
  handle: SftpHandle,
  sent: Sent,
  length: number,
): Promise<Uint8Array> {
  const reply = await sent.reply;
  if (reply.type === "status" && reply.status === FX.EOF) return new Uint8Array(0);
  const { data } = await sftp.ask(sent, "data", "Cannot read a remote file", shown(handle.path));
  if (data.length > length) throw sftp.violation(`${data.length} bytes where ${length} were asked for`);
  return data;
}

/**
 * Writes one WRITE of up to `capacity` bytes. When there is room for it, `fill` reads them straight into the packet
 * and returns how many; with none, nothing is sent and the result is undefined.
 */
export async function sendWrite(
  sftp: SftpClient,
  handle: SftpHandle,
  offset: number,
  capacity: number,
  fill: (data: Uint8Array) => Promise<number>,
  options?: SendOptions,
): Promise<{ readonly length: number; readonly written: Promise<void> } | undefined> {
  const reservation = await sftp.reserve(capacity, options?.signal);
  let length = 0;
  const packet = writePacket(handle.id, offset, capacity);
  try {
    length = await fill(packet.data);
  } finally {
    if (length === 0) reservation.release();
  }
  if (length === 0) return undefined;
  const sent = await sftp.send((id) => packet.finish(id, length), { ...options, reservation });
  const written = sftp.ask(sent, "status", "Cannot write a remote file", shown(handle.path)).then(() => {});
  written.catch(() => {}); // the caller's to see, when it awaits it
  return { length, written };
}
