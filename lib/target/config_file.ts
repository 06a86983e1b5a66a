import { TargetError } from "../base/errors.ts";
import { ownUid } from "./local_account.ts";

/**
 * Reads a configuration file; undefined where there is none. Throws `TargetError` ("bad-config") where it exists and
 * cannot be read: settings that are silently missing would mean another connection.
 *
 * With `checkOwner`, a file that others own or may write is refused, as OpenSSH refuses it: it names commands to run.
 */
export async function readConfigFile(
  path: string,
  options: { readonly checkOwner: boolean },
): Promise<string | undefined> {
  try {
    using file = await Deno.open(path, { read: true });
    const { uid, mode, isDirectory } = await file.stat();
    if (isDirectory) throw refused(path, "it is a directory");
    if (options.checkOwner) {
      const own = ownUid();
      const foreign = own !== undefined && uid !== null && uid !== 0 && uid !== own;
      if (foreign || ((mode ?? 0) & 0o022) !== 0) {
        throw refused(
          path,
          "bad owner or permissions: others may write it",
          `chmod go-w ${path}, and own it`,
        );
      }
    }
    return new TextDecoder().decode(await readAll(file, path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return undefined;
    if (cause instanceof TargetError) throw cause;
    const denied = cause instanceof Deno.errors.NotCapable;
    const why = denied ? "reading it is not allowed" : cause instanceof Error ? cause.message : String(cause);
    throw refused(path, why, denied ? `allow it: --allow-read=${path}` : undefined, cause);
  }
}

const MAX_BYTES = 16 * 1024 ** 2;

/** In pieces, as the size of a file may change, and is 0 for a pipe. */
async function readAll(file: Deno.FsFile, path: string): Promise<Uint8Array> {
  let [bytes, length] = [new Uint8Array(16 * 1024), 0];
  while (true) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) return bytes.subarray(0, length);
    length += read;
    if (length > MAX_BYTES) throw refused(path, "it is larger than 16 MiB");
    if (length < bytes.length) continue;
    const larger = new Uint8Array(bytes.length * 2);
    larger.set(bytes);
    bytes = larger;
  }
}

/** The existing files that an absolute pattern names (`*`, `?`, `[a-z]` in any part), sorted. */
export async function expandGlob(pattern: string): Promise<string[]> {
  let paths = ["/"];
  for (const part of pattern.split("/").filter((part) => part !== "")) {
    const literal = !/[*?[\\]/.test(part);
    const next: string[] = [];
    for (const dir of paths) {
      if (literal) next.push(join(dir, part));
      else next.push(...(await namesIn(dir, part)).map((name) => join(dir, name)));
    }
    paths = next;
  }
  const there = await Promise.all(paths.map((path) => exists(path)));
  return paths.filter((_, i) => there[i]);
}

async function namesIn(dir: string, pattern: string): Promise<string[]> {
  const wanted = globExpression(pattern);
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(dir)) {
      if (wanted.test(name) && (pattern.startsWith(".") || !name.startsWith("."))) names.push(name);
    }
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw refused(dir, "reading it is not allowed", `allow it: --allow-read=${dir}`, cause);
    }
    return []; // not there, or not to be listed: as for glob(3), nothing matches
  }
  return names.sort();
}

/** glob(3): `[!a-z]` is a set, a backslash takes the meaning from what follows. */
function globExpression(pattern: string): RegExp {
  const source = pattern.replace(/\\(.)|\[(!?)(\]?[^\]]*)\]|[^]/g, (found, escaped, negated, set) => {
    if (escaped !== undefined) return RegExp.escape(escaped);
    if (set !== undefined) return `[${negated ? "^" : ""}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
    return found === "*" ? ".*" : found === "?" ? "." : RegExp.escape(found);
  });
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    return /^(?!)/; // a range that runs backwards matches nothing
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function join(dir: string, name: string): string {
  return dir === "/" ? `/${name}` : `${dir}/${name}`;
}

function refused(path: string, why: string, fix?: string, cause?: unknown): TargetError {
  return new TargetError("bad-config", { what: "Cannot read ssh_config", where: path, why, fix, cause });
}
