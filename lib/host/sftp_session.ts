import { ByteInbox } from "../channel/byte_inbox.ts";
import type { Session } from "../channel/session.ts";
import { SftpClient } from "./sftp_client.ts";

/** Starts the `sftp` subsystem in a fresh session and greets it. Disposing the client closes the session. */
export async function openSftp(session: Session, signal?: AbortSignal): Promise<SftpClient> {
  const inbox = new ByteInbox((bytes) => session.consumed(bytes));
  session.start({ kind: "subsystem", name: "sftp" }, {
    // What sftp-server says on stderr is for its own log; nobody would see it here.
    onOutput: (data, stream) => stream === "stdout" ? inbox.push(data) : session.consumed(data.length),
    onOutputEnd: () => {},
  });
  // A refused subsystem ends the session too: say so, instead of "closed early".
  session.ended.then((end) => end.outcome === "not-started" ? inbox.fail(end.error) : inbox.end());
  return await SftpClient.open({
    where: session.where,
    readable: inbox.stream,
    writable: new WritableStream({ write: (chunk) => session.write(chunk), close: () => session.endInput() }),
    [Symbol.asyncDispose]: async () => {
      session.close();
      await session.ended;
    },
  }, { signal });
}
