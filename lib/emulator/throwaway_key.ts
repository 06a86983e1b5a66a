// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2, whose objects are untyped here.

/** An ed25519 key pair in OpenSSH's formats. */
export interface KeyPair {
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
}

/**
 * Makes a key pair. One in 256 that ssh2 1.17.0 makes is malformed: when the public key begins with a zero byte it is
 * left out, and no program reads such a key. So each is read back, and another made when that fails.
 */
export function throwawayKey(ssh2: any): KeyPair {
  for (;;) {
    const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(privateKey) instanceof Error)) {
      return { privateKey, publicKey: publicKey.trim() };
    }
  }
}
