import { type PublicKey, publicKeyOf } from "./identity_file.ts";
import { matchesPattern } from "./pattern.ts";
import { sameBytes } from "./public_key.ts";
import type { Target } from "./target.ts";

/** A key that an agent holds. */
export interface AgentKey extends PublicKey {
  readonly comment: string;
}

/** One key to offer: from the agent, or from a file, or both. */
export interface Identity {
  readonly source: "agent" | "file";
  /** The identity file; undefined for an agent key that no file names. */
  readonly path: string | undefined;
  /** Named by the user, not a default. */
  readonly explicit: boolean;
  /** Undefined where only the passphrase tells. */
  readonly key: PublicKey | undefined;
  readonly comment: string;
}

/**
 * The keys to offer, in OpenSSH's order: agent keys that an identity file names, the agent's other keys (not with
 * IdentitiesOnly), then the files that the agent does not have. Keys that PubkeyAcceptedAlgorithms leaves out are left
 * out; so are FIDO keys and certificates, which need the installed `ssh`.
 */
export async function identitiesOf(target: Target, agentKeys: readonly AgentKey[]): Promise<Identity[]> {
  const files = await Promise.all(target.identityFiles.map(async ({ path, explicit }): Promise<Identity> => {
    return { source: "file", path, explicit, key: await publicKeyOf(path), comment: "" };
  }));
  const named: Identity[] = [];
  const others: Identity[] = [];
  const taken = new Set<Identity>();
  for (const { type, blob, comment } of agentKeys) {
    const file = files.find((file) => file.key && !taken.has(file) && sameBytes(file.key.blob, blob));
    if (file) {
      taken.add(file);
      named.push({ ...file, source: "agent", comment });
    } else if (!target.identitiesOnly) {
      others.push({ source: "agent", path: undefined, explicit: false, key: { type, blob }, comment });
    }
  }
  const rest = files.filter((file) => !taken.has(file));
  return [...named, ...others, ...rest].filter(({ key }) => {
    return key === undefined || isAccepted(key.type, target.pubkeyAcceptedAlgorithms);
  });
}

/** Whether a key of this type may be offered under PubkeyAcceptedAlgorithms. */
export function isAccepted(type: string, accepted: string | undefined): boolean {
  if (type.startsWith("sk-") || type.includes("-cert-v0")) return false;
  if (accepted === undefined || /^[+^]/.test(accepted)) return true;
  const negative = accepted.startsWith("-");
  const patterns = (negative ? accepted.slice(1) : accepted).split(",");
  const named = (name: string) => patterns.some((pattern) => matchesPattern(name, pattern));
  // An RSA key signs by any of these (RFC 8332).
  const names = type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type];
  return negative ? names.some((name) => !named(name)) : names.some(named);
}
