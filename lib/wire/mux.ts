/**
 * OpenSSH's multiplexing protocol, version 4 (PROTOCOL.mux): the messages on a control socket, as values and bytes.
 * Each packet is `uint32 length · uint32 type · …`; {@linkcode MuxFrames} cuts the stream into them. No I/O.
 */
import { ProtocolError } from "../base/errors.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Message numbers (PROTOCOL.mux §11; proxy and the info extension: OpenSSH's mux.c). */
export const MUX = {
  HELLO: 0x00000001,
  NEW_SESSION: 0x10000002,
  ALIVE_CHECK: 0x10000004,
  TERMINATE: 0x10000005,
  OPEN_FORWARD: 0x10000006,
  CLOSE_FORWARD: 0x10000007,
  NEW_STDIO_FORWARD: 0x10000008,
  STOP_LISTENING: 0x10000009,
  PROXY: 0x1000000f,
  EXT_INFO: 0x20000001,
  OK: 0x80000001,
  PERMISSION_DENIED: 0x80000002,
  FAILURE: 0x80000003,
  EXIT_MESSAGE: 0x80000004,
  ALIVE: 0x80000005,
  SESSION_OPENED: 0x80000006,
  REMOTE_PORT: 0x80000007,
  TTY_ALLOC_FAIL: 0x80000008,
  PROXY_OK: 0x8000000f,
  EXT_INFO_REPLY: 0x90000001,
} as const;

export const MUX_VERSION = 4;

/** OpenSSH's own limit for one packet. */
export const MUX_MAX_PACKET_BYTES = 256 * 1024;

/** Forwarding types of OPEN_FORWARD and CLOSE_FORWARD. */
export const MUX_FORWARD = { LOCAL: 1, REMOTE: 2, DYNAMIC: 3 } as const;

/** A port of -2 says that the host beside it is the path of a Unix socket. */
export const MUX_UNIX_PORT = 0xfffffffe;

/** One packet: its type and what follows it. */
export interface MuxPacket {
  readonly type: number;
  /** Positioned after the type. */
  readonly body: Reader;
}

/** `uint32 length` before `body`. */
function packet(body: Writer): Uint8Array {
  const bytes = body.finish();
  return new Writer(4 + bytes.length).string(bytes).finish();
}

/** `HELLO · uint32 version · (string name · string value)*` (§1) */
export function encodeMuxHello(extensions: readonly string[] = [], rttMs?: number): Uint8Array {
  const body = new Writer().uint32(MUX.HELLO).uint32(MUX_VERSION);
  for (const name of extensions) body.utf8(name).utf8("0");
  if (rttMs !== undefined) body.utf8(MUX_RTT_EXTENSION).utf8(rttMs.toFixed(2));
  return packet(body);
}

/** An extension of ours, which others skip: the shortest round trip to the server that the master has seen, in milliseconds. */
export const MUX_RTT_EXTENSION = "rtt@carpool";

/** What the other side says of itself; extensions that are not known are skipped. */
export interface MuxHello {
  readonly version: number;
  readonly extensions: readonly string[];
  readonly rttMs?: number;
}

/** As {@linkcode encodeMuxHello}. */
export function decodeMuxHello(body: Reader): MuxHello {
  const version = body.uint32();
  const extensions: string[] = [];
  let rttMs: number | undefined;
  while (body.remaining > 0) {
    const name = body.text();
    const value = body.string();
    extensions.push(name);
    if (name !== MUX_RTT_EXTENSION) continue;
    const told = Number(new TextDecoder().decode(value));
    if (told >= 0) rttMs = told;
  }
  return { version, extensions, ...(rttMs === undefined ? {} : { rttMs }) };
}

/** `type · uint32 request id`: ALIVE_CHECK, TERMINATE, STOP_LISTENING, PROXY (§4, §5, §8, §9), OK, PROXY_OK */
export function encodeMuxPlain(type: number, requestId: number): Uint8Array {
  return packet(new Writer(8).uint32(type).uint32(requestId));
}

/** `ALIVE · uint32 request id · uint32 pid` (§4) */
export function encodeMuxAlive(requestId: number, pid: number): Uint8Array {
  return packet(new Writer(12).uint32(MUX.ALIVE).uint32(requestId).uint32(pid));
}

/** `PERMISSION_DENIED or FAILURE · uint32 request id · string reason` (§10) */
export function encodeMuxRefusal(type: number, requestId: number, reason: string): Uint8Array {
  return packet(new Writer().uint32(type).uint32(requestId).utf8(reason));
}

/** `REMOTE_PORT · uint32 request id · uint32 port` (§6) */
export function encodeMuxRemotePort(requestId: number, port: number): Uint8Array {
  return packet(new Writer(12).uint32(MUX.REMOTE_PORT).uint32(requestId).uint32(port));
}

/** `EXT_INFO_REPLY · uint32 request id · uint32 status (1: ok) · string text` (mux.c) */
export function encodeMuxExtInfo(requestId: number, ok: boolean, text: string): Uint8Array {
  return packet(new Writer().uint32(MUX.EXT_INFO_REPLY).uint32(requestId).uint32(ok ? 1 : 0).utf8(text));
}

/** One end of a forward: a host (empty: any, or the default) and a port, or the path of a Unix socket. */
export type MuxEndpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** A forward to open or to close (§6, §7). */
export interface MuxForward {
  readonly type: number;
  readonly listen: MuxEndpoint;
  /** Meaningless for a dynamic forward. */
  readonly connect: MuxEndpoint;
}

function writeEndpoint(writer: Writer, endpoint: MuxEndpoint): Writer {
  return "path" in endpoint
    ? writer.utf8(endpoint.path).uint32(MUX_UNIX_PORT)
    : writer.utf8(endpoint.host).uint32(endpoint.port);
}

function readEndpoint(reader: Reader): MuxEndpoint {
  const host = reader.utf8();
  const port = reader.uint32();
  if (port === MUX_UNIX_PORT) return { path: host };
  if (port > 65535) {
    throw new ProtocolError({ what: "Cannot read a forward", why: `port ${port}` }, "malformed");
  }
  return { host, port };
}

/** `type · uint32 request id · uint32 forward type · string host · uint32 port · string host · uint32 port` (§6, §7) */
export function encodeMuxForward(
  type: typeof MUX.OPEN_FORWARD | typeof MUX.CLOSE_FORWARD,
  requestId: number,
  forward: MuxForward,
): Uint8Array {
  const body = new Writer().uint32(type).uint32(requestId).uint32(forward.type);
  return packet(writeEndpoint(writeEndpoint(body, forward.listen), forward.connect));
}

/** What follows the request id of OPEN_FORWARD and CLOSE_FORWARD. */
export function decodeMuxForward(body: Reader): MuxForward {
  return { type: body.uint32(), listen: readEndpoint(body), connect: readEndpoint(body) };
}

/**
 * Cuts the bytes of a control socket into packets, whatever the pieces they come in. `take` gives the next one, or
 * undefined until more bytes are pushed. A packet over the limit throws: nothing after it could be trusted.
 *
 * A packet that lies within one piece, or in pieces of one buffer, is a view of it; only one that straddles two is
 * copied, once and when it is complete, so that bytes which come one at a time cost no more than others.
 */
export class MuxFrames {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#size += chunk.length;
    const last = this.#chunks.at(-1);
    // Read into the same slab, one behind the other: extend the view.
    if (last && last.buffer === chunk.buffer && last.byteOffset + last.length === chunk.byteOffset) {
      const joined = new Uint8Array(last.buffer, last.byteOffset, last.length + chunk.length);
      this.#chunks[this.#chunks.length - 1] = joined;
    } else this.#chunks.push(chunk);
  }

  /** The body of the next packet (without its length). */
  takeBytes(): Uint8Array | undefined {
    if (this.#size < 4) return undefined;
    const first = this.#chunks[0];
    const length = uint32(first.length >= 4 ? first : this.#copy(4));
    if (length > MUX_MAX_PACKET_BYTES) {
      throw new ProtocolError({
        what: "Cannot read a control socket",
        why: `a packet of ${length} bytes, at most ${MUX_MAX_PACKET_BYTES} are allowed`,
      }, "too-large");
    }
    if (this.#size < 4 + length) return undefined;
    const packet = first.length >= 4 + length ? first : this.#copy(4 + length);
    this.#drop(4 + length);
    return packet.subarray(4, 4 + length);
  }

  /** How many bytes must come at least before there can be another packet: each has a type and a version or number. */
  get missing(): number {
    if (this.#size < 4) return 12 - this.#size;
    const first = this.#chunks[0];
    return Math.max(0, 4 + uint32(first.length >= 4 ? first : this.#copy(4)) - this.#size);
  }

  take(): MuxPacket | undefined {
    const bytes = this.takeBytes();
    if (bytes === undefined) return undefined;
    const body = new Reader(bytes);
    return { type: body.uint32(), body };
  }

  /** Drops `count` bytes that are no packet (one per descriptor, after NEW_SESSION); false until they are here. */
  skip(count: number): boolean {
    if (this.#size < count) return false;
    this.#drop(count);
    return true;
  }

  /** What has not been cut yet, for whoever takes over the stream (proxy mode). */
  rest(): Uint8Array {
    const rest = this.#chunks.length === 1 ? this.#chunks[0] : this.#copy(this.#size);
    this.#chunks.length = 0;
    this.#size = 0;
    return rest;
  }

  /** The first `count` bytes, out of several pieces. */
  #copy(count: number): Uint8Array {
    const copy = new Uint8Array(count);
    let filled = 0;
    for (const chunk of this.#chunks) {
      copy.set(chunk.subarray(0, count - filled), filled);
      filled += Math.min(chunk.length, count - filled);
      if (filled === count) break;
    }
    return copy;
  }

  #drop(count: number): void {
    this.#size -= count;
    let whole = 0;
    let left = count;
    while (whole < this.#chunks.length && this.#chunks[whole].length <= left) {
      left -= this.#chunks[whole++].length;
    }
    if (whole > 0) this.#chunks.splice(0, whole);
    if (left > 0) this.#chunks[0] = this.#chunks[0].subarray(left);
  }
}

function uint32(bytes: Uint8Array): number {
  return ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
}
