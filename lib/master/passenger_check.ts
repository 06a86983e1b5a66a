import { ProtocolError } from "../base/errors.ts";
import { isChannelMessage, MSG } from "../wire/messages.ts";
import { Reader } from "../wire/reader.ts";

/**
 * What follows the common part of a request or an open: `1` boolean, `u` uint32, `b` bytes, `s` text. sshd hangs up
 * on a message of a kind it knows that is too short or too long, or has a NUL in a text (its sshbuf_get_cstring), and
 * with it everybody would lose the connection. Kinds it does not know it refuses, whatever they hold.
 */
const CHANNEL_REQUESTS: Readonly<Record<string, string>> = {
  "pty-req": "suuuub",
  "x11-req": "1ssu",
  env: "ss",
  shell: "",
  exec: "s",
  subsystem: "s",
  "window-change": "uuuu",
  signal: "s",
  break: "u",
  "auth-agent-req@openssh.com": "",
  "eow@openssh.com": "",
};

const OPENS: Readonly<Record<string, string>> = {
  session: "",
  "direct-tcpip": "susu",
  "direct-streamlocal@openssh.com": "ssu",
  "tun@openssh.com": "uu",
};

const GLOBAL_REQUESTS: Readonly<Record<string, string>> = {
  "tcpip-forward": "su",
  "cancel-tcpip-forward": "su",
  "streamlocal-forward@openssh.com": "s",
  "cancel-streamlocal-forward@openssh.com": "s",
};

/** `byte type · uint32 recipient` and nothing more, or one uint32 more */
const FIXED_LENGTHS: Readonly<Record<number, number>> = {
  [MSG.CHANNEL_OPEN_CONFIRMATION]: 17,
  [MSG.CHANNEL_WINDOW_ADJUST]: 9,
  [MSG.CHANNEL_EOF]: 5,
  [MSG.CHANNEL_CLOSE]: 5,
  [MSG.CHANNEL_SUCCESS]: 5,
  [MSG.CHANNEL_FAILURE]: 5,
};

/** Throws `ProtocolError` for a message from a passenger that could cost the others their connection. */
export function checkFromPassenger(payload: Uint8Array): void {
  const type = payload[0];
  switch (type) {
    case MSG.CHANNEL_DATA:
      return void dataLengthOf(payload);
    case MSG.CHANNEL_EXTENDED_DATA:
      return void dataLengthOf(payload);
    case MSG.CHANNEL_OPEN: {
      const reader = new Reader(payload, 1);
      const name = text(reader);
      for (let i = 0; i < 3; i++) reader.uint32();
      return checkLayout(name, OPENS[name], reader);
    }
    case MSG.CHANNEL_REQUEST: {
      const reader = new Reader(payload, 5);
      const name = text(reader);
      reader.boolean();
      return checkLayout(name, CHANNEL_REQUESTS[name], reader);
    }
    case MSG.GLOBAL_REQUEST: {
      const reader = new Reader(payload, 1);
      const name = text(reader);
      reader.boolean();
      return checkLayout(name, GLOBAL_REQUESTS[name], reader);
    }
    case MSG.CHANNEL_OPEN_FAILURE:
      return; // written anew
    default:
      if (!isChannelMessage(type)) throw violation(`a passenger sent message ${type}`);
      if (payload.length !== FIXED_LENGTHS[type]) {
        throw violation(`a passenger sent message ${type} with ${payload.length} bytes`);
      }
  }
}

/** How many bytes of data a data message carries; throws `ProtocolError` when it is not as long as it says. */
export function dataLengthOf(payload: Uint8Array): number {
  const start = dataStartOf(payload[0]);
  if (payload.length < start) throw violation("a data message is too short");
  const length = ((payload[start - 4] << 24) | (payload[start - 3] << 16) | (payload[start - 2] << 8) |
    payload[start - 1]) >>> 0;
  if (length !== payload.length - start) {
    throw violation(`a data message says ${length} bytes and has ${payload.length - start}`);
  }
  return length;
}

/** Where the data begins in CHANNEL_DATA and CHANNEL_EXTENDED_DATA (RFC 4254 §5.2). */
export function dataStartOf(type: number): number {
  return type === MSG.CHANNEL_DATA ? 9 : 13;
}

function checkLayout(name: string, layout: string | undefined, reader: Reader): void {
  if (layout === undefined) return;
  for (const kind of layout) {
    if (kind === "1") reader.boolean();
    else if (kind === "u") reader.uint32();
    else if (kind === "b") reader.string();
    else text(reader);
  }
  if (reader.remaining > 0) throw violation(`${reader.remaining} bytes too many in ${name}`);
}

function text(reader: Reader): string {
  const bytes = reader.string();
  if (bytes.includes(0)) throw violation("a text with a NUL in it");
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();

function violation(why: string): ProtocolError {
  return new ProtocolError({ what: "Cannot pass a message on", why });
}
