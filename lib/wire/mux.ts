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
export function encodeMuxHello(extensions: readonly string[] = []): Uint8Array {
  const body = new Writer().uint32(MUX.HELLO).uint32(MUX_VERSION);
  for (const name of extensions) body.utf8(name).utf8("0");
  return packet(body);
}

/** The version; extensions are skipped, known or not. */
export function decodeMuxHello(
  body: Reader,
): { readonly version: number; readonly extensions: readonly string[] } {
  const version = body.uint32();
  const extensions: string[] = [];
  while (body.remaining > 0) {
    extensions.push(body.text());
    body.string();
  }
  return { version, extensions };
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
 */
export class MuxFrames {
  #bytes: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    if (this.#bytes.length === 0) {
      this.#bytes = chunk;
      return;
    }
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
  }

  /** The body of the next packet (without its length): a view. */
  takeBytes(): Uint8Array | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 4) return undefined;
    const length = ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
    if (length > MUX_MAX_PACKET_BYTES) {
      throw new ProtocolError({
        what: "Cannot read a control socket",
        why: `a packet of ${length} bytes, at most ${MUX_MAX_PACKET_BYTES} are allowed`,
      }, "too-large");
    }
    if (bytes.length < 4 + length) return undefined;
    this.#bytes = bytes.subarray(4 + length);
    return bytes.subarray(4, 4 + length);
  }

  take(): MuxPacket | undefined {
    const bytes = this.takeBytes();
    if (bytes === undefined) return undefined;
    const body = new Reader(bytes);
    return { type: body.uint32(), body };
  }

  /** Drops `count` bytes that are no packet (one per descriptor, after NEW_SESSION); false until they are here. */
  skip(count: number): boolean {
    if (this.#bytes.length < count) return false;
    this.#bytes = this.#bytes.subarray(count);
    return true;
  }

  /** What has not been cut yet, for whoever takes over the stream (proxy mode). */
  rest(): Uint8Array {
    const rest = this.#bytes;
    this.#bytes = new Uint8Array(0);
    return rest;
  }
}
