/**
 * The messages of the connection protocol, RFC 4254 (numbers: RFC 4250 §4.1.2), as values and as bytes.
 * Above each encoder and decoder stands its layout. No I/O.
 */
import { ProtocolError } from "../base/errors.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Message numbers of the connection protocol (RFC 4250 §4.1.2). */
export const MSG = {
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_OPEN_CONFIRMATION: 91,
  CHANNEL_OPEN_FAILURE: 92,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_SUCCESS: 99,
  CHANNEL_FAILURE: 100,
} as const;

/** Reason codes of a refused open (RFC 4254 §5.1). */
export const OPEN_FAILURE = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;

/** The only extended data type in use (RFC 4254 §5.2): standard error. */
export const EXTENDED_DATA_STDERR = 1;

const NOTHING = new Uint8Array(0);

export interface GlobalRequest {
  readonly name: string;
  readonly wantReply: boolean;
  /** What follows, by name. */
  readonly data: Uint8Array;
}

/** `byte 80 · string name · boolean want reply · …` (RFC 4254 §4) */
export function encodeGlobalRequest(
  name: string,
  wantReply: boolean,
  data: Uint8Array = NOTHING,
): Uint8Array {
  return new Writer(16 + name.length + data.length)
    .byte(MSG.GLOBAL_REQUEST).utf8(name).boolean(wantReply).bytes(data).finish();
}

export function decodeGlobalRequest(payload: Uint8Array): GlobalRequest {
  const reader = new Reader(payload, 1);
  return { name: reader.utf8(), wantReply: reader.boolean(), data: reader.rest() };
}

/** `byte 81 · …` or `byte 82` (RFC 4254 §4) */
export function encodeGlobalReply(success: boolean, data: Uint8Array = NOTHING): Uint8Array {
  return new Writer(1 + data.length)
    .byte(success ? MSG.REQUEST_SUCCESS : MSG.REQUEST_FAILURE).bytes(data).finish();
}

export interface ChannelOpen {
  readonly type: string;
  /** The opener's own number for the channel. */
  readonly sender: number;
  /** Bytes that the opener is ready to receive. */
  readonly window: number;
  /** Most bytes in one data message to the opener. */
  readonly maxPacket: number;
  readonly data: Uint8Array;
}

/** `byte 90 · string type · uint32 sender · uint32 window · uint32 max packet · …` (RFC 4254 §5.1) */
export function encodeChannelOpen(
  open: Omit<ChannelOpen, "data"> & { readonly data?: Uint8Array },
): Uint8Array {
  const data = open.data ?? NOTHING;
  return new Writer(24 + open.type.length + data.length)
    .byte(MSG.CHANNEL_OPEN).utf8(open.type).uint32(open.sender).uint32(open.window).uint32(open.maxPacket)
    .bytes(data).finish();
}

export function decodeChannelOpen(payload: Uint8Array): ChannelOpen {
  const reader = new Reader(payload, 1);
  return {
    type: reader.utf8(),
    sender: reader.uint32(),
    window: reader.uint32(),
    maxPacket: reader.uint32(),
    data: reader.rest(),
  };
}

export interface ChannelOpenConfirmation {
  readonly recipient: number;
  readonly sender: number;
  readonly window: number;
  readonly maxPacket: number;
}

/** `byte 91 · uint32 recipient · uint32 sender · uint32 window · uint32 max packet · …` (RFC 4254 §5.1) */
export function encodeChannelOpenConfirmation(confirmation: ChannelOpenConfirmation): Uint8Array {
  return new Writer(17)
    .byte(MSG.CHANNEL_OPEN_CONFIRMATION).uint32(confirmation.recipient).uint32(confirmation.sender)
    .uint32(confirmation.window).uint32(confirmation.maxPacket).finish();
}

export function decodeChannelOpenConfirmation(payload: Uint8Array): ChannelOpenConfirmation {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    sender: reader.uint32(),
    window: reader.uint32(),
    maxPacket: reader.uint32(),
  };
}

export interface ChannelOpenFailure {
  readonly recipient: number;
  readonly reason: number;
  readonly description: string;
}

/** `byte 92 · uint32 recipient · uint32 reason · string description · string language` (RFC 4254 §5.1) */
export function encodeChannelOpenFailure(failure: ChannelOpenFailure): Uint8Array {
  return new Writer(24 + failure.description.length)
    .byte(MSG.CHANNEL_OPEN_FAILURE).uint32(failure.recipient).uint32(failure.reason).utf8(failure.description)
    .utf8("").finish();
}

export function decodeChannelOpenFailure(payload: Uint8Array): ChannelOpenFailure {
  const reader = new Reader(payload, 1);
  // Some servers leave out the language tag: nothing is read past the description.
  return { recipient: reader.uint32(), reason: reader.uint32(), description: reader.text() };
}

/** `byte 93 · uint32 recipient · uint32 bytes to add` (RFC 4254 §5.2) */
export function encodeWindowAdjust(recipient: number, bytes: number): Uint8Array {
  return new Writer(9).byte(MSG.CHANNEL_WINDOW_ADJUST).uint32(recipient).uint32(bytes).finish();
}

export function decodeWindowAdjust(
  payload: Uint8Array,
): { readonly recipient: number; readonly bytes: number } {
  const reader = new Reader(payload, 1);
  return { recipient: reader.uint32(), bytes: reader.uint32() };
}

/** `byte 94 · uint32 recipient · string data` (RFC 4254 §5.2) */
export function encodeChannelData(recipient: number, data: Uint8Array): Uint8Array {
  return new Writer(9 + data.length).byte(MSG.CHANNEL_DATA).uint32(recipient).string(data).finish();
}

export function decodeChannelData(
  payload: Uint8Array,
): { readonly recipient: number; readonly data: Uint8Array } {
  const reader = new Reader(payload, 1);
  return { recipient: reader.uint32(), data: reader.string() };
}

/** `byte 95 · uint32 recipient · uint32 type · string data` (RFC 4254 §5.2) */
export function encodeChannelExtendedData(recipient: number, type: number, data: Uint8Array): Uint8Array {
  return new Writer(13 + data.length)
    .byte(MSG.CHANNEL_EXTENDED_DATA).uint32(recipient).uint32(type).string(data).finish();
}

export function decodeChannelExtendedData(
  payload: Uint8Array,
): { readonly recipient: number; readonly type: number; readonly data: Uint8Array } {
  const reader = new Reader(payload, 1);
  return { recipient: reader.uint32(), type: reader.uint32(), data: reader.string() };
}

/** `byte 96 · uint32 recipient` (RFC 4254 §5.3) */
export function encodeChannelEof(recipient: number): Uint8Array {
  return new Writer(5).byte(MSG.CHANNEL_EOF).uint32(recipient).finish();
}

/** `byte 97 · uint32 recipient` (RFC 4254 §5.3) */
export function encodeChannelClose(recipient: number): Uint8Array {
  return new Writer(5).byte(MSG.CHANNEL_CLOSE).uint32(recipient).finish();
}

export interface ChannelRequest {
  readonly recipient: number;
  readonly type: string;
  readonly wantReply: boolean;
  /** What follows, by type. */
  readonly data: Uint8Array;
}

/** `byte 98 · uint32 recipient · string type · boolean want reply · …` (RFC 4254 §5.4) */
export function encodeChannelRequest(
  recipient: number,
  type: string,
  wantReply: boolean,
  data: Uint8Array = NOTHING,
): Uint8Array {
  return new Writer(16 + type.length + data.length)
    .byte(MSG.CHANNEL_REQUEST).uint32(recipient).utf8(type).boolean(wantReply).bytes(data).finish();
}

export function decodeChannelRequest(payload: Uint8Array): ChannelRequest {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    type: reader.utf8(),
    wantReply: reader.boolean(),
    data: reader.rest(),
  };
}

/** `byte 99 · uint32 recipient` or `byte 100 · uint32 recipient` (RFC 4254 §5.4) */
export function encodeChannelReply(recipient: number, success: boolean): Uint8Array {
  return new Writer(5).byte(success ? MSG.CHANNEL_SUCCESS : MSG.CHANNEL_FAILURE).uint32(recipient).finish();
}

/** Whether a message is addressed to a channel: then its first field is the recipient's channel number. */
export function isChannelMessage(type: number): boolean {
  return type > MSG.CHANNEL_OPEN && type <= MSG.CHANNEL_FAILURE;
}

/** The channel number that a channel message (91–100) is addressed to. */
export function recipientOf(payload: Uint8Array): number {
  if (payload.length < 5) {
    throw new ProtocolError(
      { what: "Cannot read a channel message", why: `it has only ${payload.length} bytes` },
      "truncated",
    );
  }
  return ((payload[1] << 24) | (payload[2] << 16) | (payload[3] << 8) | payload[4]) >>> 0;
}
