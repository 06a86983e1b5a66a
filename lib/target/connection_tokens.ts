import type { LocalAccount } from "./local_account.ts";
import type { TokenValues } from "./tokens.ts";

/** What a connection is known by, as the tokens of ssh_config(5) name it. */
export interface ConnectionNames {
  /** `%h`: after HostName and canonicalisation. */
  readonly host: string;
  /** `%n`: as typed. */
  readonly originalHost: string;
  /** `%p` */
  readonly port: number;
  /** `%r`; undefined while it is still being found out: `%r` and `%C` then mean nothing. */
  readonly user: string | undefined;
  /** `%k`: the HostKeyAlias, or the name as typed. */
  readonly keyAlias: string;
  /** `%j`: the host of the last ProxyJump hop; empty without one. */
  readonly jumpHost: string;
}

/**
 * The values of the tokens. `hashJump` puts `%j` into `%C`, as OpenSSH does since it has `%j`; `hashed: false` says that
 * nobody will ask for `%C`, which takes a turn of a thread to find out.
 */
export async function connectionTokens(
  account: LocalAccount,
  names: ConnectionNames,
  options: { readonly hashJump?: boolean; readonly hashed?: boolean } = {},
): Promise<TokenValues> {
  const { host, originalHost, port, user, keyAlias, jumpHost } = names;
  const tokens: Record<string, string | (() => string)> = {
    L: () => account.hostName.split(".")[0],
    d: () => account.home,
    h: host,
    i: () => String(account.uid),
    j: jumpHost,
    k: keyAlias,
    l: () => account.hostName,
    n: originalHost,
    p: String(port),
    u: () => account.userName,
  };
  if (user === undefined) return tokens;
  const hash = options.hashed === false ? "" : await connectionHash(account, { ...names, user }, options);
  return { ...tokens, r: user, C: hash };
}

/** `%C`: the SHA-1 of `%l%h%p%r`, followed by `%j` where asked for, in hex. */
async function connectionHash(
  account: LocalAccount,
  { host, port, user, jumpHost }: ConnectionNames & { readonly user: string },
  { hashJump = false },
): Promise<string | (() => string)> {
  let localHost: string;
  try {
    localHost = account.hostName;
  } catch (error) {
    return () => {
      throw error; // whoever wants %C learns why there is none
    };
  }
  const bytes = new TextEncoder().encode(`${localHost}${host}${port}${user}${hashJump ? jumpHost : ""}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toHex();
}
