// deno-lint-ignore-file no-explicit-any -- the boundary to ssh2
import { Buffer } from "node:buffer";
import { FileMemory } from "../target/file_memory.ts";
import { isEncrypted, readIfSmall } from "../target/identity_file.ts";
import { ownUid } from "../target/local_account.ts";
import { keyTypeOf } from "../target/public_key.ts";
import type { AgentKey } from "../target/identities.ts";
import { type PrivateKey, readPem } from "./private_key.ts";
import { repairSec1 } from "./sec1.ts";

/** A public key as ssh2 holds it. */
export interface Ssh2Key {
  readonly type: string;
  readonly comment: string;
  getPublicSSH(): Uint8Array;
}

/** An agent as ssh2 speaks to it. */
export interface Ssh2Agent {
  getIdentities(done: (error: Error | undefined, keys?: Ssh2Key[]) => void): void;
  sign(
    key: Ssh2Key,
    data: Uint8Array,
    options: { hash?: string },
    done: (error: Error | null | undefined, signature?: Uint8Array) => void,
  ): void;
}

/** A private key file: read, or why it cannot be used, or that it wants a passphrase. */
export type KeyFile =
  | { readonly state: "open"; readonly key: PrivateKey }
  | { readonly state: "locked"; readonly unlock: (passphrase: string) => PrivateKey | undefined }
  | { readonly state: "missing" }
  | { readonly state: "unusable"; readonly why: string };

/** Private keys that are open to their owner: not kept for longer than logins follow one another. */
const KEPT_MS = 3_000;

let keyFiles: FileMemory<KeyFile> | undefined;

/**
 * Reads a private key file; many logins in a row read it once. One that others may read is not used, as ssh does not.
 */
export function readKeyFile(ssh2: any, path: string): Promise<KeyFile> {
  const options = { keepMs: KEPT_MS, absent: { made: { state: "missing" } as const } };
  keyFiles ??= new FileMemory<KeyFile>((path) => readKeyFileNow(ssh2, path), options);
  // Not remembered: it may have been for want of a file descriptor.
  return keyFiles.get(path).catch(() => ({ state: "unusable", why: CANNOT_BE_READ }));
}

const CANNOT_BE_READ = "it cannot be read";

async function readKeyFileNow(ssh2: any, path: string): Promise<KeyFile> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info === undefined) return { state: "missing" };
  const text = await readIfSmall(path);
  if (text === undefined) return { state: "unusable", why: CANNOT_BE_READ };
  if (!/PRIVATE KEY-----|^PuTTY-User-Key-File-/m.test(text)) {
    return { state: "unusable", why: "it holds no private key, and the agent has none for it" };
  }
  const mode = (info.mode ?? 0) & 0o777;
  if ((mode & 0o077) !== 0 && info.uid === ownUid()) {
    const bits = mode.toString(8).padStart(4, "0");
    return { state: "unusable", why: `its permissions ${bits} are too open: chmod 600 ${path}` };
  }
  if (isEncrypted(text)) return { state: "locked", unlock: (passphrase) => readKey(ssh2, text, passphrase) };
  const key = readKey(ssh2, text);
  return key ? { state: "open", key } : { state: "unusable", why: "its format is not supported" };
}

function readKey(ssh2: any, text: string, passphrase?: string): PrivateKey | undefined {
  // ssh2 reads OpenSSH's and PuTTY's own formats, node:crypto the others.
  if (!/-----BEGIN OPENSSH PRIVATE KEY-----|^PuTTY-User-Key-File-/m.test(text)) {
    return readPem(text, passphrase);
  }
  const parsed = ssh2.utils.parseKey(text, passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error || !key?.isPrivateKey?.()) return undefined;
  const pem = key.getPrivatePEM();
  return readPem(repairSec1(pem) ?? pem);
}

/** The public half alone, for an offer that is signed elsewhere or later. */
export function publicKeyFrom(ssh2: any, type: string, blob: Uint8Array): Ssh2Key | undefined {
  const parsed = ssh2.utils.parseKey(`${type} ${Buffer.from(blob).toString("base64")}`);
  return parsed instanceof Error ? undefined : parsed;
}

/** The keys that an agent holds, of the types that ssh2 knows; a reason where it does not answer. */
export function listAgentKeys(
  agent: Ssh2Agent,
): Promise<readonly (AgentKey & { readonly key: Ssh2Key })[] | Error> {
  return new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      if (error || !keys) return resolve(error ?? new Error("it lists no keys"));
      resolve(keys.map((key) => {
        const blob = new Uint8Array(key.getPublicSSH());
        return { key, blob, type: keyTypeOf(blob) ?? key.type, comment: key.comment ?? "" };
      }));
    });
  });
}

/**
 * Offers one key as an agent of its own, and signs when the server wants that key: with a real agent, or with a file
 * whose passphrase is only asked for then.
 */
export function agentForOneKey(
  ssh2: any,
  key: Ssh2Key,
  sign: (data: Uint8Array, hash: string | undefined) => Promise<Uint8Array>,
  /** Runs what must not run inside a call of ssh2. */
  later: (work: () => void) => void,
): unknown {
  class OneKeyAgent extends ssh2.BaseAgent {
    getIdentities(done: (error: null, keys: Ssh2Key[]) => void): void {
      done(null, [key]);
    }
    sign(
      _key: Ssh2Key,
      data: Uint8Array,
      options: { hash?: string },
      done: (error: unknown, signature?: Uint8Array) => void,
    ): void {
      sign(data, options?.hash).then(
        (signature) => later(() => done(null, Buffer.from(signature))),
        (error) => later(() => done(error)),
      );
    }
  }
  return new OneKeyAgent();
}
