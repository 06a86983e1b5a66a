/** The server's half of SFTP, for tests: replies to bytes, written apart from what reads them in `lib/wire`. */
import { FXP, type SftpAttributes, writeAttributes } from "../../lib/wire/sftp.ts";
import { Reader } from "../../lib/wire/reader.ts";
import { Writer } from "../../lib/wire/writer.ts";

export interface Request {
  readonly type: number;
  readonly id: number;
  /** After the id. */
  readonly body: Reader;
}

/** `packet` without its length. */
export function readRequest(packet: Uint8Array): Request {
  const body = new Reader(packet);
  const type = body.byte();
  return { type, id: body.uint32(), body };
}

/** Puts the length in front. */
export function framed(body: Uint8Array): Uint8Array {
  return new Writer(body.length + 4).string(body).finish();
}

const head = (type: number, id: number) => new Writer().byte(type).uint32(id);

export function version(number: number, extensions: readonly string[] = []): Uint8Array {
  const writer = new Writer().byte(FXP.VERSION).uint32(number);
  for (const name of extensions) writer.utf8(name).utf8("1");
  return framed(writer.finish());
}

export function status(id: number, code: number, message = ""): Uint8Array {
  return framed(head(FXP.STATUS, id).uint32(code).utf8(message).utf8("").finish());
}

export function handle(id: number, bytes: Uint8Array): Uint8Array {
  return framed(head(FXP.HANDLE, id).string(bytes).finish());
}

export function data(id: number, bytes: Uint8Array): Uint8Array {
  return framed(head(FXP.DATA, id).string(bytes).finish());
}

export function attributes(id: number, of: SftpAttributes): Uint8Array {
  return framed(writeAttributes(head(FXP.ATTRS, id), of).finish());
}

export interface Name {
  readonly name: string | Uint8Array;
  readonly attributes: SftpAttributes;
}

export function names(id: number, entries: readonly Name[]): Uint8Array {
  const writer = head(FXP.NAME, id).uint32(entries.length);
  for (const { name, attributes } of entries) {
    const bytes = typeof name === "string" ? new TextEncoder().encode(name) : name;
    writeAttributes(writer.string(bytes).utf8("-rw-r--r-- 1 x x 0 x"), attributes);
  }
  return framed(writer.finish());
}

export function extended(id: number, numbers: readonly number[]): Uint8Array {
  const writer = head(FXP.EXTENDED_REPLY, id);
  for (const number of numbers) writer.uint64(BigInt(number));
  return framed(writer.finish());
}
