import { posixQuote } from "../../base/posix_quote.ts";
import { basename } from "../../deps/node_path.ts";
import type { PlannedCopy } from "../planned.ts";
import { posixChecksum } from "./posix_checksum.ts";

/** Larger files are copied over a channel of their own: bash reads what is in a script byte by byte. */
export const maxCopyBytes = 64 * 1024;

/** Longest name of a file that gets a temporary name in the shell, in bytes: file systems end at 255. */
const maxNameBytes = 200;

/** A small file that is ready to travel in a script. */
export interface SmallCopy {
  readonly bytes: number;
  /** Not everybody may read it, here or there: no process list may show it. */
  readonly isPrivate: boolean;
  /** `cqcopy` of driver_text.ts with its arguments and its input. */
  readonly text: string;
}

/** Reads a local file for a step that copies it; undefined where it is nothing for a script. */
export async function readSmallCopy(action: PlannedCopy): Promise<SmallCopy | undefined> {
  let content: Uint8Array;
  let info: Deno.FileInfo;
  try {
    using file = await Deno.open(action.from);
    info = await file.stat();
    if (!info.isFile || info.size > maxCopyBytes) return undefined;
    const buffer = new Uint8Array(info.size + 1);
    let length = 0;
    for (let read = await file.read(buffer); read !== null; read = await file.read(buffer.subarray(length))) {
      length += read;
      if (length > info.size) return undefined;
    }
    if (length !== info.size) return undefined;
    content = buffer.subarray(0, length);
  } catch {
    // Whoever copies it in the ordinary way will say what is wrong.
    return undefined;
  }
  const seconds = Math.floor((info.mtime?.getTime() ?? 0) / 1000);
  // `touch -t` takes years of four digits, and SFTP's version 3 seconds of 32 bits.
  if (info.mtime === null || seconds < 0 || seconds >= 2 ** 32) return undefined;
  const from = basename(action.from);
  const name = action.to.replace(/\/+$/, "").split("/").at(-1) ?? "";
  if ([from, name].some((one) => new TextEncoder().encode(one).length > maxNameBytes)) return undefined;
  const mode = (action.mode ?? (info.mode ?? 0o644) & 0o777) & 0o7777;
  const words = [
    remotePath(action.to),
    posixQuote(from),
    posixQuote(`.carpool-${crypto.randomUUID().slice(0, 12)}`),
    mode.toString(8),
    touchTime(seconds),
    posixQuote(`${posixChecksum(content)} ${content.length}`),
    posixQuote(`${content.length} ${seconds}`),
  ];
  const lines = content.toBase64().replace(/.{76}/g, "$&\n");
  const isPrivate = ((info.mode ?? 0o644) & mode & 0o004) === 0;
  return { bytes: content.length, isPrivate, text: `cqcopy ${words.join(" ")} <<'.'\n${lines}\n.` };
}

/** Where SFTP would put it: under the home, where it begins, unless it begins with `/`. */
function remotePath(path: string): string {
  if (path.startsWith("/")) return posixQuote(path);
  const below = path === "~" || path === "~/" ? "" : path.replace(/^~\/+/, "");
  return `"$HOME"/${posixQuote(below)}`;
}

function touchTime(seconds: number): string {
  const [year, month, day, hours, minutes, rest] = new Date(seconds * 1000).toISOString().split(/[-T:.]/);
  return `${year}${month}${day}${hours}${minutes}.${rest}`;
}
