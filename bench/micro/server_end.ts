import { Connection } from "../../lib/channel/connection.ts";
import type { Link } from "../../lib/channel/link.ts";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import * as m from "../../lib/wire/messages.ts";
import { encodeExitStatus } from "../../lib/wire/session_requests.ts";

/** What the server end has to do with a session once it is asked to run something. */
export type OnExec = (link: Link, channel: number) => void;

const WINDOW_BYTES = 2 * 1024 * 1024;

/** A connection over memory whose other end does as an SSH server does, and no more than it must. */
export function connectionToServerEnd(onExec: OnExec): Connection {
  const [ours, theirs] = memoryLinkPair();
  theirs.receive((payload) => answer(theirs, payload, onExec));
  return new Connection(ours);
}

function answer(link: Link, payload: Uint8Array, onExec: OnExec): void {
  if (payload[0] === m.MSG.CHANNEL_OPEN) {
    const { sender } = m.decodeChannelOpen(payload);
    // The same number on both sides: what arrives for it is answered without a table.
    link.send(
      m.encodeChannelOpenConfirmation({
        recipient: sender,
        sender,
        window: WINDOW_BYTES,
        maxPacket: 32 * 1024,
      }),
    );
  } else if (payload[0] === m.MSG.CHANNEL_REQUEST) {
    const { recipient, type, wantReply } = m.decodeChannelRequest(payload);
    // What is asked while data flows (how long a round trip takes) is refused, as sshd does.
    if (wantReply) link.send(m.encodeChannelReply(recipient, type === "exec"));
    if (type === "exec") onExec(link, recipient);
  }
}

/** Ends a session as a command does that was well. */
export function endSession(link: Link, channel: number): void {
  link.send(m.encodeChannelRequest(channel, "exit-status", false, encodeExitStatus(0)));
  link.send(m.encodeChannelEof(channel));
  link.send(m.encodeChannelClose(channel));
}
