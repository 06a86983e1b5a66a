/**
 * SFTP version 3 (draft-ietf-secsh-filexfer-02): numbers, file attributes and requests, as bytes. Replies are in
 * `sftp_replies.ts`. No I/O.
 *
 * Every packet is `uint32 length · byte type · …`, the length not counting itself; all but INIT and VERSION carry a
 * `uint32 id` after the type, which the reply repeats.
 *
 * File names are bytes in this protocol. Requests take strings and send them as UTF-8: callers refuse names that
 * are not (see `copy_names.ts`), they are never sent mangled.
 */
import { ProtocolError } from "../base/errors.ts";
import type { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Packet types (draft §3, §8). */
export const FXP = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

/** Status codes of version 3 (draft §7). */
export const FX = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  NO_CONNECTION: 6,
  CONNECTION_LOST: 7,
  OP_UNSUPPORTED: 8,
} as const;

/** Flags of OPEN (draft §6.3). */
export const FXF = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 16, EXCL: 32 } as const;

/** Extensions of OpenSSH's server that Carpool uses (PROTOCOL §4). */
export const EXTENSION = {
  POSIX_RENAME: "posix-rename@openssh.com",
  STATVFS: "statvfs@openssh.com",
  FSYNC: "fsync@openssh.com",
  LIMITS: "limits@openssh.com",
  EXPAND_PATH: "expand-path@openssh.com",
} as const;

/** The version that is spoken. */
export const SFTP_VERSION = 3;

/** Bits of the `flags` word before attributes (draft §5). */
const ATTR = { SIZE: 1, UIDGID: 2, PERMISSIONS: 4, ACMODTIME: 8, EXTENDED: 0x80000000 } as const;

/** What is known of a file; a field that is undefined was not sent. */
export interface SftpAttributes {
  /** Bytes. */
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Type and permission bits, as `st_mode`. */
  readonly permissions?: number;
  /** Seconds since 1970; sent together with `mtime` or not at all. */
  readonly atime?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
}

/** `uint32 flags · [uint64 size] · [uint32 uid · uint32 gid] · [uint32 permissions] · [uint32 atime · uint32 mtime]` (draft §5) */
export function writeAttributes(writer: Writer, attributes: SftpAttributes): Writer {
  const { size, uid, gid, permissions, atime, mtime } = attributes;
  const owned = uid !== undefined && gid !== undefined;
  writer.uint32(
    (size === undefined ? 0 : ATTR.SIZE) | (owned ? ATTR.UIDGID : 0) |
      (permissions === undefined ? 0 : ATTR.PERMISSIONS) | (mtime === undefined ? 0 : ATTR.ACMODTIME),
  );
  if (size !== undefined) writer.uint64(BigInt(size));
  if (owned) writer.uint32(uid).uint32(gid);
  if (permissions !== undefined) writer.uint32(permissions);
  if (mtime !== undefined) writer.uint32(atime ?? mtime).uint32(mtime);
  return writer;
}

/** The layout of {@linkcode writeAttributes}, then `[uint32 count · (string type · string data) × count]`, which is skipped. */
export function readAttributes(reader: Reader): SftpAttributes {
  const flags = reader.uint32();
  const attributes: { -readonly [Key in keyof SftpAttributes]: SftpAttributes[Key] } = {};
  if (flags & ATTR.SIZE) attributes.size = safeNumber(reader.uint64(), "a file size");
  if (flags & ATTR.UIDGID) {
    attributes.uid = reader.uint32();
    attributes.gid = reader.uint32();
  }
  if (flags & ATTR.PERMISSIONS) attributes.permissions = reader.uint32();
  if (flags & ATTR.ACMODTIME) {
    attributes.atime = reader.uint32();
    attributes.mtime = reader.uint32();
  }
  if (flags & ATTR.EXTENDED) {
    for (let count = reader.uint32(); count > 0; count--) {
      reader.string();
      reader.string();
    }
  }
  return attributes;
}

/** A uint64 as a number; one that a number cannot hold exactly is refused rather than rounded. */
export function safeNumber(value: bigint, of: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ProtocolError({ what: "Cannot read an SFTP packet", why: `${of} of ${value}` }, "malformed");
  }
  return Number(value);
}

function begin(type: number, id: number, sizeHint: number): Writer {
  return new Writer(9 + sizeHint).uint32(0).byte(type).uint32(id);
}

/** Fills in the length that {@linkcode begin} left open. */
function end(writer: Writer): Uint8Array {
  const packet = writer.finish();
  new DataView(packet.buffer, packet.byteOffset).setUint32(0, packet.length - 4);
  return packet;
}

/** `byte 1 · uint32 version` (draft §4) */
export function encodeInit(): Uint8Array {
  return end(new Writer(9).uint32(0).byte(FXP.INIT).uint32(SFTP_VERSION));
}

/** `byte 3 · uint32 id · string path · uint32 flags · ATTRS` (draft §6.3) */
export function encodeOpen(id: number, path: string, flags: number, attributes: SftpAttributes): Uint8Array {
  return end(writeAttributes(begin(FXP.OPEN, id, 44 + path.length).utf8(path).uint32(flags), attributes));
}

/** CLOSE 4, FSTAT 8, READDIR 12: `byte type · uint32 id · string handle` (draft §6.3, §6.7, §6.8) */
export function encodeHandleRequest(
  type: typeof FXP.CLOSE | typeof FXP.FSTAT | typeof FXP.READDIR,
  id: number,
  handle: Uint8Array,
): Uint8Array {
  return end(begin(type, id, 4 + handle.length).string(handle));
}

/** LSTAT 7, OPENDIR 11, REMOVE 13, RMDIR 15, REALPATH 16, STAT 17, READLINK 19: `byte type · uint32 id · string path` */
export function encodePathRequest(
  type:
    | typeof FXP.LSTAT
    | typeof FXP.OPENDIR
    | typeof FXP.REMOVE
    | typeof FXP.RMDIR
    | typeof FXP.REALPATH
    | typeof FXP.STAT
    | typeof FXP.READLINK,
  id: number,
  path: string,
): Uint8Array {
  return end(begin(type, id, 4 + path.length).utf8(path));
}

/** `byte 5 · uint32 id · string handle · uint64 offset · uint32 length` (draft §6.4) */
export function encodeRead(id: number, handle: Uint8Array, offset: number, length: number): Uint8Array {
  return end(
    begin(FXP.READ, id, 16 + handle.length).string(handle).uint64(BigInt(offset)).uint32(length),
  );
}

/** A WRITE whose data is still to be filled in, so that a file is read straight into the packet. */
export interface WritePacket {
  /** Where the data goes; a view of the packet. */
  readonly data: Uint8Array;
  /** The packet with the first `length` bytes of {@linkcode data}. */
  finish(id: number, length: number): Uint8Array;
}

/** `byte 6 · uint32 id · string handle · uint64 offset · string data` (draft §6.4) */
export function writePacket(handle: Uint8Array, offset: number, capacity: number): WritePacket {
  const header = 25 + handle.length;
  const packet = new Uint8Array(header + capacity);
  const view = new DataView(packet.buffer);
  packet[4] = FXP.WRITE;
  view.setUint32(9, handle.length);
  packet.set(handle, 13);
  view.setBigUint64(13 + handle.length, BigInt(offset));
  return {
    data: packet.subarray(header),
    finish(id, length) {
      view.setUint32(0, header - 4 + length);
      view.setUint32(5, id);
      view.setUint32(header - 4, length);
      return packet.subarray(0, header + length);
    },
  };
}

/** SETSTAT 9 and MKDIR 14: `byte type · uint32 id · string path · ATTRS` (draft §6.6, §6.9) */
export function encodePathAttributes(
  type: typeof FXP.SETSTAT | typeof FXP.MKDIR,
  id: number,
  path: string,
  attributes: SftpAttributes,
): Uint8Array {
  return end(writeAttributes(begin(type, id, 36 + path.length).utf8(path), attributes));
}

/** `byte 10 · uint32 id · string handle · ATTRS` (draft §6.9) */
export function encodeFsetstat(id: number, handle: Uint8Array, attributes: SftpAttributes): Uint8Array {
  return end(writeAttributes(begin(FXP.FSETSTAT, id, 36 + handle.length).string(handle), attributes));
}

/** `byte 18 · uint32 id · string from · string to` (draft §6.5); servers refuse it when `to` exists. */
export function encodeRename(id: number, from: string, to: string): Uint8Array {
  return end(begin(FXP.RENAME, id, 8 + from.length + to.length).utf8(from).utf8(to));
}

/**
 * `byte 20 · uint32 id · string target · string link`: OpenSSH's order, which is the reverse of draft §6.10 and what
 * servers at large follow (PROTOCOL §4.1).
 */
export function encodeSymlink(id: number, target: string, link: string): Uint8Array {
  return end(begin(FXP.SYMLINK, id, 8 + target.length + link.length).utf8(target).utf8(link));
}

/** `byte 200 · uint32 id · string name · …` (draft §8); each argument is a string: text as UTF-8, or bytes. */
export function encodeExtended(
  id: number,
  name: string,
  ...parameters: readonly (string | Uint8Array)[]
): Uint8Array {
  const writer = begin(FXP.EXTENDED, id, 64).utf8(name);
  for (const value of parameters) {
    if (typeof value === "string") writer.utf8(value);
    else writer.string(value);
  }
  return end(writer);
}
