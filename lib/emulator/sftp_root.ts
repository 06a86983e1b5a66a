import { dirname, isAbsolute, join, normalize } from "../deps/node_path.ts";

/**
 * The part of the file system that an embedded host's SFTP may touch: its home and what is below. Paths are the real
 * ones, so that commands and copies mean the same files; relative ones start at the home.
 */
export class SftpRoot {
  readonly #home: string;

  /** @param home absolute, without symbolic links */
  constructor(home: string) {
    this.#home = home;
  }

  /** `path` as absolute, `.` and `..` resolved by spelling alone. */
  absolute(path: string): string {
    const absolute = normalize(isAbsolute(path) ? path : join(this.#home, path));
    return absolute.length > 1 ? absolute.replace(/\/+$/, "") : absolute;
  }

  /**
   * Where `path` leads, checked to be inside: its directory without symbolic links, and with `follow` the last name too.
   *
   * @throws {Deno.errors.PermissionDenied} when it is outside
   */
  async inside(path: string, follow: boolean): Promise<string> {
    const absolute = this.absolute(path);
    if (absolute === this.#home) return absolute;
    this.#check(absolute);
    const parent = await Deno.realPath(dirname(absolute));
    this.#check(parent);
    const named = join(parent, absolute.slice(absolute.lastIndexOf("/") + 1));
    if (!follow) return named;
    const real = await Deno.realPath(named).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    // A dangling link must not become a way to create a file outside.
    if (real === undefined && await isLink(named)) throw new Deno.errors.PermissionDenied(path);
    this.#check(real ?? named);
    return real ?? named;
  }

  #check(absolute: string): void {
    if (absolute === this.#home || absolute.startsWith(`${this.#home}/`)) return;
    throw new Deno.errors.PermissionDenied(absolute);
  }
}

async function isLink(path: string): Promise<boolean> {
  return await Deno.lstat(path).then((info) => info.isSymlink, () => false);
}
