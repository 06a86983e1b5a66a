import type { Target } from "../target/target.ts";

/**
 * Everything that makes one connection another than the next (DESIGN: one socket, one identity): whoever asks for
 * the same gets the same master, whoever differs in one of these gets another.
 */
export function identityOf(target: Target): Readonly<Record<string, unknown>> {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    jumps: target.jumps.map(identityOf),
    proxyCommand: target.proxyCommand ?? null,
    bindAddress: target.bindAddress ?? null,
    identityFiles: target.identityFiles.map(({ path }) => path),
    certificateFiles: target.certificateFiles,
    identitiesOnly: target.identitiesOnly,
    identityAgent: target.identityAgent ?? null,
    forwardAgent: target.forwardAgent,
    ciphers: target.ciphers ?? null,
    macs: target.macs ?? null,
    kexAlgorithms: target.kexAlgorithms ?? null,
    hostKeyAlgorithms: target.hostKeyAlgorithms ?? null,
    compression: target.compression,
    hostKeyName: target.hostKeyName,
    knownHosts: [...target.userKnownHostsFiles, ...target.globalKnownHostsFiles],
    // ask, accept-new and yes all end with a key that is known; `no` does not.
    hostKeyChecked: target.strictHostKeyChecking !== "no",
  };
}

/** The name of the identity: 20 hexadecimal digits, short enough for any socket path. */
export function identityKey(target: Target): Promise<string> {
  return hashOf(JSON.stringify(identityOf(target)));
}

/** The first 20 hexadecimal digits of the SHA-256 of a text. */
export async function hashOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest.subarray(0, 10)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
