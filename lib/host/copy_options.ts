/** What a copy or a fetch may be given. */
export interface CopyOptions {
  /** Ends it; the call rejects with the signal's own reason, after temporary files are removed. */
  readonly signal?: AbortSignal;
  /** Permission bits for every file, instead of the source's own. */
  readonly mode?: number;
  /** Keep set-user-ID, set-group-ID and sticky bits of the source; default false. */
  readonly specialBits?: boolean;
  /**
   * Symlinks of a fetched tree: `inside` (default) makes those that stay within it and leaves out the others, which
   * the error at the end names; `any` makes them all as they are. Copies to a host always make them as they are.
   */
  readonly symlinks?: "inside" | "any";
  /** Called as data moves, and once for each file that is empty. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** How far a copy has come. */
export interface CopyProgress {
  /** Path of the file under way, relative to the source; its name for a single file. */
  readonly path: string;
  /** Moved so far, of all files together. */
  readonly bytes: number;
  /** Of all files together. */
  readonly totalBytes: number;
}

/** What a copy did. */
export interface CopyResult {
  /** Regular files that are now in place. */
  readonly files: number;
  /** Directories made; those that were there already do not count. */
  readonly directories: number;
  /** Symbolic links that are now in place. */
  readonly symlinks: number;
  /** Contents of the files. */
  readonly bytes: number;
  /** From the request to the last file in place, in milliseconds. */
  readonly durationMs: number;
}
