import { lookAt } from "./file_memory.ts";
import { publicKeyOf } from "./identity_file.ts";
import type { Target } from "./target.ts";

/** Why the files that a target names need the installed `ssh`: certificates, FIDO keys, binary revocation lists. */
export async function specialKeys(
  target: Pick<Target, "identityFiles" | "certificateFiles" | "revokedHostKeysFiles">,
): Promise<string[]> {
  const reasons = target.certificateFiles.map((path) => `certificate ${path}`);
  let plain = false;
  const fido: string[] = [];
  for (const { path, explicit } of target.identityFiles) {
    const key = await publicKeyOf(path);
    if (key === undefined) continue;
    if (target.certificateFiles.length === 0 && await isThere(`${path}-cert.pub`)) {
      reasons.push(`certificate ${path}-cert.pub`);
    }
    if (!key.type.startsWith("sk-")) plain = true;
    // One that merely lies in the default place is only the last resort.
    else if (explicit || !plain) fido.push(`FIDO key ${path}`);
  }
  if (!plain || target.identityFiles.some(({ explicit }) => explicit)) reasons.push(...fido);
  for (const path of target.revokedHostKeysFiles) {
    if (await isBinaryRevocationList(path)) reasons.push(`revocation list ${path} in binary form (KRL)`);
  }
  return reasons;
}

async function isThere(path: string): Promise<boolean> {
  return await lookAt(path).then(() => true, () => false);
}

/** PROTOCOL.krl: begins with `SSHKRL\n\0`. */
export async function isBinaryRevocationList(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    const head = new Uint8Array(8);
    const length = await file.read(head) ?? 0;
    return new TextDecoder().decode(head.subarray(0, length)).startsWith("SSHKRL\n");
  } catch {
    return false; // whether it can be read matters when keys are checked
  }
}
