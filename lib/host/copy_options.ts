/** What a copy or a fetch may be given. */
export interface CopyOptions {
  /**
   * Ends it; the call rejects with the signal's own reason, after temporary files are removed. Only a large file that
   * has come far leaves its part, for the next copy to go on from.
   */
  readonly signal?: AbortSignal;
  /** Permission bits for every file, instead of the source's own. */
  readonly mode?: number;
  /**
   * What of a local tree stays here: names at any depth (`.git`, `*.map`), or paths below the top (`cache/**`); with a
   * directory goes all that is in it. Not for fetches.
   */
  readonly exclude?: readonly string[];
  /** Keep set-user-ID, set-group-ID and sticky bits of the source; default false. */
  readonly specialBits?: boolean;
  /**
   * Which files are moved that are there already: `changed` (default) those whose size or modification time (in whole
   * seconds) differs, `checksum` those whose contents differ, read on both sides, `always` all of them. The others are
   * skipped, and keep what they are.
   */
  readonly update?: "changed" | "checksum" | "always";
  /**
   * Compare a large file with its source by SHA-256 before it gets its name; default false. A file that goes on from
   * an interrupted copy is always compared, where the host can.
   */
  readonly verify?: boolean;
  /**
   * Symlinks of a fetched tree: `inside` (default) makes those that stay within it and leaves out the others, which
   * the error at the end names; `any` makes them all as they are. Copies to a host always make them as they are.
   */
  readonly symlinks?: "inside" | "any";
  /** Called as data moves, and once for each file that is empty or skipped. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** How far a copy has come. */
export interface CopyProgress {
  /** Path of the file under way, relative to the source; its name for a single file. */
  readonly path: string;
  /** Moved so far, of all files together. */
  readonly bytes: number;
  /** Of all files together; files that are skipped do not count. */
  readonly totalBytes: number;
  /** Files in place so far. */
  readonly files: number;
  /** Files to be moved or skipped. */
  readonly totalFiles: number;
  /** Files that did not have to be moved so far. */
  readonly skipped: number;
  /** Of `bytes`, what an interrupted copy had already moved. */
  readonly resumedBytes: number;
}

/** What a copy did. */
export interface CopyResult {
  /** Regular files that were moved and are now in place. */
  readonly files: number;
  /** Regular files that were there already, unchanged. */
  readonly skipped: number;
  /** Directories made; those that were there already do not count. */
  readonly directories: number;
  /** Symbolic links that were made. */
  readonly symlinks: number;
  /** Contents of the files that were moved. */
  readonly bytes: number;
  /** Of `bytes`, what an interrupted copy had already moved. */
  readonly resumedBytes: number;
  /** From the request to the last file in place, in milliseconds. */
  readonly durationMs: number;
}
