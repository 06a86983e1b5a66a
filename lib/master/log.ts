/** A file may grow to this size, then it is moved aside once (`.1`) and begun anew. */
const MAX_LOG_BYTES = 1024 * 1024;

/** Where the keeper says what it does. Never a secret: no prompts' answers, no environment, no command text. */
export interface Log {
  info(message: string): void;
  error(message: string, cause?: unknown): void;
}

/** A log file with rotation, mode 0600. A log that cannot be written is no reason to fail. */
export class FileLog implements Log {
  readonly #path: string;
  #written: number;

  constructor(path: string) {
    this.#path = path;
    this.#written = sizeOf(path);
  }

  info(message: string): void {
    this.#write(message);
  }

  error(message: string, cause?: unknown): void {
    this.#write(cause === undefined ? `error: ${message}` : `error: ${message}: ${describe(cause)}`);
  }

  #write(message: string): void {
    const line = `${new Date().toISOString()} [${Deno.pid}] ${message.replaceAll("\n", " ")}\n`;
    try {
      if (this.#written + line.length > MAX_LOG_BYTES) {
        Deno.renameSync(this.#path, `${this.#path}.1`);
        this.#written = 0;
      }
      Deno.writeTextFileSync(this.#path, line, { append: true, mode: 0o600 });
      this.#written += line.length;
    } catch {
      // Disk full, directory gone: the keeper's work does not depend on its log.
    }
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
