/** Names of files: how they are read from bytes, checked, joined, shown, and made up. */
import { CopyError } from "../base/errors.ts";

// Without ignoreBOM a name that begins with U+FEFF would lose it.
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Longest name taken from a server; file systems end at 255 bytes or characters. */
const MAX_NAME_BYTES = 1024;
/** Longest name that common file systems take, in bytes. */
const NAME_MAX_BYTES = 255;

/** A text for a message: control characters, which a terminal would obey, as `\xNN`. */
export function shown(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => c === "\n" ? "\\n" : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** The text of a name, or undefined where its bytes are not UTF-8. */
export function decodeName(name: Uint8Array): string | undefined {
  try {
    return strict.decode(name);
  } catch {
    return undefined;
  }
}

/** Bytes for a message: what is not ASCII as `\xNN`. */
export function shownBytes(name: Uint8Array): string {
  let text = "";
  for (const byte of name.subarray(0, NAME_MAX_BYTES)) {
    text += byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

/** Why a name from a directory listing cannot name a file in that directory here; undefined where it can. */
export function nameFault(
  name: string,
  bytes: number,
  windows = Deno.build.os === "windows",
): string | undefined {
  if (name === "") return "it is empty";
  if (name === "." || name === "..") return "it leads to another directory";
  if (name.includes("/") || (windows && /[\\:]/.test(name))) return "it leads to another directory";
  if (name.includes("\0")) return "it has a NUL in it";
  if (bytes > MAX_NAME_BYTES) return `it is ${bytes} bytes long`;
  return undefined;
}

/** Refuses a path that cannot be sent as UTF-8 or that ends early; `what` begins the message. */
export function checkPath(path: string, what: string): string {
  const why = path === ""
    ? "the path is empty"
    : path.includes("\0")
    ? "the path has a NUL in it"
    : path.isWellFormed()
    ? undefined
    : "the path has half a surrogate pair in it, which no file name can";
  if (why) {
    throw new CopyError("unsupported", { what, where: shown(path), why, fix: "name the file by its path" });
  }
  return path;
}

/** A local path with `/` between its names, which Windows takes too. */
export function localPath(path: string, what: string): string {
  checkPath(path, what);
  return Deno.build.os === "windows" ? path.replaceAll("\\", "/") : path;
}

/** `.name.carpool-<id>` beside `path`, short enough for the file system; a random id by default. `path` uses `/`. */
export function temporaryBeside(path: string, id: string = randomId()): string {
  const cut = path.lastIndexOf("/") + 1;
  const suffix = `.carpool-${id}`;
  let name = path.slice(cut);
  const room = NAME_MAX_BYTES - 1 - suffix.length;
  while (encoder.encode(name).length > room) name = [...name].slice(0, -1).join("");
  return `${path.slice(0, cut)}.${name}${suffix}`;
}

/** For names that nobody else makes. */
export function randomId(): string {
  return `${crypto.randomUUID().slice(0, 8)}${crypto.randomUUID().slice(0, 4)}`;
}

/** Joins with exactly one `/`. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** The directory that holds a remote path, as far as the text tells. */
export function parentPath(path: string): string {
  const cut = path.replace(/\/+$/, "").lastIndexOf("/");
  return cut < 0 ? "." : cut === 0 ? "/" : path.slice(0, cut);
}

/** Whether a source names what is in a directory rather than the directory itself: `dist/`, `dist/.`, `..`, `/`. */
export function namesContents(path: string): boolean {
  return /(^|\/)\.{0,2}$/.test(path);
}

/** The last name of a path, trailing slashes aside. */
export function lastName(path: string): string {
  const bare = path.replace(/\/+$/, "");
  return bare.slice(bare.lastIndexOf("/") + 1);
}
