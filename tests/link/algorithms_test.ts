import { assertEquals } from "@std/assert";
import { algorithmsFor, choose, HOST_KEY_ALGORITHMS } from "../../lib/link/algorithms.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";

const known = [
  "rsa-sha2-512",
  "rsa-sha2-256",
  ...HOST_KEY_ALGORITHMS.filter((name) => !name.startsWith("rsa-")),
];

async function hostKeys(hostKeyAlgorithms?: string): Promise<string[]> {
  const target = await resolveTarget("a", { configFile: "none", hostKeyAlgorithms });
  return algorithmsFor(target, known).serverHostKey;
}

Deno.test("host keys that are known come first, also where the configuration adds or takes away algorithms", async () => {
  assertEquals(await hostKeys(), known);
  assertEquals(await hostKeys("+ssh-rsa"), [...known, "ssh-rsa"]);
  assertEquals(await hostKeys("-ecdsa-*"), known.filter((name) => !name.startsWith("ecdsa-")));
});

Deno.test("a list of host-key algorithms that is given whole is taken at its word", async () => {
  assertEquals(await hostKeys("ssh-ed25519,rsa-sha2-256"), ["ssh-ed25519", "rsa-sha2-256"]);
  assertEquals((await hostKeys("^ssh-ed25519"))[0], "ssh-ed25519");
});

Deno.test("an algorithm list is applied as ssh_config says", () => {
  const [ours, more] = [["a1", "a2", "b1"], ["c1"]];
  assertEquals(choose(undefined, ours, more), ours);
  assertEquals(choose("c1,a2", ours, more), ["c1", "a2"]);
  assertEquals(choose("+c*", ours, more), ["a1", "a2", "b1", "c1"]);
  assertEquals(choose("-a?", ours, more), ["b1"]);
  assertEquals(choose("^b1", ours, more), ["b1", "a1", "a2"]);
});
