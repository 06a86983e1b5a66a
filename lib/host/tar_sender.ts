import { concat } from "../base/bytes.ts";
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

  /** An entry without contents, or with few; undefined where there is nothing to wait for. */
  add(entry: Omit<TarEntry, "size">, data?: Uint8Array): Promise<void> | undefined {
    const header = tarHeader({ ...entry, size: data?.length ?? 0 });
    if (data === undefined) return this.addPacked(header);
    return this.addPacked(concat([header, data, new Uint8Array(tarPadding(data.length))]));
  }

  /** An entry with its header and its padding; `block` may be used again when there is nothing more to wait for. */
  addPacked(block: Uint8Array): Promise<void> | undefined {
    if (block.length >= BUFFER_BYTES - this.#filled) return this.#put(block);
    this.#buffer.set(block, this.#filled);
    this.#filled += block.length;
    return undefined;
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
