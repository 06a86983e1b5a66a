/**
 * Parts of large files that an interrupted copy has left: under which name, how much of one is to be trusted, and
 * whether it is what the source begins with.
 */
import { createHash } from "node:crypto";
import type { CopyPeer } from "./copy_peer.ts";
import type { CopyRun } from "./copy_run.ts";
import { temporaryBeside } from "./copy_names.ts";
import { HASH_HEAD, LIST_END } from "./copy_script.ts";
import { plainPath } from "./copy_look.ts";
import type { SftpClient } from "./sftp_client.ts";
import { readReply, sendRead } from "./sftp_data.ts";
import type { SftpHandle } from "./sftp_files.ts";

/** Files from here on go on after a break, and over several channels where that pays. */
export const LARGE_BYTES = 16 * 1024 * 1024;
/** On a host without a shell, so much of the end of a part is compared. */
export const TAIL_BYTES = 1024 * 1024;
/** What has come so far is kept when the copy breaks; less is not worth a file that may never be gone on with. */
export const KEPT_BYTES = 48 * 1024 * 1024;
/** Within so many bytes several channels may have left holes. */
export const SPAN_BYTES = 32 * 1024 * 1024;

/** The same for the same source, as long as that does not change. */
export function partBeside(target: string, ...identity: readonly (string | number | undefined)[]): string {
  const hash = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 12);
  return temporaryBeside(target, `part-${hash}`);
}

let machine: string | undefined;

/**
 * What tells this machine from others that copy to the same host: two of them may have a file of the same path, size and
 * time. Its name, and the id that its system gave it, which images made from one another share. What may not be asked, or
 * is not there, tells nothing.
 */
export function thisMachine(): string {
  return machine ??= [
    granted({ name: "sys", kind: "hostname" }, () => Deno.hostname()),
    granted({ name: "read", path: MACHINE_ID }, () => Deno.readTextFileSync(MACHINE_ID).trim()),
  ].join(" ");
}

const MACHINE_ID = "/etc/machine-id";

/** Nobody is to be asked for a permission for this. */
function granted(permission: Deno.PermissionDescriptor, ask: () => string): string {
  try {
    return Deno.permissions.querySync(permission).state === "granted" ? ask() : "";
  } catch {
    return "";
  }
}

/** SHA-256 of the first `length` bytes of a remote file, in hexadecimal; undefined where the host cannot tell. */
export async function remoteHashOf(
  run: CopyRun,
  peer: CopyPeer,
  path: string,
  length: number,
): Promise<string | undefined> {
  const shell = await peer.shell(HASH_HEAD, [plainPath(path), String(length)], run.signal);
  if (shell === undefined) return undefined;
  try {
    shell.endInput();
    const answer = new TextDecoder().decode(await shell.readUntil(LIST_END, 10_000));
    run.signal.throwIfAborted();
    return /^[0-9a-f]{64}(?= )/.exec(answer)?.[0];
  } finally {
    await shell.stop();
  }
}

/** Whether the first `length` bytes of a remote file end with `tail`. */
export async function endsWith(
  run: CopyRun,
  sftp: SftpClient,
  handle: SftpHandle,
  length: number,
  tail: Uint8Array,
): Promise<boolean> {
  for (let at = 0; at < tail.length;) {
    const bytes = Math.min(sftp.readBytes, tail.length - at);
    const sent = await sendRead(sftp, handle, length - tail.length + at, bytes, { signal: run.signal });
    const data = await readReply(sftp, handle, sent, bytes);
    const same = data.length > 0 && data.every((byte, index) => byte === tail[at + index]);
    sent.release();
    if (!same) return false;
    at += data.length;
  }
  return true;
}
