// deno-lint-ignore-file no-explicit-any -- the boundary to ssh2
import { LinkError } from "../base/errors.ts";
import { identitiesOf, type Identity } from "../target/identities.ts";
import type { PublicKey } from "../target/identity_file.ts";
import { fingerprint, sameBytes } from "../target/public_key.ts";
import type { Target } from "../target/target.ts";
import type { Attempt, AuthContext } from "./auth_context.ts";
import type { PrivateKey } from "./private_key.ts";
import {
  agentForOneKey,
  listAgentKeys,
  publicKeyFrom,
  readKeyFile,
  type Ssh2Agent,
  type Ssh2Key,
} from "./ssh2_keys.ts";

/** Offers the keys of a target one after the other. */
export class KeyOffers {
  readonly #context: AuthContext;
  /** Started at once: agent and files are read while keys are exchanged. */
  readonly #offers: Promise<Offers>;
  #next = 0;
  /** The key that was offered last, where it lies open in a file: it can be signed with at once. */
  open: PrivateKey | undefined;

  constructor(context: AuthContext) {
    this.#context = context;
    this.#offers = prepareOffers(context.target, (path, why) => context.skip(path, why));
    this.#offers.catch(() => {}); // told when the first attempt is due
  }

  /** All keys may be offered again: the server has taken one and wants another factor. */
  restart(): void {
    this.#next = 0;
  }

  /** The next key; false when all were offered. */
  async next(): Promise<Attempt> {
    const offers = await this.#offers;
    while (this.#next < offers.identities.length) {
      this.open = undefined;
      const attempt = await this.#offer(offers, offers.identities[this.#next++]);
      if (attempt) return attempt;
    }
    return false;
  }

  async #offer({ ssh2, agent, agentKeys }: Offers, identity: Identity): Promise<Attempt> {
    const username = this.#context.target.user;
    if (identity.source === "agent") {
      const held = agentKeys.find(({ blob }) =>
        blob === identity.key!.blob || sameBytes(blob, identity.key!.blob)
      );
      if (agent === undefined || held === undefined) return false;
      this.#context.tried.push(
        `agent key ${await fingerprint(held.blob)}${
          identity.path ? ` (${this.#context.short(identity.path)})` : ""
        }`,
      );
      const sign = (data: Uint8Array, hash?: string) => signWithAgent(agent, held.key, data, hash);
      return { type: "agent", username, agent: agentForOneKey(ssh2, held.key, sign, this.#context.later) };
    }
    const path = identity.path!;
    const file = await readKeyFile(ssh2, path);
    if (file.state === "missing") {
      if (identity.explicit) this.#context.skip(path, "there is no such file");
      return false;
    }
    if (file.state === "unusable") {
      this.#context.skip(path, file.why, true);
      return false;
    }
    if (file.state === "open") {
      this.open = file.key;
      return this.#offerFile(ssh2, path, file.key, () => Promise.resolve(file.key));
    }
    if (!this.#context.canAsk) {
      this.#context.skip(path, "it is encrypted and there is nobody to ask");
      return false;
    }
    let opened: Promise<PrivateKey | undefined> | undefined;
    const open = () => opened ??= this.#unlock(path, file.unlock);
    // Where the public key is known, the passphrase is only asked for once the server wants this key.
    const half = identity.key ?? await open();
    return half !== undefined && this.#offerFile(ssh2, path, half, open);
  }

  #offerFile(
    ssh2: any,
    path: string,
    half: PublicKey,
    open: () => Promise<PrivateKey | undefined>,
  ): Attempt {
    const publicKey = publicKeyFrom(ssh2, half.type, half.blob);
    if (publicKey === undefined) {
      this.#context.skip(path, `keys of type ${half.type} are not supported`);
      return false;
    }
    this.#context.tried.push(`publickey ${this.#context.short(path)}`);
    const sign = async (data: Uint8Array, hash?: string) => {
      const key = await open();
      if (key === undefined) throw notGiven(path); // ssh2 goes on with the next key
      return key.sign(data, hash);
    };
    const agent = agentForOneKey(ssh2, publicKey, sign, this.#context.later);
    return { type: "agent", username: this.#context.target.user, agent };
  }

  async #unlock(
    path: string,
    unlock: (passphrase: string) => PrivateKey | undefined,
  ): Promise<PrivateKey | undefined> {
    for (let attempt = 0; attempt < Math.max(1, this.#context.target.numberOfPasswordPrompts); attempt++) {
      const again = attempt === 0 ? "" : "Bad passphrase, try again. ";
      const passphrase = await this.#context.prompter.secret(
        `${again}Enter passphrase for key '${path}': `,
        this.#context.signal,
      );
      // An empty answer means: not this key.
      if (passphrase === null || passphrase === "") {
        this.#context.skip(path, "its passphrase was not given");
        return undefined;
      }
      const key = unlock(passphrase);
      if (key) return key;
    }
    this.#context.skip(path, "the passphrase was wrong");
    return undefined;
  }
}

interface Offers {
  readonly ssh2: any;
  readonly agent: Ssh2Agent | undefined;
  readonly agentKeys: Exclude<Awaited<ReturnType<typeof listAgentKeys>>, Error>;
  readonly identities: readonly Identity[];
}

async function prepareOffers(target: Target, skip: (path: string, why: string) => void): Promise<Offers> {
  const { ssh2 } = await import("../deps/ssh2.ts");
  if (!target.authenticationMethods.includes("publickey")) {
    return { ssh2, agent: undefined, agentKeys: [], identities: [] };
  }
  const agent: Ssh2Agent | undefined = target.identityAgent && new ssh2.OpenSSHAgent(target.identityAgent);
  const listed = agent ? await listAgentKeys(agent) : [];
  if (listed instanceof Error) skip(`agent ${target.identityAgent}`, listed.message);
  const agentKeys = listed instanceof Error ? [] : listed;
  return { ssh2, agent, agentKeys, identities: await identitiesOf(target, agentKeys) };
}

function signWithAgent(agent: Ssh2Agent, key: Ssh2Key, data: Uint8Array, hash?: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    agent.sign(key, data, { hash }, (error, signature) => {
      if (error || !signature) reject(error ?? new Error("the agent gave no signature"));
      else resolve(signature);
    });
  });
}

function notGiven(path: string): LinkError {
  return new LinkError("auth-failed", {
    what: "Cannot use the key",
    where: path,
    why: "its passphrase was not given",
  });
}
