/**
 * What can be asked of an SFTP server, one function a request. Each writes its request and checks the reply; a status
 * other than OK is thrown as `SftpStatusError`, which knows the path. Functions that return a `Sent` only write: their
 * replies are awaited later, so that many travel together.
 */
import {
  encodeExtended,
  encodeFsetstat,
  encodeHandleRequest,
  encodeOpen,
  encodePathAttributes,
  encodePathRequest,
  encodeRead,
  encodeRename,
  encodeSymlink,
  EXTENSION,
  FX,
  FXF,
  FXP,
  type SftpAttributes,
  writePacket,
} from "../wire/sftp.ts";
import { decodeSpace, type SftpName, type SftpSpace } from "../wire/sftp_replies.ts";
import { decodeName, shown, temporaryBeside } from "./copy_names.ts";
import type { SendOptions, Sent, SftpClient } from "./sftp_client.ts";
import { SftpStatusError } from "./sftp_status.ts";

/** An open file or directory on the server. */
export interface SftpHandle {
  readonly id: Uint8Array;
  /** What was opened, for messages. */
  readonly path: string;
}

async function askOk(
  sftp: SftpClient,
  encode: (id: number) => Uint8Array,
  what: string,
  path: string,
  options?: SendOptions,
): Promise<void> {
  await sftp.ask(sftp.send(encode, options), "status", what, shown(path));
}

/** Makes a new file for writing, readable by its owner only; fails where the name is taken. */
export async function createFile(sftp: SftpClient, path: string, options?: SendOptions): Promise<SftpHandle> {
  const flags = FXF.WRITE | FXF.CREAT | FXF.EXCL;
  const sent = sftp.send((id) => encodeOpen(id, path, flags, { permissions: 0o600 }), options);
  return { id: (await sftp.ask(sent, "handle", "Cannot make a remote file", shown(path))).handle, path };
}

export async function openFile(sftp: SftpClient, path: string, options?: SendOptions): Promise<SftpHandle> {
  const sent = sftp.send((id) => encodeOpen(id, path, FXF.READ, {}), options);
  return { id: (await sftp.ask(sent, "handle", "Cannot open a remote file", shown(path))).handle, path };
}

export async function openDirectory(
  sftp: SftpClient,
  path: string,
  options?: SendOptions,
): Promise<SftpHandle> {
  const sent = sftp.send((id) => encodePathRequest(FXP.OPENDIR, id, path), options);
  return { id: (await sftp.ask(sent, "handle", "Cannot list a remote directory", shown(path))).handle, path };
}

/** The next entries of a directory; undefined at its end. */
export async function readDirectory(
  sftp: SftpClient,
  handle: SftpHandle,
  options?: SendOptions,
): Promise<readonly SftpName[] | undefined> {
  const sent = sftp.send((id) => encodeHandleRequest(FXP.READDIR, id, handle.id), options);
  try {
    return (await sftp.ask(sent, "names", "Cannot list a remote directory", shown(handle.path))).names;
  } catch (error) {
    if (error instanceof SftpStatusError && error.status === FX.EOF) return undefined;
    throw error;
  }
}

export function close(sftp: SftpClient, handle: SftpHandle, options?: SendOptions): Promise<void> {
  return askOk(
    sftp,
    (id) => encodeHandleRequest(FXP.CLOSE, id, handle.id),
    "Cannot close a remote file",
    handle.path,
    options,
  );
}

/** Attributes of what a path names; `follow` looks through a symlink. */
export async function stat(
  sftp: SftpClient,
  path: string,
  follow: boolean,
  options?: SendOptions,
): Promise<SftpAttributes> {
  const sent = sftp.send((id) => encodePathRequest(follow ? FXP.STAT : FXP.LSTAT, id, path), options);
  return (await sftp.ask(sent, "attributes", "Cannot look at a remote file", shown(path))).attributes;
}

/** As {@linkcode stat}, but undefined where there is nothing. */
export async function statIfThere(
  sftp: SftpClient,
  path: string,
  follow: boolean,
  options?: SendOptions,
): Promise<SftpAttributes | undefined> {
  try {
    return await stat(sftp, path, follow, options);
  } catch (error) {
    if (error instanceof SftpStatusError && error.code === "missing") return undefined;
    throw error;
  }
}

export async function fstat(
  sftp: SftpClient,
  handle: SftpHandle,
  options?: SendOptions,
): Promise<SftpAttributes> {
  const sent = sftp.send((id) => encodeHandleRequest(FXP.FSTAT, id, handle.id), options);
  return (await sftp.ask(sent, "attributes", "Cannot look at a remote file", shown(handle.path))).attributes;
}

export function setAttributes(
  sftp: SftpClient,
  target: string | SftpHandle,
  attributes: SftpAttributes,
  options?: SendOptions,
): Promise<void> {
  const what = "Cannot set the mode and time of a remote file";
  return typeof target === "string"
    ? askOk(sftp, (id) => encodePathAttributes(FXP.SETSTAT, id, target, attributes), what, target, options)
    : askOk(sftp, (id) => encodeFsetstat(id, target.id, attributes), what, target.path, options);
}

/** Asks the server to put a file on its disk; does nothing where it cannot be asked. */
export async function flush(sftp: SftpClient, handle: SftpHandle, options?: SendOptions): Promise<void> {
  if (!sftp.supports("FSYNC")) return;
  const encode = (id: number) => encodeExtended(id, EXTENSION.FSYNC, handle.id);
  await askOk(sftp, encode, "Cannot flush a remote file", handle.path, options);
}

/** Makes a directory; without permissions it gets the server's ordinary ones. */
export function makeDirectory(
  sftp: SftpClient,
  path: string,
  attributes: SftpAttributes,
  options?: SendOptions,
): Promise<void> {
  const encode = (id: number) => encodePathAttributes(FXP.MKDIR, id, path, attributes);
  return askOk(sftp, encode, "Cannot make a remote directory", path, options);
}

export function remove(sftp: SftpClient, path: string, options?: SendOptions): Promise<void> {
  const encode = (id: number) => encodePathRequest(FXP.REMOVE, id, path);
  return askOk(sftp, encode, "Cannot remove a remote file", path, options);
}

export function makeSymlink(
  sftp: SftpClient,
  target: string,
  link: string,
  options?: SendOptions,
): Promise<void> {
  return askOk(sftp, (id) => encodeSymlink(id, target, link), "Cannot make a remote symlink", link, options);
}

/** What a symlink says, undefined where its bytes are not UTF-8. */
export async function readSymlink(
  sftp: SftpClient,
  path: string,
  options?: SendOptions,
): Promise<string | undefined> {
  const sent = sftp.send((id) => encodePathRequest(FXP.READLINK, id, path), options);
  const { names } = await sftp.ask(sent, "names", "Cannot read a remote symlink", shown(path));
  if (names.length !== 1) throw sftp.violation(`${names.length} names for one symlink`);
  return decodeName(names[0].name);
}

/** `~user/…` as an absolute path (PROTOCOL §4.9). */
export async function expandPath(sftp: SftpClient, path: string, options?: SendOptions): Promise<string> {
  const sent = sftp.send((id) => encodeExtended(id, EXTENSION.EXPAND_PATH, path), options);
  const { names } = await sftp.ask(sent, "names", "Cannot find a home directory", shown(path));
  const name = names.length === 1 ? decodeName(names[0].name) : undefined;
  if (name === undefined) throw sftp.violation("no usable path for a home directory");
  return name;
}

/** How full the file system under `path` is; undefined where the server cannot tell. */
export async function space(
  sftp: SftpClient,
  path: string,
  options?: SendOptions,
): Promise<SftpSpace | undefined> {
  if (!sftp.supports("STATVFS")) return undefined;
  const sent = sftp.send((id) => encodeExtended(id, EXTENSION.STATVFS, path), options);
  try {
    return decodeSpace((await sftp.ask(sent, "extended", "Cannot look at a remote disk", shown(path))).data);
  } catch (error) {
    if (error instanceof SftpStatusError) return undefined;
    throw error;
  }
}

/**
 * Puts `from` in the place of `to`, whatever file or symlink was there: at once where the server has `posix-rename`.
 * Version 3's own RENAME refuses a name that is taken. There the old file steps aside under a temporary name, and
 * comes back if the new one cannot take its place: for two round trips the name is missing, but neither is lost.
 */
export async function replace(
  sftp: SftpClient,
  from: string,
  to: string,
  options?: SendOptions,
): Promise<void> {
  const what = "Cannot put a remote file in its place";
  if (sftp.supports("POSIX_RENAME")) {
    await askOk(sftp, (id) => encodeExtended(id, EXTENSION.POSIX_RENAME, from, to), what, to, options);
    return;
  }
  const rename = (a: string, b: string, how = options) =>
    askOk(sftp, (id) => encodeRename(id, a, b), what, to, how);
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof SftpStatusError)) throw error;
    const there = await statIfThere(sftp, to, false, options);
    if (there === undefined || fileKind(there) === "directory") throw error;
    const aside = temporaryBeside(to);
    await rename(to, aside);
    try {
      await rename(from, to);
    } catch (second) {
      await rename(aside, to, { urgent: true });
      throw second;
    }
    await remove(sftp, aside, options);
  }
}

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

export type FileKind = "file" | "directory" | "symlink" | "special" | "unknown";

/** What attributes describe; version 3 tells it in the type bits of the permissions only. */
export function fileKind(attributes: SftpAttributes): FileKind {
  switch ((attributes.permissions ?? 0) & 0o170000) {
    case 0o100000:
      return "file";
    case 0o040000:
      return "directory";
    case 0o120000:
      return "symlink";
    case 0:
      return "unknown";
    default:
      return "special";
  }
}

/** For callers that tell what went wrong in their own words. */
export function isStatus(error: unknown): error is SftpStatusError {
  return error instanceof SftpStatusError;
}
