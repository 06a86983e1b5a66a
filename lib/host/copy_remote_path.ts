import { CopyError } from "../base/errors.ts";
import { checkPath, joinPath, shown } from "./copy_names.ts";
import type { SftpClient } from "./sftp_client.ts";
import { expandPath } from "./sftp_files.ts";

/**
 * A remote path as the server takes it. A session begins in the home directory, so `~/x` is just `x`; `~user/x` needs
 * a server that can look it up. A file whose own name begins with `~` is `./~name`.
 */
export async function remotePath(
  peer: { sftp(signal?: AbortSignal): Promise<SftpClient> },
  path: string,
  what: string,
  signal: AbortSignal,
): Promise<string> {
  checkPath(path, what);
  if (path === "~" || path === "~/") return "./";
  if (path.startsWith("~/")) return path.replace(/^~\/+/, "./");
  if (!path.startsWith("~")) return path;
  const cut = path.indexOf("/");
  const user = cut < 0 ? path : path.slice(0, cut);
  const sftp = await peer.sftp(signal);
  if (!sftp.supports("EXPAND_PATH")) {
    throw new CopyError("unsupported", {
      what,
      where: `${sftp.where}:${shown(path)}`,
      why: `the server cannot tell where ${shown(user)} is`,
      fix: "give the absolute path",
    });
  }
  const home = await expandPath(sftp, user, { signal });
  return cut < 0 ? home : joinPath(home, path.slice(cut + 1));
}
