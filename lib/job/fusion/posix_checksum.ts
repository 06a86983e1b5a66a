let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value & 0x8000_0000 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
    made[byte] = value >>> 0;
  }
  return made;
}

/**
 * What the `cksum` of POSIX says of these bytes: the checksum that every host can make.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(posixChecksum(new TextEncoder().encode("123456789")), 930766865);
 * ```
 */
export function posixChecksum(bytes: Uint8Array): number {
  const crc = table ??= makeTable();
  let sum = 0;
  const add = (byte: number) => {
    sum = ((sum << 8) ^ crc[((sum >>> 24) ^ byte) & 0xff]!) >>> 0;
  };
  for (const byte of bytes) add(byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256)) add(length & 0xff);
  return ~sum >>> 0;
}
