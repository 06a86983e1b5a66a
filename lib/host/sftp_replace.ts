import { encodeExtended, encodeRename, EXTENSION } from "../wire/sftp.ts";
import { temporaryBeside } from "./copy_names.ts";
import type { SftpClient } from "./sftp_client.ts";
import { askOk, fileKind, remove, statIfThere } from "./sftp_files.ts";
import type { SendOptions } from "./sftp_sent.ts";
import { SftpStatusError } from "./sftp_status.ts";

/**
 * Puts `from` in the place of `to`, whatever file or symlink was there: at once where the server has `posix-rename`.
 * Version 3's own RENAME refuses a name that is taken. There the old file steps aside under a temporary name, and
 * comes back if the new one cannot take its place: for two round trips the name is missing, but neither is lost.
 */
export async function replace(
  sftp: SftpClient,
  from: string,
  to: string,
  options?: SendOptions,
): Promise<void> {
  const what = "Cannot put a remote file in its place";
  if (sftp.supports("POSIX_RENAME")) {
    await askOk(sftp, (id) => encodeExtended(id, EXTENSION.POSIX_RENAME, from, to), what, to, options);
    return;
  }
  const rename = (a: string, b: string, how = options) =>
    askOk(sftp, (id) => encodeRename(id, a, b), what, to, how);
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof SftpStatusError)) throw error;
    const there = await statIfThere(sftp, to, false, options);
    if (there === undefined || fileKind(there) === "directory") throw error;
    const aside = temporaryBeside(to);
    await rename(to, aside);
    try {
      await rename(from, to);
    } catch (second) {
      await rename(aside, to, { urgent: true });
      throw second;
    }
    await remove(sftp, aside, options);
  }
}
