import { assertEquals } from "@std/assert";
import { identitiesOf, isAccepted } from "../../lib/target/identities.ts";
import { isEncrypted, publicKeyOf } from "../../lib/target/identity_file.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";

async function keygen(path: string, ...args: string[]): Promise<void> {
  const tools = await openssh();
  const result = await run(tools.sshKeygen, ["-q", ...args, "-f", path], { env: tools.env });
  if (!result.success) throw new Error(result.stderr);
}

async function blobIn(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.fromBase64((await Deno.readTextFile(path)).split(" ")[1]);
}

Deno.test("the public key is found without a passphrase: in the file, beside it, or as the file itself", async () => {
  await using home = await TempHome.make();
  const path = `${home.path}/.ssh/id`;
  await keygen(path, "-t", "ed25519", "-N", "secret");
  const blob = await blobIn(`${path}.pub`);
  assertEquals((await publicKeyOf(`${path}.pub`))?.blob, blob);
  await Deno.remove(`${path}.pub`);
  assertEquals(await publicKeyOf(path), { type: "ssh-ed25519", blob });
  assertEquals(isEncrypted(await Deno.readTextFile(path)), true);

  const pem = `${home.path}/.ssh/pem`;
  await keygen(pem, "-t", "rsa", "-b", "2048", "-N", "secret", "-m", "PEM");
  assertEquals((await publicKeyOf(pem))?.blob, await blobIn(`${pem}.pub`));
  await Deno.remove(`${pem}.pub`);
  assertEquals(await publicKeyOf(pem), undefined);
  assertEquals(isEncrypted(await Deno.readTextFile(pem)), true);
  assertEquals(await publicKeyOf(`${home.path}/none`), undefined);
});

Deno.test("identities come in OpenSSH's order", async () => {
  await using home = await TempHome.make();
  for (const name of ["a", "b"]) await keygen(`${home.path}/${name}`, "-t", "ed25519", "-N", "");
  const [a, b] = [await blobIn(`${home.path}/a.pub`), await blobIn(`${home.path}/b.pub`)];
  const foreign = { type: "ssh-ed25519", blob: new Uint8Array([1, 2, 3]), comment: "foreign" };
  const agent = [foreign, { type: "ssh-ed25519", blob: b, comment: "b in the agent" }];
  const order = async (options: Record<string, unknown>) => {
    const identityFile = [`${home.path}/a`, `${home.path}/b`, `${home.path}/missing`];
    const base = { configFile: "none", environment: home.env, identityFile };
    const target = await resolveTarget("x", { ...base, ...options });
    return (await identitiesOf(target, agent)).map(({ source, path, comment }) =>
      `${source} ${path?.slice(home.path.length + 1) ?? comment}`
    );
  };
  assertEquals(await order({}), ["agent b", "agent foreign", "file a", "file missing"]);
  assertEquals(await order({ identitiesOnly: true }), ["agent b", "file a", "file missing"]);
  const noEd25519 = { configLines: ["PubkeyAcceptedAlgorithms=rsa-sha2-512"] };
  assertEquals(await order(noEd25519), ["file missing"]);
  assertEquals(a.length > 0, true);
});

Deno.test("the accepted algorithms choose the keys", () => {
  assertEquals(isAccepted("ssh-ed25519", undefined), true);
  assertEquals(isAccepted("ssh-rsa", "rsa-sha2-256"), true);
  assertEquals(isAccepted("ssh-rsa", "-rsa-sha2-*,ssh-rsa"), false);
  assertEquals(isAccepted("ssh-ed25519", "-rsa*"), true);
  assertEquals(isAccepted("ecdsa-sha2-nistp256", "ssh-*"), false);
  assertEquals(isAccepted("ssh-ed25519", "+ssh-rsa"), true);
  assertEquals(isAccepted("sk-ssh-ed25519@openssh.com", undefined), false);
  assertEquals(isAccepted("ssh-ed25519-cert-v01@openssh.com", undefined), false);
});
