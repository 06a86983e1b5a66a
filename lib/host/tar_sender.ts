import { TAR_END, type TarEntry, tarHeader, tarPadding } from "./tar_writer.ts";

/** Sent at once: small files share a message, and none waits for long. */
const BUFFER_BYTES = 128 * 1024;

/** Writes a tar stream, gathered to larger pieces. */
export class TarSender {
  readonly #write: (data: Uint8Array) => Promise<void>;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #filled = 0;

  constructor(write: (data: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** `data` may be used again when this has resolved; undefined where there is nothing to wait for. */
  add(entry: Omit<TarEntry, "size">, data: Uint8Array = NOTHING): Promise<void> | undefined {
    const header = tarHeader({ ...entry, size: data.length });
    const padding = tarPadding(data.length);
    const room = BUFFER_BYTES - this.#filled;
    if (header.length + data.length + padding >= room) return this.#putAll(header, data, padding);
    this.#buffer.set(header, this.#filled);
    this.#buffer.set(data, this.#filled + header.length);
    this.#filled += header.length + data.length + padding; // the buffer is zero where nothing has been written
    return undefined;
  }

  async #putAll(header: Uint8Array, data: Uint8Array, padding: number): Promise<void> {
    await this.#put(header);
    await this.#put(data);
    await this.#put(PADDING.subarray(0, padding));
  }

  /** What ends the stream, and all that is gathered. */
  async end(): Promise<void> {
    await this.#put(TAR_END);
    if (this.#filled > 0) await this.#write(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }

  async #put(data: Uint8Array): Promise<void> {
    for (let rest = data; rest.length > 0;) {
      const part = rest.subarray(0, BUFFER_BYTES - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled < BUFFER_BYTES) continue;
      await this.#write(this.#buffer);
      this.#buffer = new Uint8Array(BUFFER_BYTES); // the link may still hold the old one
      this.#filled = 0;
    }
  }
}

const NOTHING = new Uint8Array(0);
const PADDING = new Uint8Array(511);
