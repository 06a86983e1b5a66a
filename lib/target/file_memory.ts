/**
 * A file that changed so shortly before it was read may change again without looking any different: clocks of file
 * systems are coarse (4 ms on Linux, 2 s on FAT and some network shares).
 */
const SETTLED_AFTER_MS = 2_500;

/** For so long a disk that has answered is taken to do so at once. */
const ANSWERS_FOR_MS = 1_000;

/** Files remembered at once; a user has a handful, and an Include of many directories is no reason to grow. */
const MOST_FILES = 64;

/** When files were last looked at, on the clock of `performance.now()`. */
const seenAt = new Map<string, number>();

/** Looks by a thread that are under way. */
const looks = new Map<string, Promise<unknown>>();

/**
 * `Deno.stat` for those who ask often: a look by a thread takes 60 µs, one of our own 4. A disk that does not answer must
 * not stop everything else, and one that has just answered will again.
 */
export async function lookAt(path: string): Promise<Deno.FileInfo> {
  const now = performance.now();
  if (now - (seenAt.get(path) ?? -Infinity) < ANSWERS_FOR_MS) return Deno.statSync(path);
  const under = looks.get(path);
  if (under !== undefined) {
    await under.catch(() => {}); // of an answer that was on its way: the file may have changed since it was given
    return Deno.statSync(path);
  }
  const look = Deno.stat(path);
  looks.set(path, look);
  try {
    return await look;
  } finally {
    looks.delete(path);
    if (seenAt.size >= MOST_FILES) seenAt.clear();
    seenAt.set(path, performance.now());
  }
}

interface Remembered<Made> {
  readonly marks: string;
  readonly made: Promise<Made>;
}

export interface FileMemoryOptions<Made> {
  /** What stands for a file that is not there; default: the making is asked. */
  readonly absent?: { readonly made: Made };
  /** Forgets what nobody has asked for in so many milliseconds; default: never. */
  readonly keepMs?: number;
  /** For tests: milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Remembers what was made of a file, for as long as the file is the same one and untouched: a hundred hosts read
 * ssh_config, known_hosts and their key once. Asking costs one look at the file. What fails is not remembered.
 */
export class FileMemory<Made> {
  readonly #make: (path: string) => Promise<Made>;
  readonly #now: () => number;
  readonly #keepMs: number | undefined;
  readonly #absent: { readonly made: Made } | undefined;
  readonly #files = new Map<string, Remembered<Made>>();
  #forgetting: ReturnType<typeof setTimeout> | undefined;

  constructor(make: (path: string) => Promise<Made>, options: FileMemoryOptions<Made> = {}) {
    this.#make = make;
    this.#now = options.now ?? (() => Date.now());
    this.#keepMs = options.keepMs;
    this.#absent = options.absent;
  }

  /** What is made of the file as it is now. Rejects as the making does. */
  async get(path: string): Promise<Made> {
    const marks = await this.#marksOf(path);
    const known = this.#files.get(path);
    if (known !== undefined && known.marks === marks) {
      this.#forgetLater();
      return await known.made;
    }
    this.#files.delete(path);
    if (marks === "absent" && this.#absent !== undefined) return this.#absent.made;
    const made = this.#make(path);
    if (marks === undefined || marks === "absent") return await made;
    const remembered = { marks, made };
    this.#files.set(path, remembered);
    if (this.#files.size > MOST_FILES) this.#files.delete(this.#files.keys().next().value!);
    this.#forgetLater();
    try {
      return await made;
    } catch (error) {
      if (this.#files.get(path) === remembered) this.#files.delete(path);
      throw error;
    }
  }

  /** What tells one state of a file from another; undefined where nothing does. */
  async #marksOf(path: string): Promise<string | undefined> {
    try {
      const { dev, ino, size, mode, uid, mtime, ctime, isFile } = await lookAt(path);
      const changedAt = Math.max(mtime?.getTime() ?? Infinity, ctime?.getTime() ?? 0);
      if (!isFile || this.#now() - changedAt < SETTLED_AFTER_MS) return undefined;
      return [dev, ino, size, mode, uid, mtime?.getTime(), ctime?.getTime()].join();
    } catch (error) {
      // Of what cannot be looked at, whoever reads it says why.
      return error instanceof Deno.errors.NotFound ? "absent" : undefined;
    }
  }

  #forgetLater(): void {
    if (this.#keepMs === undefined) return;
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#files.clear(), this.#keepMs);
    Deno.unrefTimer(this.#forgetting as unknown as number);
  }
}
