/**
 * What can be asked of an SFTP server, one function a request. Each writes its request and checks the reply; a status
 * other than OK is thrown as `SftpStatusError`, which knows the path.
 */
import {
  encodeExtended,
  encodeFsetstat,
  encodeHandleRequest,
  encodeOpen,
  encodePathAttributes,
  encodePathRequest,
  encodeSymlink,
  EXTENSION,
  FX,
  FXF,
  FXP,
  type SftpAttributes,
} from "../wire/sftp.ts";
import { decodeSpace, type SftpName, type SftpSpace } from "../wire/sftp_replies.ts";
import { decodeName, shown } from "./copy_names.ts";
import type { SftpClient } from "./sftp_client.ts";
import type { SendOptions } from "./sftp_sent.ts";
import { SftpStatusError } from "./sftp_status.ts";

/** An open file or directory on the server. */
export interface SftpHandle {
  readonly id: Uint8Array;
  /** What was opened, for messages. */
  readonly path: string;
}

/** A request whose only answer is whether it was done. */
export async function askOk(
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

/** Opens a file that is there for writing; nothing of it is cut off. */
export async function openToWrite(
  sftp: SftpClient,
  path: string,
  options?: SendOptions,
): Promise<SftpHandle> {
  const sent = sftp.send((id) => encodeOpen(id, path, FXF.WRITE | FXF.READ, {}), options);
  return { id: (await sftp.ask(sent, "handle", "Cannot write a remote file", shown(path))).handle, path };
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
