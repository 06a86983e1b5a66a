import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Buffer } from "node:buffer";
import { ssh2 } from "../../lib/deps/ssh2.ts";
import { repairSec1 } from "../../lib/link/sec1.ts";
import type { PrivateKey } from "../../lib/link/private_key.ts";
import { publicKeyFrom, readKeyFile } from "../../lib/link/ssh2_keys.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";

async function keygen(path: string, ...args: string[]): Promise<void> {
  const tools = await openssh();
  const made = await run(tools.sshKeygen, ["-q", ...args, "-f", path], { env: tools.env });
  assert(made.success, made.stderr);
}

/** Signs with the key file, and has the public half judge. */
async function assertSigns(path: string, key: PrivateKey): Promise<void> {
  const data = Buffer.from("data");
  const hash = key.type === "ssh-rsa" ? "sha512" : undefined;
  const signature = key.sign(data, hash);
  const [type, base64] = (await Deno.readTextFile(`${path}.pub`)).split(" ");
  assertEquals([key.type, key.blob], [type, Uint8Array.fromBase64(base64)], path);
  const half = publicKeyFrom(ssh2, type, Uint8Array.fromBase64(base64)) as unknown as {
    verify(data: Uint8Array, signature: Uint8Array, hash?: string): boolean | Error;
  };
  assertEquals(half.verify(data, signature, hash), true, path);
}

Deno.test("key files of every ECDSA curve sign, whatever the length of their number", async () => {
  await using home = await TempHome.make();
  for (const bits of ["256", "384", "521"]) {
    // Whether the number begins with a zero is chance: ten keys have both kinds in all but 2 of 1000 runs.
    for (let i = 0; i < 10; i++) {
      const path = join(home.path, `ecdsa-${bits}-${i}`);
      await keygen(path, "-t", "ecdsa", "-b", bits, "-N", "");
      const file = await readKeyFile(ssh2, path);
      assert(file.state === "open", file.state);
      await assertSigns(path, file.key);
    }
  }
});

Deno.test("a repaired EC key has the length of its curve; what is none is left alone", () => {
  const der = (number: number[]) => {
    const body = [
      2,
      1,
      1,
      4,
      number.length,
      ...number,
      0xa0,
      10,
      6,
      8,
      0x2a,
      0x86,
      0x48,
      0xce,
      0x3d,
      3,
      1,
      7,
    ];
    const base64 = new Uint8Array([0x30, body.length, ...body]).toBase64();
    return `-----BEGIN EC PRIVATE KEY-----\n${base64}\n-----END EC PRIVATE KEY-----\n`;
  };
  const numberIn = (pem: string) => {
    const bytes = Uint8Array.fromBase64(pem.split("\n").slice(1, -2).join(""));
    return [...bytes.subarray(7, 7 + bytes[6])];
  };
  const full = new Array(32).fill(0xff);
  assertEquals(numberIn(repairSec1(der([0, ...full]))!), full);
  assertEquals(numberIn(repairSec1(der([1, 2]))!), [...new Array(30).fill(0), 1, 2]);
  assertEquals(repairSec1(der([1, ...full])), undefined, "too long for its curve");
  assertEquals(repairSec1("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"), undefined);
  assertEquals(repairSec1("-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----"), undefined);
});

Deno.test("key files of the other kinds and formats sign, with a passphrase and without", async () => {
  await using home = await TempHome.make();
  const kinds = [["-t", "ed25519"], ["-t", "rsa", "-b", "2048"]];
  const formats = [[], ["-m", "PEM"], ["-m", "PKCS8"]];
  for (const kind of [...kinds, ["-t", "ecdsa", "-b", "384"]]) {
    for (const format of kind[1] === "ed25519" ? [[]] : formats) {
      for (const passphrase of ["", "sesame"]) {
        const path = join(home.path, [...kind, ...format, passphrase].join(""));
        await keygen(path, ...kind, ...format, "-N", passphrase);
        const file = await readKeyFile(ssh2, path);
        assertEquals(file.state, passphrase === "" ? "open" : "locked", path);
        if (file.state === "locked") {
          assertEquals(file.unlock("wrong"), undefined, path);
          const key = file.unlock(passphrase);
          assert(key, path);
          await assertSigns(path, key);
        } else if (file.state === "open") await assertSigns(path, file.key);
      }
    }
  }
});

Deno.test("key files that are missing, too open or no keys are not used", async () => {
  await using home = await TempHome.make();
  const state = async (path: string) => (await readKeyFile(ssh2, path)).state;
  assertEquals(await state(join(home.path, "missing")), "missing");
  assertEquals(await state(home.path), "unusable");
  assertEquals(await state(await home.write("words", "hello")), "unusable");
  const broken = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
  assertEquals(await state(await home.write("broken", broken)), "unusable");
  const open = await home.write("open", broken, 0o640);
  const file = await readKeyFile(ssh2, open);
  assertEquals(file.state === "unusable" && file.why, `its permissions 0640 are too open: chmod 600 ${open}`);
});
