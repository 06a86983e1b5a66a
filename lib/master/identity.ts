import type { Target } from "../target/target.ts";

/** Plain data: it travels to the keeper and is compared there. */
export type Identity = Readonly<Record<string, unknown>>;

/**
 * Everything that makes one connection another than the next (DESIGN: one socket, one identity): whoever asks for
 * the same gets the same master, whoever differs in one of these gets another.
 */
export function identityOf(target: Target): Identity {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    jumps: target.jumps.map(identityOf),
    proxyCommand: target.proxyCommand ?? null,
    bindAddress: target.bindAddress ?? null,
    addressFamily: target.addressFamily,
    identityFiles: target.identityFiles.map(({ path }) => path),
    certificateFiles: target.certificateFiles,
    identitiesOnly: target.identitiesOnly,
    // The agent of the session we happen to run in is no wish: cron rides what the terminal has opened.
    identityAgent: target.identityAgentIsNamed ? target.identityAgent ?? "none" : null,
    forwardAgent: target.forwardAgent === true ? target.identityAgent ?? false : target.forwardAgent,
    ciphers: target.ciphers ?? null,
    macs: target.macs ?? null,
    kexAlgorithms: target.kexAlgorithms ?? null,
    hostKeyAlgorithms: target.hostKeyAlgorithms ?? null,
    compression: target.compression,
    hostKeyName: target.hostKeyName,
    knownHosts: [...target.userKnownHostsFiles, ...target.globalKnownHostsFiles],
    revokedHostKeys: target.revokedHostKeysFiles,
    // ask, accept-new and yes all end with a key that is known; `no` does not.
    hostKeyChecked: target.strictHostKeyChecking !== "no",
  };
}

/** What ssh_config calls the parts of an identity. */
const OPTION_NAMES: Readonly<Record<string, string>> = {
  host: "HostName",
  port: "Port",
  user: "User",
  jumps: "ProxyJump",
  proxyCommand: "ProxyCommand",
  bindAddress: "BindAddress",
  addressFamily: "AddressFamily",
  identityFiles: "IdentityFile",
  certificateFiles: "CertificateFile",
  identitiesOnly: "IdentitiesOnly",
  identityAgent: "IdentityAgent",
  forwardAgent: "ForwardAgent",
  ciphers: "Ciphers",
  macs: "MACs",
  kexAlgorithms: "KexAlgorithms",
  hostKeyAlgorithms: "HostKeyAlgorithms",
  compression: "Compression",
  hostKeyName: "HostKeyAlias",
  knownHosts: "UserKnownHostsFile",
  revokedHostKeys: "RevokedHostKeys",
  hostKeyChecked: "StrictHostKeyChecking",
};

/** Where two identities differ, in words: `User is "alice", wanted "bob"`. Empty when they are the same. */
export function differences(wanted: Identity, actual: Identity): string[] {
  return Object.keys(wanted)
    .filter((name) => JSON.stringify(wanted[name]) !== JSON.stringify(actual[name]))
    .map((name) => `${OPTION_NAMES[name] ?? name} is ${shown(actual[name])}, wanted ${shown(wanted[name])}`);
}

function shown(value: unknown): string {
  if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return "not set";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(shown).join(",");
  if (typeof value === "object") {
    const { user, host, port } = value as Identity; // a jump
    return `${user}@${host}:${port}`;
  }
  return JSON.stringify(value);
}

const keys = new WeakMap<Target, Promise<string>>();

/** The name of the identity: 16 hexadecimal digits, short enough for any socket path. Made once for a target. */
export function identityKey(target: Target): Promise<string> {
  let key = keys.get(target);
  if (key === undefined) keys.set(target, key = hashOf(JSON.stringify(identityOf(target))));
  return key;
}

/**
 * Of texts that were asked for lately. A program that connects again and again asks for the same ones, and each digest
 * wakes a thread.
 */
const hashes = new Map<string, Promise<string>>();
const MAX_HASHES = 32;

/** The first 16 hexadecimal digits of the SHA-256 of a text. */
export function hashOf(text: string): Promise<string> {
  let hash = hashes.get(text);
  if (hash === undefined) {
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hashes.set(text, hash = makeHash(text));
  }
  return hash;
}

async function makeHash(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
