/** What an SFTP server answers (draft-ietf-secsh-filexfer-02 §7): bytes to values. No I/O. */
import { ProtocolError } from "../base/errors.ts";
import { Reader } from "./reader.ts";
import { FXP, readAttributes, safeNumber, type SftpAttributes } from "./sftp.ts";

/** Longest handle that a server may give (draft §7). */
const MAX_HANDLE_BYTES = 256;

/** One entry of a NAME reply. The name is bytes: nothing says that it is UTF-8. */
export interface SftpName {
  readonly name: Uint8Array;
  readonly attributes: SftpAttributes;
}

export type SftpReply =
  | { readonly type: "status"; readonly id: number; readonly status: number; readonly message: string }
  | { readonly type: "handle"; readonly id: number; readonly handle: Uint8Array }
  | { readonly type: "data"; readonly id: number; readonly data: Uint8Array }
  | { readonly type: "names"; readonly id: number; readonly names: readonly SftpName[] }
  | { readonly type: "attributes"; readonly id: number; readonly attributes: SftpAttributes }
  | { readonly type: "extended"; readonly id: number; readonly data: Uint8Array };

/** `byte 2 · uint32 version · (string name · string data)*` (draft §4) */
export function decodeVersion(packet: Uint8Array): { version: number; extensions: Map<string, string> } {
  const reader = new Reader(packet);
  const type = reader.byte();
  if (type !== FXP.VERSION) {
    throw new ProtocolError({
      what: "Cannot start SFTP",
      why: `packet type ${type} came where VERSION (2) was due`,
    });
  }
  const version = reader.uint32();
  const extensions = new Map<string, string>();
  while (reader.remaining > 0) extensions.set(reader.text(), reader.text());
  return { version, extensions };
}

/**
 * One reply, from its type byte on:
 * - `byte 101 · uint32 id · uint32 status · string message · string language`; old servers leave the texts out
 * - `byte 102 · uint32 id · string handle`, at most 256 bytes
 * - `byte 103 · uint32 id · string data`; `data` is a view of the packet
 * - `byte 104 · uint32 id · uint32 count · (string name · string longname · ATTRS) × count`
 * - `byte 105 · uint32 id · ATTRS`
 * - `byte 201 · uint32 id · …`
 */
export function decodeReply(packet: Uint8Array): SftpReply {
  const reader = new Reader(packet);
  const type = reader.byte();
  const id = reader.uint32();
  switch (type) {
    case FXP.STATUS: {
      const status = reader.uint32();
      return { type: "status", id, status, message: reader.remaining > 0 ? reader.text() : "" };
    }
    case FXP.HANDLE: {
      // A copy: a view would keep the whole chunk that the handle came in for as long as the file is open.
      const handle = reader.string().slice();
      if (handle.length > MAX_HANDLE_BYTES) {
        throw new ProtocolError({
          what: "Cannot read an SFTP packet",
          why: `a handle of ${handle.length} bytes`,
        });
      }
      return { type: "handle", id, handle };
    }
    case FXP.DATA:
      return { type: "data", id, data: reader.string() };
    case FXP.NAME: {
      const names: SftpName[] = [];
      for (let count = reader.uint32(); count > 0; count--) {
        const name = reader.string().slice();
        reader.string(); // longname: an `ls -l` line for people
        names.push({ name, attributes: readAttributes(reader) });
      }
      return { type: "names", id, names };
    }
    case FXP.ATTRS:
      return { type: "attributes", id, attributes: readAttributes(reader) };
    case FXP.EXTENDED_REPLY:
      return { type: "extended", id, data: reader.rest().slice() };
    default:
      throw new ProtocolError({ what: "Cannot read an SFTP packet", why: `${type} is no reply type` });
  }
}

/** What the server can take, in bytes and handles; 0 where it does not say (PROTOCOL §4.8). */
export interface SftpLimits {
  readonly packetBytes: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly openHandles: number;
}

/** `uint64 max packet · uint64 max read · uint64 max write · uint64 max open handles` (PROTOCOL §4.8) */
export function decodeLimits(data: Uint8Array): SftpLimits {
  const reader = new Reader(data);
  // "No limit" may be said as the largest uint64; anything past 2^32 is as good as none for us.
  const next = () => Number(reader.uint64());
  return { packetBytes: next(), readBytes: next(), writeBytes: next(), openHandles: next() };
}

/** How full a file system is. */
export interface SftpSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Files that can still be made; undefined where the file system does not count them. */
  readonly freeFiles: number | undefined;
}

/**
 * `uint64 bsize · frsize · blocks · bfree · bavail · files · ffree · favail · fsid · flag · namemax` (PROTOCOL §4.4);
 * `bavail` and `favail` are what is left for those who are not root.
 */
export function decodeSpace(data: Uint8Array): SftpSpace {
  const reader = new Reader(data);
  const next = () => safeNumber(reader.uint64(), "a block count");
  reader.uint64();
  const fragment = next();
  const blocks = next();
  reader.uint64();
  const available = next();
  const files = next();
  reader.uint64();
  const freeFiles = next();
  return {
    freeBytes: available * fragment,
    totalBytes: blocks * fragment,
    freeFiles: files === 0 ? undefined : freeFiles,
  };
}
