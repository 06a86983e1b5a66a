import { ProtocolError } from "../base/errors.ts";
import { encodeWindowAdjust } from "../wire/messages.ts";
import { type RelayedChannel, WINDOW_CAP_BYTES } from "./passenger.ts";
import type { RelaySender } from "./relay_sender.ts";

/** For a passenger that reads at once whatever comes, a long and wide way may have this much under way. */
export const MAX_WINDOW_CAP_BYTES = 16 * 1024 * 1024;

/** RFC 4254 §5.2: what a window may come to. */
const MAX_WINDOW = 0xffffffff;

/**
 * The windows of relayed channels, both ways. Towards a passenger, the server is told of no more than the cap, less
 * what the passenger has not taken from its socket yet: so one that never reads costs us a cap, however large a window
 * it grants. The cap doubles each time that a passenger has taken two of them promptly, and falls back when it leaves
 * half of one. Towards the server, a passenger is held to the server's window: sshd hangs up on whoever ignores it.
 */
export class RelayWindows {
  readonly #sender: RelaySender;

  constructor(sender: RelaySender) {
    this.#sender = sender;
  }

  /** A passenger's first window; returns what the server is told of it. */
  start(channel: RelayedChannel, window: number): number {
    channel.outstanding = Math.min(window, WINDOW_CAP_BYTES);
    channel.credit = window - channel.outstanding;
    return channel.outstanding;
  }

  /** Data came from the server. */
  received(channel: RelayedChannel, bytes: number): void {
    if (bytes > channel.outstanding) {
      throw violation(`${bytes} bytes of data with a window of ${channel.outstanding}`);
    }
    channel.outstanding -= bytes;
    this.#watchReader(channel, bytes);
    if (channel.credit > 0 && channel.outstanding * 2 < channel.windowCap) this.topUp(channel);
  }

  #watchReader(channel: RelayedChannel, bytes: number): void {
    const unread = channel.passenger?.link.queuedBytes ?? 0;
    if (unread * 2 > channel.windowCap) {
      channel.windowCap = WINDOW_CAP_BYTES;
      channel.takenBytes = 0;
      return;
    }
    channel.takenBytes += bytes;
    // Only what is not passed on for want of room says that more would help.
    if (
      channel.credit === 0 || channel.takenBytes < 2 * channel.windowCap || unread * 4 > channel.windowCap
    ) return;
    channel.windowCap = Math.min(2 * channel.windowCap, MAX_WINDOW_CAP_BYTES);
    channel.takenBytes = 0;
  }

  /** The passenger has granted more. */
  granted(channel: RelayedChannel, bytes: number): void {
    channel.credit += bytes;
    this.topUp(channel);
  }

  /** The server has granted the passenger more. */
  serverGranted(channel: RelayedChannel, bytes: number): void {
    channel.serverWindow += bytes;
    if (channel.serverWindow > MAX_WINDOW) throw violation(`a window of ${channel.serverWindow} bytes`);
  }

  /** The passenger sends data to the server. */
  sent(channel: RelayedChannel, bytes: number): void {
    if (bytes > channel.serverWindow) {
      throw violation(`a passenger sent ${bytes} bytes with a window of ${channel.serverWindow}`);
    }
    if (bytes > channel.serverMaxPacket) {
      throw violation(
        `a passenger sent ${bytes} bytes in one message, at most ${channel.serverMaxPacket} allowed`,
      );
    }
    channel.serverWindow -= bytes;
  }

  /** Passes on as much of the passenger's window as fits the cap. */
  topUp(channel: RelayedChannel): void {
    const { passenger } = channel;
    if (passenger === undefined || channel.remoteId === undefined || channel.closeSent) return;
    const queuedBytes = passenger.link.queuedBytes;
    const bytes = Math.min(channel.credit, channel.windowCap - channel.outstanding - queuedBytes);
    if (bytes > 0) {
      channel.credit -= bytes;
      channel.outstanding += bytes;
      return this.#sender.send(channel, encodeWindowAdjust(channel.remoteId, bytes));
    }
    // No room: either the server may still send half a cap, and its data will bring us here again; or the passenger
    // is not reading, and we wait for its socket (so much is queued then that `drained` really waits).
    if (channel.credit > 0 && queuedBytes * 2 > WINDOW_CAP_BYTES && !channel.awaitsPassenger) {
      channel.awaitsPassenger = true;
      passenger.link.drained().then(() => {
        channel.awaitsPassenger = false;
        this.topUp(channel);
      });
    }
  }
}

function violation(why: string): ProtocolError {
  return new ProtocolError({ what: "Cannot pass a message on", why });
}
