import { MSG } from "../wire/messages.ts";
import { dataStartOf } from "./passenger_check.ts";

/** Writes another recipient into a channel message: the number's four bytes, in place. */
export function renumber(payload: Uint8Array, recipient: number): Uint8Array {
  payload[1] = recipient >>> 24;
  payload[2] = recipient >>> 16;
  payload[3] = recipient >>> 8;
  payload[4] = recipient;
  return payload;
}

/**
 * A data message in parts of at most `maxBytes` of data each. OpenSSH drops what is larger than it announced without
 * a word (`ssh -tt` announces 16 KiB), and its output would have a hole.
 */
export function* splitData(payload: Uint8Array, maxBytes: number): Generator<Uint8Array> {
  const start = dataStartOf(payload[0]);
  for (let at = start; at < payload.length; at += maxBytes) {
    const data = payload.subarray(at, at + maxBytes);
    const part = new Uint8Array(start + data.length);
    part.set(payload.subarray(0, start - 4));
    new DataView(part.buffer).setUint32(start - 4, data.length);
    part.set(data, start);
    yield part;
  }
}

export function isData(type: number): boolean {
  return type === MSG.CHANNEL_DATA || type === MSG.CHANNEL_EXTENDED_DATA;
}
