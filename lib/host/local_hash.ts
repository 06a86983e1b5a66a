/** SHA-256 of local files, as sums beside them are written: in hexadecimal. */
import { createHash } from "node:crypto";

const READ_BYTES = 256 * 1024;

/** Of the first `length` bytes, or of all. A file that is shorter gives the sum of what it has. */
export async function hashFile(path: string, length = Infinity): Promise<string> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_BYTES);
  for (let left = length; left > 0;) {
    const read = await file.read(buffer.subarray(0, Math.min(buffer.length, left)));
    if (read === null) break;
    hash.update(buffer.subarray(0, read));
    left -= read;
  }
  return hash.digest("hex");
}
