import type { Target } from "../target/target.ts";

/**
 * Ciphers that a connection can live with, the fastest of them first. In this runtime chacha20-poly1305 moves 405–430 MB/s,
 * aes128-ctr 285, aes128-gcm 170–180; but with the first two ssh2 leaves cipher or MAC objects unfinished, packet by
 * packet, and Deno keeps what is not finished: 8 and 5 KB a command, for ever. GCM stays flat (86 MB after 2,000 and after
 * 10,000 commands, `deno task bench:soak`), and a keeper lives for days. Who moves bulk may ask for another (`ciphers`).
 */
const CIPHERS = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
  "aes128-ctr",
  "aes192-ctr",
  "aes256-ctr",
  "chacha20-poly1305@openssh.com",
];

const KEX = [
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  "ecdh-sha2-nistp256",
  "ecdh-sha2-nistp384",
  "ecdh-sha2-nistp521",
  "diffie-hellman-group-exchange-sha256",
  "diffie-hellman-group16-sha512",
  "diffie-hellman-group18-sha512",
  "diffie-hellman-group14-sha256",
];
const MORE_KEX = [
  "diffie-hellman-group14-sha1",
  "diffie-hellman-group-exchange-sha1",
  "diffie-hellman-group1-sha1",
];

const MACS = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha1-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
  "hmac-sha1",
];

const HOST_KEYS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];
const MORE_HOST_KEYS = ["ssh-rsa"];
const MORE_CIPHERS = ["aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc"];

/** What ssh2 is to offer, in order. */
export interface Algorithms {
  readonly kex: string[];
  readonly serverHostKey: string[];
  readonly cipher: string[];
  readonly hmac: string[];
  readonly compress: string[];
}

/** Host-key algorithms that Carpool can check, in the order it prefers them when nothing is known of the host. */
export const HOST_KEY_ALGORITHMS: readonly string[] = HOST_KEYS;

/**
 * The algorithms to offer for a target: what its configuration asks for of what ssh2 has, in that order; our own order
 * where it asks for nothing. `hostKeys` are those whose keys known_hosts already holds first.
 */
export function algorithmsFor(target: Target, hostKeys: readonly string[]): Algorithms {
  return {
    kex: choose(target.kexAlgorithms, KEX, MORE_KEX),
    // A list that only adds or takes away keeps the order of what is known; one that is given whole, or put first, is
    // taken at its word, as OpenSSH does.
    serverHostKey: choose(
      target.hostKeyAlgorithms,
      /^[+-]|^$/.test(target.hostKeyAlgorithms ?? "") ? hostKeys : HOST_KEYS,
      MORE_HOST_KEYS,
    ),
    cipher: choose(target.ciphers, CIPHERS, MORE_CIPHERS),
    hmac: choose(target.macs, MACS, []),
    compress: ["none"],
  };
}

/** Applies an algorithm list of ssh_config(5): plain, `+more`, `-less` or `^first`; patterns may hold `*` and `?`. */
export function choose(
  wanted: string | undefined,
  defaults: readonly string[],
  more: readonly string[],
): string[] {
  if (wanted === undefined) return [...defaults];
  const operator = /^[+\-^]/.exec(wanted)?.[0];
  const patterns = wanted.slice(operator ? 1 : 0).split(",").filter((pattern) => pattern !== "");
  const supported = [...defaults, ...more];
  const named = patterns.flatMap((pattern) => supported.filter((name) => matches(name, pattern)));
  const unique = (names: readonly string[]) => [...new Set(names)];
  switch (operator) {
    case "+":
      return unique([...defaults, ...named]);
    case "-":
      return defaults.filter((name) => !named.includes(name));
    case "^":
      return unique([...named, ...defaults]);
    default:
      return unique(named);
  }
}

function matches(name: string, pattern: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
