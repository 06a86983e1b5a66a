import { ProtocolError } from "../base/errors.ts";

/** Longest packet taken from a server; what OpenSSH's own client takes. */
export const MAX_SFTP_PACKET_BYTES = 256 * 1024;

/**
 * Cuts a stream of bytes into SFTP packets (`uint32 length`, then that many bytes). A packet that lies within one chunk
 * is a view of it; one that spans chunks is put together once, in a buffer of its size.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const frames = new SftpFrames();
 * assertEquals([...frames.push(new Uint8Array([0, 0, 0, 2, 7]))], []);
 * assertEquals([...frames.push(new Uint8Array([8]))], [new Uint8Array([7, 8])]);
 * ```
 */
export class SftpFrames {
  readonly #header = new Uint8Array(4);
  #headerBytes = 0;
  #packet: Uint8Array | undefined;
  #packetBytes = 0;
  #first = true;

  /** Whether the stream may end here: no packet has begun. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0;
  }

  /** The packets that `chunk` completes, in order, without their length. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#headerBytes < 4) {
        this.#header[this.#headerBytes++] = chunk[offset++];
        if (this.#headerBytes < 4) continue;
      }
      const length = this.#length(chunk, offset);
      if (this.#packet === undefined && chunk.length - offset >= length) {
        this.#headerBytes = 0;
        this.#first = false;
        yield chunk.subarray(offset, offset += length);
        continue;
      }
      this.#packet ??= new Uint8Array(length);
      const piece = chunk.subarray(offset, offset + length - this.#packetBytes);
      this.#packet.set(piece, this.#packetBytes);
      this.#packetBytes += piece.length;
      offset += piece.length;
      if (this.#packetBytes === length) {
        const packet = this.#packet;
        this.#headerBytes = this.#packetBytes = 0;
        this.#packet = undefined;
        this.#first = false;
        yield packet;
      }
    }
  }

  #length(chunk: Uint8Array, offset: number): number {
    const length = new DataView(this.#header.buffer).getUint32(0);
    if (length >= 1 && length <= MAX_SFTP_PACKET_BYTES) return length;
    // The classic: a start-up file on the host prints something, and its text is taken for a length.
    if (this.#first && this.#header.every((byte) => byte >= 0x20 && byte < 0x7f)) {
      const text = new TextDecoder().decode(this.#header) +
        new TextDecoder().decode(chunk.subarray(offset, offset + 60)).replace(/[^ -~].*/su, "");
      throw new ProtocolError({
        what: "Cannot start SFTP",
        why: `the host sent text where the first packet was due: "${text}"`,
        fix: "keep its shell start-up files silent when there is no terminal",
      }, "malformed");
    }
    throw new ProtocolError({
      what: "Cannot read an SFTP packet",
      why: `a packet of ${length} bytes; 1 to ${MAX_SFTP_PACKET_BYTES} are allowed`,
    }, length === 0 ? "malformed" : "too-large");
  }
}
