import { concat } from "../base/bytes.ts";

/** Gathers output; the chunks are joined once, at the end. */
export class OutputCollector {
  readonly #chunks: Uint8Array[] = [];

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  bytes(): Uint8Array {
    return concat(this.#chunks);
  }

  /** As UTF-8; what is not becomes U+FFFD. */
  text(): string {
    return this.#chunks.length === 0 ? "" : new TextDecoder().decode(this.bytes());
  }
}
