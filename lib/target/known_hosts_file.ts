import { matchHostList } from "./pattern.ts";
import { decodeKey, keyTypeOf } from "./public_key.ts";

/** One line of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  /** `file:line` */
  readonly where: string;
  readonly marker: "none" | "revoked" | "cert-authority";
  /** Patterns separated by commas, or one hashed name. */
  readonly names: string;
  readonly type: string;
  readonly blob: Uint8Array;
}

/** Reads a known_hosts file; lines that make no sense are passed over, as OpenSSH does. */
export function* readKnownHosts(text: string, path: string): Generator<KnownHost> {
  let lineNumber = 0;
  for (const line of text.split("\n")) {
    lineNumber++;
    const entry = readLine(line.trim());
    if (entry) yield { ...entry, where: `${path}:${lineNumber}` };
  }
}

// [@marker] names type base64 [comment]
function readLine(line: string): Omit<KnownHost, "where"> | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const fields = line.split(/[ \t]+/);
  const mark = fields[0].startsWith("@") ? fields.shift()!.slice(1) : "none";
  if (mark !== "none" && mark !== "revoked" && mark !== "cert-authority") return undefined;
  const [names, type, base64] = fields;
  if (base64 === undefined) return undefined;
  const blob = decodeKey(base64);
  if (blob === undefined || keyTypeOf(blob) !== type) return undefined;
  return { marker: mark, names, type, blob };
}

/** Whether a line is about the host: `name`, `[name]:port`, or an alias, in lower case. */
export async function isAbout(entry: KnownHost, name: string): Promise<boolean> {
  if (!entry.names.startsWith("|")) return matchHostList(name, entry.names) === "yes";
  const [, version, salt, hash, ...more] = entry.names.split("|");
  if (version !== "1" || more.length > 0) return false;
  try {
    const expected = await hashWithSalt(name, Uint8Array.fromBase64(salt));
    return expected.toBase64() === hash;
  } catch {
    return false; // not base64, or an empty salt
  }
}

/** A name in hashed form: `|1|salt|HMAC-SHA1`. */
export async function hashedName(name: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(20));
  return `|1|${salt.toBase64()}|${(await hashWithSalt(name, salt)).toBase64()}`;
}

async function hashWithSalt(name: string, salt: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", salt, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(name)));
}
