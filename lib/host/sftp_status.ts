import { CopyError, type CopyErrorCode } from "../base/errors.ts";
import { FX } from "../wire/sftp.ts";
import { shown } from "./copy_names.ts";

const WORDS: Readonly<Record<number, string>> = {
  [FX.EOF]: "end of file",
  [FX.NO_SUCH_FILE]: "no such file or directory",
  [FX.PERMISSION_DENIED]: "permission denied",
  [FX.FAILURE]: "failure, and does not say why",
  [FX.BAD_MESSAGE]: "invalid, perhaps a name that is too long",
  [FX.NO_CONNECTION]: "no connection",
  [FX.CONNECTION_LOST]: "connection lost",
  [FX.OP_UNSUPPORTED]: "not supported",
};

const CODES: Readonly<Record<number, CopyErrorCode>> = {
  [FX.NO_SUCH_FILE]: "missing",
  [FX.PERMISSION_DENIED]: "denied",
  [FX.NO_CONNECTION]: "interrupted",
  [FX.CONNECTION_LOST]: "interrupted",
  [FX.OP_UNSUPPORTED]: "unsupported",
};

/** The server answered a request with a status other than OK (draft-ietf-secsh-filexfer-02 §7). */
export class SftpStatusError extends CopyError {
  override name = "SftpStatusError";
  readonly status: number;

  constructor(status: number, message: string, what: string, where: string) {
    super(CODES[status] ?? "remote-failed", { what, where, why: statusWords(status, message) });
    this.status = status;
  }
}

/** What a status means, with the server's own words where they say more than the code does. */
function statusWords(status: number, message: string): string {
  const words = WORDS[status] ?? "an unknown status";
  const own = shown(message.trim());
  const plain = own.toLowerCase();
  const adds = own !== "" && plain !== "failure" && !words.startsWith(plain);
  return `the server says ${words}${adds ? `: "${own}"` : ""} (${status})`;
}
