/**
 * The type-specific data of what forwards send and receive: RFC 4254 §7 for TCP, OpenSSH's PROTOCOL §2.4 for Unix
 * sockets. A path and an address never meet in one message: the names differ.
 */
import { Reader } from "../../wire/reader.ts";
import { Writer } from "../../wire/writer.ts";
import type { Endpoint } from "./forward_spec.ts";

/** Names of the channel types and global requests for one kind of endpoint. */
export interface ForwardNames {
  /** What we open to have the server connect. */
  readonly direct: string;
  /** What the server opens for a connection to its listener. */
  readonly forwarded: string;
  readonly listen: string;
  readonly cancel: string;
}

const TCP: ForwardNames = {
  direct: "direct-tcpip",
  forwarded: "forwarded-tcpip",
  listen: "tcpip-forward",
  cancel: "cancel-tcpip-forward",
};

const UNIX: ForwardNames = {
  direct: "direct-streamlocal@openssh.com",
  forwarded: "forwarded-streamlocal@openssh.com",
  listen: "streamlocal-forward@openssh.com",
  cancel: "cancel-streamlocal-forward@openssh.com",
};

export const FORWARDED_TCP = TCP.forwarded;
export const FORWARDED_UNIX = UNIX.forwarded;

export function namesFor(endpoint: Endpoint): ForwardNames {
  return "path" in endpoint ? UNIX : TCP;
}

/** Where a connection came from, for the other side's log. */
export interface Originator {
  readonly host: string;
  readonly port: number;
}

/**
 * `string host · uint32 port · string originator address · uint32 originator port` (RFC 4254 §7.2), or
 * `string path · string reserved · uint32 reserved` (PROTOCOL §2.4)
 */
export function encodeDirect(target: Endpoint, originator: Originator): Uint8Array {
  if ("path" in target) return new Writer().utf8(target.path).utf8("").uint32(0).finish();
  return new Writer().utf8(target.host).uint32(target.port).utf8(originator.host).uint32(originator.port)
    .finish();
}

/** `string address · uint32 port` (RFC 4254 §7.1), or `string path` (PROTOCOL §2.4); listen and cancel alike */
export function encodeListen(listen: Endpoint): Uint8Array {
  if ("path" in listen) return new Writer().utf8(listen.path).finish();
  return new Writer().utf8(listen.host).uint32(listen.port).finish();
}

/** `uint32 port`, when port 0 was asked for (RFC 4254 §7.1); others answer with nothing. */
export function decodeListenAnswer(data: Uint8Array): number {
  return new Reader(data).uint32();
}

/**
 * `string address · uint32 port · string originator address · uint32 originator port` (RFC 4254 §7.2), or
 * `string path · string reserved` (PROTOCOL §2.4): the listener that was connected to
 */
export function decodeForwarded(type: string, data: Uint8Array): Endpoint {
  const reader = new Reader(data);
  if (type === FORWARDED_UNIX) return { path: reader.utf8() };
  return { host: reader.utf8(), port: reader.uint32() };
}
