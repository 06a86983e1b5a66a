import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { Writer } from "../wire/writer.ts";

/** A private key that is ready to sign. */
export interface PrivateKey {
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` … */
  readonly type: string;
  /** The public half as SSH writes it (RFC 4253 §6.6). */
  readonly blob: Uint8Array;
  /** `hash` counts for RSA alone; the others have their own. ECDSA signatures are DER, which ssh2 converts. */
  sign(data: Uint8Array, hash?: string): Uint8Array;
}

/**
 * Reads a private key in PEM (PKCS#1, SEC1, PKCS#8; encrypted ones with their passphrase). ssh2 has a parser too, but
 * hands Deno keys that it cannot use: with the padding of their encryption behind them, or numbers of odd length.
 * Undefined for anything else, and for a wrong passphrase.
 */
export function readPem(pem: string, passphrase?: string): PrivateKey | undefined {
  try {
    const key = createPrivateKey({ key: pem, format: "pem", passphrase });
    const half = publicHalf(key);
    if (half === undefined) return undefined;
    const own = HASHES.get(half.type);
    return {
      ...half,
      sign: (data, hash = "sha1") => new Uint8Array(sign(own === undefined ? hash : own, data, key)),
    };
  } catch {
    return undefined;
  }
}

/** What each type signs (RFC 5656 §6.2.1); Ed25519 hashes by itself. RSA signs what was agreed on. */
const HASHES: ReadonlyMap<string, string | null> = new Map([
  ["ssh-ed25519", null],
  ["ecdsa-sha2-nistp256", "sha256"],
  ["ecdsa-sha2-nistp384", "sha384"],
  ["ecdsa-sha2-nistp521", "sha512"],
]);

const CURVES: ReadonlyMap<string, string> = new Map([
  ["P-256", "nistp256"],
  ["P-384", "nistp384"],
  ["P-521", "nistp521"],
]);

function publicHalf(key: KeyObject): { type: string; blob: Uint8Array } | undefined {
  const { kty, crv = "", n = "", e = "", x = "", y = "" } = createPublicKey(key).export({ format: "jwk" });
  const bytes = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
  if (kty === "RSA") {
    // string "ssh-rsa" · mpint e · mpint n
    const blob = new Writer().utf8("ssh-rsa").string(mpint(bytes(e))).string(mpint(bytes(n))).finish();
    return { type: "ssh-rsa", blob };
  }
  if (kty === "OKP" && crv === "Ed25519") {
    // string "ssh-ed25519" · string key (RFC 8709 §4)
    return { type: "ssh-ed25519", blob: new Writer().utf8("ssh-ed25519").string(bytes(x)).finish() };
  }
  const curve = kty === "EC" ? CURVES.get(crv) : undefined;
  if (curve === undefined) return undefined;
  // string "ecdsa-sha2-" curve · string curve · string point (RFC 5656 §3.1)
  const type = `ecdsa-sha2-${curve}`;
  const point = new Uint8Array([4, ...bytes(x), ...bytes(y)]);
  return { type, blob: new Writer().utf8(type).utf8(curve).string(point).finish() };
}

/** RFC 4251 §5: a positive number with the highest bit set gets a zero before it. */
function mpint(bytes: Uint8Array): Uint8Array {
  return bytes[0] >= 0x80 ? new Uint8Array([0, ...bytes]) : bytes;
}
