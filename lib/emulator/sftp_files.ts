import type { Reader } from "../wire/reader.ts";
import { EXTENSION, FX, FXF, FXP, readAttributes, safeNumber, type SftpAttributes } from "../wire/sftp.ts";
import type { SftpRoot } from "./sftp_root.ts";

/** Extensions that are understood. */
export const EXTENDED_NAMES = [EXTENSION.POSIX_RENAME, EXTENSION.FSYNC] as const;

/** Largest piece that one READ gives, as OpenSSH's server. */
const MAX_READ_BYTES = 255 * 1024;
/** Entries in one answer to READDIR, as OpenSSH's server. */
const NAMES_AT_ONCE = 100;
/** Handles that may be open at once; a client that never closes one is stopped here. */
const MAX_HANDLES = 256;

export interface SftpNameEntry {
  readonly name: string;
  /** A line as `ls -l` gives; default: the name. */
  readonly longName?: string;
  readonly attributes: SftpAttributes;
}

export type SftpAnswer =
  | { readonly type: "status"; readonly status: number; readonly message?: string }
  | { readonly type: "handle"; readonly handle: string }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "attributes"; readonly attributes: SftpAttributes }
  | { readonly type: "names"; readonly names: readonly SftpNameEntry[] };

type Handle =
  | { readonly kind: "file"; readonly file: Deno.FsFile; readonly path: string; readonly append: boolean }
  | { readonly kind: "directory"; readonly names: SftpNameEntry[] };

const OK: SftpAnswer = { type: "status", status: FX.OK };

/** What SFTP requests do to files below a root; one for each session, with its handles. */
export class SftpFiles {
  readonly #root: SftpRoot;
  readonly #handles = new Map<string, Handle>();
  #nextHandle = 0;

  constructor(root: SftpRoot) {
    this.#root = root;
  }

  /** Closes every handle; idempotent. */
  close(): void {
    for (const handle of this.#handles.values()) if (handle.kind === "file") handle.file.close();
    this.#handles.clear();
  }

  /** Does what the request says; `reader` stands behind its id. Errors of the file system become a status. */
  async answer(type: number, reader: Reader): Promise<SftpAnswer> {
    try {
      return await this.#answer(type, reader);
    } catch (error) {
      return failure(error);
    }
  }

  async #answer(type: number, reader: Reader): Promise<SftpAnswer> {
    switch (type) {
      case FXP.OPEN:
        return await this.#open(reader.utf8(), reader.uint32(), readAttributes(reader));
      case FXP.CLOSE: {
        const name = reader.text();
        const handle = this.#handle(name);
        this.#handles.delete(name);
        if (handle.kind === "file") handle.file.close();
        return OK;
      }
      case FXP.READ:
        return await this.#read(
          this.#file(reader.text()),
          safeNumber(reader.uint64(), "an offset"),
          reader.uint32(),
        );
      case FXP.WRITE:
        return await this.#write(
          this.#file(reader.text()),
          safeNumber(reader.uint64(), "an offset"),
          reader.string(),
        );
      case FXP.FSTAT:
        return attributesOf(await this.#file(reader.text()).file.stat());
      case FXP.FSETSTAT: {
        const { path } = this.#file(reader.text());
        return await change(path, readAttributes(reader));
      }
      case FXP.STAT:
        return attributesOf(await Deno.stat(await this.#root.inside(reader.utf8(), true)));
      case FXP.LSTAT:
        return attributesOf(await Deno.lstat(await this.#root.inside(reader.utf8(), false)));
      case FXP.SETSTAT:
        return await change(await this.#root.inside(reader.utf8(), true), readAttributes(reader));
      case FXP.OPENDIR:
        return await this.#openDirectory(await this.#root.inside(reader.utf8(), true));
      case FXP.READDIR:
        return this.#readDirectory(reader.text());
      case FXP.MKDIR: {
        const path = await this.#root.inside(reader.utf8(), false);
        await Deno.mkdir(path, { mode: (readAttributes(reader).permissions ?? 0o777) & 0o7777 });
        return OK;
      }
      case FXP.RMDIR:
      case FXP.REMOVE: {
        const path = await this.#root.inside(reader.utf8(), false);
        if ((await Deno.lstat(path)).isDirectory !== (type === FXP.RMDIR)) {
          return { type: "status", status: FX.FAILURE };
        }
        await Deno.remove(path);
        return OK;
      }
      case FXP.REALPATH:
        return await this.#realPath(reader.utf8());
      case FXP.RENAME: {
        // Version 3 refuses to replace; link(2) does it without a gap, but not for directories.
        const from = await this.#root.inside(reader.utf8(), false);
        const to = await this.#root.inside(reader.utf8(), false);
        if (await Deno.lstat(to).then(() => true, () => false)) return { type: "status", status: FX.FAILURE };
        await Deno.rename(from, to);
        return OK;
      }
      case FXP.READLINK: {
        const target = await Deno.readLink(await this.#root.inside(reader.utf8(), false));
        return { type: "names", names: [{ name: target, attributes: {} }] };
      }
      case FXP.SYMLINK: {
        const target = reader.utf8(); // OpenSSH's order: target first (PROTOCOL §4.1)
        await Deno.symlink(target, await this.#root.inside(reader.utf8(), false));
        return OK;
      }
      case FXP.EXTENDED:
        return await this.#extended(reader.utf8(), reader);
      default:
        return { type: "status", status: FX.OP_UNSUPPORTED };
    }
  }

  async #extended(name: string, reader: Reader): Promise<SftpAnswer> {
    switch (name) {
      case EXTENSION.POSIX_RENAME: {
        const from = await this.#root.inside(reader.utf8(), false);
        await Deno.rename(from, await this.#root.inside(reader.utf8(), false));
        return OK;
      }
      case EXTENSION.FSYNC:
        await this.#file(reader.text()).file.sync();
        return OK;
      default:
        return { type: "status", status: FX.OP_UNSUPPORTED };
    }
  }

  async #open(name: string, flags: number, attributes: SftpAttributes): Promise<SftpAnswer> {
    if (this.#handles.size >= MAX_HANDLES) return { type: "status", status: FX.FAILURE };
    const path = await this.#root.inside(name, true);
    const write = (flags & (FXF.WRITE | FXF.APPEND)) !== 0;
    const file = await Deno.open(path, {
      read: (flags & FXF.READ) !== 0 || !write,
      write: write && (flags & FXF.APPEND) === 0,
      append: (flags & FXF.APPEND) !== 0,
      create: write && (flags & FXF.CREAT) !== 0,
      createNew: write && (flags & FXF.CREAT) !== 0 && (flags & FXF.EXCL) !== 0,
      truncate: write && (flags & FXF.TRUNC) !== 0 && (flags & FXF.APPEND) === 0,
      ...(write && (flags & FXF.CREAT) !== 0 ? { mode: (attributes.permissions ?? 0o666) & 0o7777 } : {}),
    });
    return this.#keep({ kind: "file", file, path, append: (flags & FXF.APPEND) !== 0 });
  }

  async #read({ file }: { file: Deno.FsFile }, offset: number, length: number): Promise<SftpAnswer> {
    const bytes = new Uint8Array(Math.min(length, MAX_READ_BYTES));
    await file.seek(offset, Deno.SeekMode.Start);
    const count = await file.read(bytes);
    if (count === null) return { type: "status", status: FX.EOF };
    return { type: "data", bytes: bytes.subarray(0, count) };
  }

  async #write(handle: Handle & { kind: "file" }, offset: number, bytes: Uint8Array): Promise<SftpAnswer> {
    if (!handle.append) await handle.file.seek(offset, Deno.SeekMode.Start);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await handle.file.write(rest));
    return OK;
  }

  async #openDirectory(path: string): Promise<SftpAnswer> {
    const names: SftpNameEntry[] = [];
    for (const name of [".", ".."]) names.push({ name, attributes: toAttributes(await Deno.stat(path)) });
    for await (const { name } of Deno.readDir(path)) {
      // What has gone in the meantime is left out.
      const info = await Deno.lstat(`${path}/${name}`).catch(() => undefined);
      if (info) names.push({ name, longName: longName(name, info), attributes: toAttributes(info) });
    }
    return this.#keep({ kind: "directory", names });
  }

  #readDirectory(name: string): SftpAnswer {
    const handle = this.#handle(name);
    if (handle.kind !== "directory") return { type: "status", status: FX.FAILURE };
    const names = handle.names.splice(0, NAMES_AT_ONCE);
    return names.length > 0 ? { type: "names", names } : { type: "status", status: FX.EOF };
  }

  /** As OpenSSH's server: a name that does not exist is given back absolute, if its directory does. */
  async #realPath(path: string): Promise<SftpAnswer> {
    const name = await this.#root.inside(path, true);
    return { type: "names", names: [{ name, attributes: {} }] };
  }

  #keep(handle: Handle): SftpAnswer {
    const name = String(this.#nextHandle++);
    this.#handles.set(name, handle);
    return { type: "handle", handle: name };
  }

  #handle(name: string): Handle {
    const handle = this.#handles.get(name);
    if (!handle) throw new Deno.errors.BadResource("no such handle");
    return handle;
  }

  #file(name: string): Handle & { kind: "file" } {
    const handle = this.#handle(name);
    if (handle.kind !== "file") throw new Deno.errors.BadResource("not a file");
    return handle;
  }
}

async function change(path: string, attributes: SftpAttributes): Promise<SftpAnswer> {
  const { size, permissions, atime, mtime, uid, gid } = attributes;
  if (size !== undefined) await Deno.truncate(path, size);
  if (permissions !== undefined) await Deno.chmod(path, permissions & 0o7777);
  if (mtime !== undefined) await Deno.utime(path, atime ?? mtime, mtime);
  if (uid !== undefined && gid !== undefined) await Deno.chown(path, uid, gid);
  return OK;
}

function attributesOf(info: Deno.FileInfo): SftpAnswer {
  return { type: "attributes", attributes: toAttributes(info) };
}

function toAttributes(info: Deno.FileInfo): SftpAttributes {
  return {
    size: info.size,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
    permissions: info.mode ?? undefined,
    atime: seconds(info.atime),
    mtime: seconds(info.mtime),
  };
}

function seconds(date: Date | null): number {
  return Math.floor((date?.getTime() ?? 0) / 1000);
}

function longName(name: string, info: Deno.FileInfo): string {
  const kind = info.isDirectory ? "d" : info.isSymlink ? "l" : "-";
  const bits = [...((info.mode ?? 0) & 0o777).toString(2).padStart(9, "0")]
    .map((bit, index) => bit === "1" ? "rwx"[index % 3] : "-").join("");
  const owner = `${info.nlink ?? 1} ${info.uid ?? 0} ${info.gid ?? 0}`;
  const date = info.mtime?.toISOString().slice(0, 16).replace("T", " ") ?? "";
  return `${kind}${bits} ${owner} ${info.size} ${date} ${name}`;
}

function failure(error: unknown): SftpAnswer {
  const status = error instanceof Deno.errors.NotFound
    ? FX.NO_SUCH_FILE
    : error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable
    ? FX.PERMISSION_DENIED
    : FX.FAILURE;
  const message = status === FX.NO_SUCH_FILE
    ? "No such file"
    : status === FX.PERMISSION_DENIED
    ? "Permission denied"
    : error instanceof Error
    ? error.message
    : "Failure";
  return { type: "status", status, message };
}
