// deno-lint-ignore-file no-explicit-any -- inside ssh2
import { Buffer } from "node:buffer";
import type { PrivateKey } from "./private_key.ts";

/** What RSA signs by each algorithm (RFC 8332 §3, RFC 4253 §6.6); other keys have a hash of their own. */
const HASHES: Readonly<Record<string, string>> = {
  "rsa-sha2-512": "sha512",
  "rsa-sha2-256": "sha256",
  "ssh-rsa": "sha1",
};

/**
 * Offers a key that lies open in a file with its signature, instead of asking first whether it would do (RFC 4252 §7
 * allows both): one round trip less for each login, and half of the server's work for it. A key of an agent, or one that
 * wants a passphrase, is asked about first as ever: its signature may cost somebody a touch or a question.
 *
 * @param keyOf The key that is being offered, where it lies open.
 * @param later Runs what must not run inside a call of ssh2.
 */
export function signAtOnce(
  protocol: any,
  keyOf: () => PrivateKey | undefined,
  later: (work: () => void) => void,
): void {
  const { authPK } = protocol;
  protocol.authPK = (user: string, publicKey: unknown, algorithm: unknown, sign: unknown) => {
    const key = keyOf();
    if (key === undefined || sign !== undefined || typeof algorithm === "function") {
      return authPK.call(protocol, user, publicKey, algorithm, sign);
    }
    const hash = typeof algorithm === "string" ? HASHES[algorithm] : undefined;
    const signed = (data: Uint8Array, done: (signature: Uint8Array) => void) => {
      later(() => {
        let signature: Uint8Array;
        try {
          signature = key.sign(data, hash);
        } catch {
          // It cannot (an RSA key too short for the hash): asked about as ever, it is passed over when it is wanted.
          return void authPK.call(protocol, user, publicKey, algorithm);
        }
        done(Buffer.from(signature));
      });
    };
    return authPK.call(protocol, user, publicKey, algorithm, signed);
  };
}
