import { EXTENDED_NAMES, type SftpAnswer, SftpFiles } from "./sftp_files.ts";
import type { ServerSession } from "./server_session.ts";
import { SftpRoot } from "./sftp_root.ts";
import { Reader } from "../wire/reader.ts";
import { FX, FXP, SFTP_VERSION, writeAttributes } from "../wire/sftp.ts";
import { SftpFrames } from "../wire/sftp_frames.ts";
import { Writer } from "../wire/writer.ts";

/**
 * The `sftp` subsystem of an embedded host: version 3 (draft-ietf-secsh-filexfer-02) with `posix-rename@openssh.com`
 * and `fsync@openssh.com`, below one directory. Requests are answered one after the other, as OpenSSH's own server does.
 *
 * ssh2 brings a server side of its own, but it can announce no extensions.
 */
export class SftpServer {
  readonly #session: ServerSession;
  readonly #files: SftpFiles;
  readonly #frames = new SftpFrames();

  constructor(session: ServerSession, home: string) {
    this.#session = session;
    this.#files = new SftpFiles(new SftpRoot(home));
    session.receive(
      async (bytes) => {
        try {
          for (const packet of this.#frames.push(bytes)) await this.#serve(packet);
        } catch {
          this.#end(); // not SFTP, or cut short: nothing that follows could be understood
        }
      },
      () => this.#end(),
    );
    session.closed.then(() => this.#files.close());
  }

  #end(): void {
    this.#files.close();
    this.#session.exit(0);
  }

  async #serve(packet: Uint8Array): Promise<void> {
    const reader = new Reader(packet);
    const type = reader.byte();
    if (type === FXP.INIT) {
      const version = new Writer().byte(FXP.VERSION).uint32(SFTP_VERSION);
      for (const name of EXTENDED_NAMES) version.utf8(name).utf8("1");
      return await this.#send(version.finish());
    }
    const id = reader.uint32();
    await this.#send(encode(id, await this.#files.answer(type, reader)));
  }

  /** `uint32 length`, then the packet. */
  #send(packet: Uint8Array): Promise<void> {
    return this.#session.write(new Writer(4 + packet.length).string(packet).finish());
  }
}

function encode(id: number, answer: SftpAnswer): Uint8Array {
  switch (answer.type) {
    case "status":
      return new Writer().byte(FXP.STATUS).uint32(id).uint32(answer.status)
        .utf8(answer.message ?? (answer.status === FX.OK ? "Success" : "Failure")).utf8("").finish();
    case "handle":
      return new Writer().byte(FXP.HANDLE).uint32(id).utf8(answer.handle).finish();
    case "data":
      return new Writer(9 + answer.bytes.length).byte(FXP.DATA).uint32(id).string(answer.bytes).finish();
    case "attributes":
      return writeAttributes(new Writer().byte(FXP.ATTRS).uint32(id), answer.attributes).finish();
    case "names": {
      const writer = new Writer().byte(FXP.NAME).uint32(id).uint32(answer.names.length);
      for (const { name, longName, attributes } of answer.names) {
        writeAttributes(writer.utf8(name).utf8(longName ?? name), attributes);
      }
      return writer.finish();
    }
  }
}
