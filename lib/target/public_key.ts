import { CarpoolError } from "../base/errors.ts";
import { Reader } from "../wire/reader.ts";

/** The type that a public key blob names (RFC 4253 §6.6): `ssh-ed25519`; undefined where it is no key. */
export function keyTypeOf(blob: Uint8Array): string | undefined {
  try {
    const type = new Reader(blob).utf8();
    return /^[\x21-\x7e]{1,64}$/.test(type) ? type : undefined;
  } catch (error) {
    if (error instanceof CarpoolError) return undefined;
    throw error;
  }
}

/** The size of an RSA key's modulus; undefined for other keys. */
export function rsaBits(blob: Uint8Array): number | undefined {
  if (keyTypeOf(blob) !== "ssh-rsa") return undefined;
  try {
    // string "ssh-rsa" · mpint e · mpint n
    const reader = new Reader(blob);
    reader.string();
    reader.string();
    const modulus = reader.string();
    const first = modulus.findIndex((byte) => byte !== 0);
    return first < 0 ? 0 : (modulus.length - first) * 8 - Math.clz32(modulus[first]) + 24;
  } catch (error) {
    if (error instanceof CarpoolError) return 0;
    throw error;
  }
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export async function fingerprint(blob: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(blob)));
  return `SHA256:${digest.toBase64({ omitPadding: true })}`;
}

/** What people call a key type: `ED25519`, `RSA`. */
export function keyTypeName(type: string): string {
  if (type.startsWith("ecdsa-")) return "ECDSA";
  return type.replace(/^ssh-|@openssh\.com$/g, "").toUpperCase();
}

/** Base64 as in a key file; undefined where it is not a key. */
export function decodeKey(base64: string): Uint8Array | undefined {
  try {
    const blob = Uint8Array.fromBase64(base64);
    return keyTypeOf(blob) === undefined ? undefined : blob;
  } catch {
    return undefined;
  }
}

/** `type base64 comment`, as in `id_ed25519.pub`; undefined where it is something else. */
export function readPublicKeyLine(
  line: string,
): { type: string; blob: Uint8Array; comment: string } | undefined {
  const [type, base64 = "", ...comment] = line.trim().split(/[ \t]+/);
  const blob = decodeKey(base64);
  if (blob === undefined || keyTypeOf(blob) !== type) return undefined;
  return { type, blob, comment: comment.join(" ") };
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
