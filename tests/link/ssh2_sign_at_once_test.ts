import { assertEquals } from "@std/assert";
import type { PrivateKey } from "../../lib/link/private_key.ts";
import { signAtOnce } from "../../lib/link/ssh2_sign_at_once.ts";

type Sign = (data: Uint8Array, done: (signature: Uint8Array) => void) => void;

/** What ssh2 would send for an offer: `ask`, or the signature. */
function offer(key: Pick<PrivateKey, "sign"> | undefined, algorithm = "rsa-sha2-256"): string[] {
  const sent: string[] = [];
  const protocol = {
    authPK: (_user: string, _key: unknown, _algorithm: unknown, sign?: Sign) => {
      if (sign === undefined) sent.push("ask");
      else sign(new Uint8Array([1]), (signature) => void sent.push(new TextDecoder().decode(signature)));
    },
  };
  signAtOnce(protocol, () => key as PrivateKey | undefined, (work) => work());
  (protocol.authPK as (...args: unknown[]) => void)("me", "key", algorithm);
  return sent;
}

const encoder = new TextEncoder();

Deno.test("a key that lies open is offered with its signature by the agreed hash, any other is asked about", () => {
  assertEquals(offer({ sign: (_, hash) => encoder.encode(`signed by ${hash}`) }), ["signed by sha256"]);
  assertEquals(offer(undefined), ["ask"]);
});

Deno.test("a key that cannot sign does not end the login: it is asked about", () => {
  const sign = () => {
    throw new Error("digest too big for rsa key");
  };
  assertEquals(offer({ sign }, "rsa-sha2-512"), ["ask"]);
});
