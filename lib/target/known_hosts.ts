import { HostKeyError } from "../base/errors.ts";
import { addKnownHost } from "./add_known_host.ts";
import { type KnownHost, knownHostsFile } from "./known_hosts_file.ts";
import type { Prompter } from "./prompter.ts";
import { fingerprint, keyTypeName, keyTypeOf, rsaBits, sameBytes } from "./public_key.ts";
import { isRevoked } from "./revoked_keys.ts";
import type { Target } from "./target.ts";

/** What known_hosts says of a host. */
interface Known {
  readonly entries: readonly KnownHost[];
  /** Where the port is not 22: lines that name the host alone. */
  readonly entriesWithoutPort: readonly KnownHost[];
}

/**
 * Checks the key that a host showed, as StrictHostKeyChecking says: `yes` refuses an unknown one, `ask` asks, `accept-new`
 * and `no` take it; those two and an answered question add it to the user's file. A changed or revoked key always stops,
 * whatever StrictHostKeyChecking says.
 *
 * Throws `HostKeyError`: "unknown", "changed", "revoked", "refused" (by the person asked) or "unsupported".
 */
export async function checkHostKey(target: Target, key: Uint8Array, prompter: Prompter): Promise<void> {
  const type = keyTypeOf(key);
  if (type === undefined) {
    throw failure(
      target,
      "unsupported",
      "Cannot read the host key",
      "it is no public key",
      "check the server",
    );
  }
  if (target.noHostAuthenticationForLocalhost && isLocal(target)) return;
  const known = await lookUp(target);
  const all = [...known.entries, ...known.entriesWithoutPort];
  if (isPlainlyKnown(target, key, known.entries, all)) return;

  const print = await fingerprint(key);
  const shown = `its ${keyTypeName(type)} key ${print}`;
  const revoked = all.find((entry) => entry.marker === "revoked" && sameBytes(entry.blob, key))?.where ??
    await isRevoked(key, print, target);
  if (revoked !== undefined) {
    const why = `${shown} is marked as revoked in ${revoked}: somebody may be using a stolen key`;
    throw failure(
      target,
      "revoked",
      "Cannot trust the host",
      why,
      "ask whoever runs the host for its new key",
    );
  }
  const bits = rsaBits(key);
  if (bits !== undefined && bits < target.requiredRsaBits) {
    const why = `${shown} has ${bits} bits, fewer than RequiredRSASize ${target.requiredRsaBits}`;
    throw failure(target, "refused", "Cannot trust the host", why, "give the host a larger or a newer key");
  }
  const plain = known.entries.filter((entry) => entry.marker === "none");
  if (plain.some((entry) => sameBytes(entry.blob, key))) return;
  if (plain.length > 0) throw changed(target, shown, plain);
  if (known.entriesWithoutPort.some((entry) => entry.marker === "none" && sameBytes(entry.blob, key))) return;

  const authority = all.find((entry) => entry.marker === "cert-authority");
  if (authority !== undefined && target.strictHostKeyChecking !== "no") {
    const why =
      `${authority.where} has it vouched for by a certificate authority, which Carpool cannot check yet`;
    const fix = `connect with via: "openssh", or add the host's own key to known_hosts`;
    throw failure(target, "unsupported", "Cannot check the host key", why, fix);
  }
  await meet(target, { key, type, print, shown }, prompter);
}

/** Whether all is well and nothing is left to be asked of lists or people: as with every host on every other day. */
function isPlainlyKnown(
  target: Target,
  key: Uint8Array,
  entries: readonly KnownHost[],
  all: readonly KnownHost[],
): boolean {
  if (target.revokedHostKeysFiles.length > 0) return false;
  if (all.some(({ marker, blob }) => marker === "revoked" && sameBytes(blob, key))) return false;
  if ((rsaBits(key) ?? Infinity) < target.requiredRsaBits) return false;
  return entries.some(({ marker, blob }) => marker === "none" && sameBytes(blob, key));
}

interface Shown {
  readonly key: Uint8Array;
  readonly type: string;
  readonly print: string;
  readonly shown: string;
}

/** A host whose key nobody has seen yet. */
async function meet(target: Target, { key, type, print, shown }: Shown, prompter: Prompter): Promise<void> {
  const strict = target.strictHostKeyChecking;
  if (strict === "yes") {
    const why = `${shown} is unknown and StrictHostKeyChecking is yes`;
    throw failure(target, "unknown", "Cannot trust the host", why, `add its key to ${userFile(target)}`);
  }
  if (strict === "ask") {
    if (!prompter.interactive || target.batchMode) {
      const why = `${shown} is unknown and there is nobody to ask`;
      const fix =
        `compare the fingerprint, then connect once from a terminal (ssh ${target.destination.text}), ` +
        `or set StrictHostKeyChecking accept-new`;
      throw failure(target, "unknown", "Cannot trust the host", why, fix);
    }
    if (!await confirm(target, keyTypeName(type), print, prompter)) {
      throw failure(target, "refused", "Cannot trust the host", `${shown} was not accepted`);
    }
  }
  const added = await addKnownHost(target, key, type);
  prompter.notice(
    added.path !== undefined
      ? `Added ${target.hostKeyName} (${keyTypeName(type)}) to ${added.path}`
      : `Could not add ${target.hostKeyName} to the known hosts: ${added.why}`,
  );
}

async function confirm(target: Target, type: string, print: string, prompter: Prompter): Promise<boolean> {
  let question = `The host ${target.hostKeyName} is not known yet.\n${type} key fingerprint is ${print}.\n` +
    "Are you sure you want to continue connecting (yes/no/[fingerprint])? ";
  while (true) {
    const answer = await prompter.line(question);
    if (answer === null) return false;
    const said = answer.trim();
    if (said === print || said.toLowerCase() === "yes") return true;
    if (said === "" || said.toLowerCase() === "no") return false;
    question = "Please type 'yes', 'no' or the fingerprint: ";
  }
}

/**
 * The host-key algorithms to ask for: those of the keys that known_hosts already holds first, so that an ordinary host
 * with several keys does not look like one whose key has changed; the others behind, in the given order.
 */
export async function hostKeyAlgorithms(target: Target, supported: readonly string[]): Promise<string[]> {
  const { entries, entriesWithoutPort } = await lookUp(target);
  const types = new Set<string>();
  for (const { type, marker } of entries.length > 0 ? entries : entriesWithoutPort) {
    if (marker === "none") types.add(type);
  }
  // An RSA key signs by three algorithms (RFC 8332).
  const isKnown = (algorithm: string) => types.has(algorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : algorithm);
  return [...supported.filter(isKnown), ...supported.filter((algorithm) => !isKnown(algorithm))];
}

/** The lines about the host itself in its known_hosts files, the user's first. */
export async function knownHostLines(target: Target): Promise<readonly KnownHost[]> {
  const { entries, entriesWithoutPort } = await lookUp(target);
  return entries.length > 0 ? entries : entriesWithoutPort;
}

async function lookUp(target: Target): Promise<Known> {
  const name = target.hostKeyName.toLowerCase();
  const bare = target.hostKeyAlias === undefined && target.port !== 22
    ? target.host.toLowerCase()
    : undefined;
  const [entries, entriesWithoutPort]: [KnownHost[], KnownHost[]] = [[], []];
  for (const path of [...target.userKnownHostsFiles, ...target.globalKnownHostsFiles]) {
    const file = await knownHostsFile(path);
    const own = file.about(name);
    entries.push(...own);
    if (bare === undefined) continue;
    entriesWithoutPort.push(...file.about(bare).filter((entry) => !own.includes(entry)));
  }
  return { entries, entriesWithoutPort };
}

function isLocal({ host, jumps, proxyCommand, hostKeyAlias }: Target): boolean {
  const direct = jumps.length === 0 && proxyCommand === undefined && hostKeyAlias === undefined;
  return direct && (host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host));
}

function changed(target: Target, shown: string, entries: readonly KnownHost[]): HostKeyError {
  const first = entries[0];
  const why =
    `${shown} is not the one in ${first.where}: the host was set up anew, or somebody is in between`;
  const name = target.hostKeyName;
  const fix = `ask whoever runs the host; if the new key is right: ssh-keygen -R '${name}' -f ${
    fileOf(first)
  }`;
  return failure(target, "changed", "The host key has changed", why, fix);
}

function fileOf({ where }: KnownHost): string {
  return where.slice(0, where.lastIndexOf(":"));
}

function userFile(target: Target): string {
  return target.userKnownHostsFiles[0] ?? "a known_hosts file, and name it in UserKnownHostsFile";
}

type Code = ConstructorParameters<typeof HostKeyError>[0];

function failure(target: Target, code: Code, what: string, why: string, fix?: string): HostKeyError {
  return new HostKeyError(code, { what, where: target.where, why, fix });
}
