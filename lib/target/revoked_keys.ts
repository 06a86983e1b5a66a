import { HostKeyError } from "../base/errors.ts";
import { readPublicKeyLine, sameBytes } from "./public_key.ts";
import { isBinaryRevocationList } from "./special_keys.ts";
import type { Target } from "./target.ts";

/**
 * The file of RevokedHostKeys that names the key, as a line `type base64` or as its `SHA256:` fingerprint; undefined
 * when none does. A list that cannot be read revokes everything, as in OpenSSH: throws `HostKeyError`.
 */
export async function isRevoked(key: Uint8Array, print: string, target: Target): Promise<string | undefined> {
  for (const path of target.revokedHostKeysFiles) {
    if (await isBinaryRevocationList(path)) {
      throw unusable(
        target,
        `${path} is a binary list (KRL), which Carpool cannot read`,
        `connect with via: "openssh"`,
      );
    }
    let text: string;
    try {
      text = await Deno.readTextFile(path);
    } catch (cause) {
      const why = `the list of revoked keys ${path} cannot be read`;
      throw unusable(target, why, "make it readable, or remove RevokedHostKeys", cause);
    }
    for (const line of text.split("\n").map((line) => line.trim())) {
      if (line === print) return path;
      const revoked = readPublicKeyLine(line);
      if (revoked && sameBytes(revoked.blob, key)) return path;
    }
  }
  return undefined;
}

function unusable(target: Target, why: string, fix: string, cause?: unknown): HostKeyError {
  return new HostKeyError("unsupported", {
    what: "Cannot check the host key",
    where: target.where,
    why,
    fix,
    cause,
  });
}
