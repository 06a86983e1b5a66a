/** What a copy or a fetch may be given. */
export interface CopyOptions {
  readonly signal?: AbortSignal;
  /** Permission bits for every file, instead of the source's own. */
  readonly mode?: number;
  /** Called as data moves. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** How far a copy has come. */
export interface CopyProgress {
  /** Relative path of the file under way. */
  readonly path: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What a copy did. */
export interface CopyResult {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  readonly durationMs: number;
}
