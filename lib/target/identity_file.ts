import { CarpoolError } from "../base/errors.ts";
import { Reader } from "../wire/reader.ts";
import { FileMemory } from "./file_memory.ts";
import { keyTypeOf, readPublicKeyLine } from "./public_key.ts";

export interface PublicKey {
  readonly type: string;
  readonly blob: Uint8Array;
}

/** A private key file is a few kilobytes; whatever is larger is none. */
const MAX_BYTES = 1024 ** 2;

/**
 * The public key that belongs to an identity file, without its passphrase: from the file itself (OpenSSH's format holds
 * it in the clear; the file may also be a public key whose private part is in the agent), or from `file.pub`. Undefined
 * where neither tells.
 */
export async function publicKeyOf(path: string): Promise<PublicKey | undefined> {
  const unreadable = () => undefined;
  return await publicKeys.get(path).catch(unreadable) ??
    await publicLines.get(`${path}.pub`).catch(unreadable);
}

/** Public halves alone: nothing secret is remembered. */
const publicKeys = new FileMemory<PublicKey | undefined>(async (path) => {
  const text = await readIfSmall(path);
  return text === undefined ? undefined : publicKeyInside(text) ?? publicKeyOnLine(text);
}, { absent: { made: undefined } });
const publicLines = new FileMemory<PublicKey | undefined>(async (path) => {
  const text = await readIfSmall(path);
  return text === undefined ? undefined : publicKeyOnLine(text);
}, { absent: { made: undefined } });

function publicKeyOnLine(text: string): PublicKey | undefined {
  const read = readPublicKeyLine(text);
  return read && { type: read.type, blob: read.blob };
}

/** `string "openssh-key-v1\0" · cipher · kdf · kdf options · uint32 keys · public key …` (PROTOCOL.key) */
function publicKeyInside(text: string): PublicKey | undefined {
  const read = openEnvelope(text);
  if (read === undefined) return undefined;
  const type = keyTypeOf(read.blob);
  return type === undefined ? undefined : { type, blob: read.blob };
}

/** Whether a private key file asks for a passphrase: by what its text says, in each of the formats. */
export function isEncrypted(text: string): boolean {
  const envelope = openEnvelope(text);
  if (envelope) return envelope.cipher !== "none";
  return /^Proc-Type: 4,ENCRYPTED/m.test(text) || /^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text) ||
    /^Encryption: (?!none)/m.test(text);
}

const MAGIC = "openssh-key-v1\0";

function openEnvelope(text: string): { cipher: string; blob: Uint8Array } | undefined {
  const match = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text);
  if (!match) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(match[1].replace(/\s+/g, ""));
    if (new TextDecoder().decode(bytes.subarray(0, MAGIC.length)) !== MAGIC) return undefined;
    const reader = new Reader(bytes, MAGIC.length);
    const cipher = reader.text();
    reader.string();
    reader.string();
    reader.uint32();
    return { cipher, blob: reader.string().slice() };
  } catch (error) {
    if (error instanceof CarpoolError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A file's text; undefined where it is no file or far too large. Throws where it cannot be read. */
export async function readIfSmall(path: string): Promise<string | undefined> {
  const { size, isFile } = await Deno.stat(path);
  return isFile && size <= MAX_BYTES ? await Deno.readTextFile(path) : undefined;
}
