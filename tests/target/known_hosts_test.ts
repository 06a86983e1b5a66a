import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { fc } from "fast-check";
import { HostKeyError } from "../../lib/base/errors.ts";
import { checkHostKey, hostKeyAlgorithms } from "../../lib/target/known_hosts.ts";
import { knownHostsFile, readKnownHosts } from "../../lib/target/known_hosts_file.ts";
import { noPrompter, type Prompter } from "../../lib/target/prompter.ts";
import { fingerprint, rsaBits } from "../../lib/target/public_key.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { TargetOptions } from "../../lib/target/target.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";
import { ScriptedPrompter } from "./scripted_prompter.ts";

/** A public key blob that looks like an ed25519 key: string type · string 32 bytes. */
function key(seed: number, type = "ssh-ed25519"): Uint8Array {
  const name = new TextEncoder().encode(type);
  return new Uint8Array([0, 0, 0, name.length, ...name, 0, 0, 0, 32, ...new Array(32).fill(seed)]);
}
const text = (seed: number, type = "ssh-ed25519") => `${type} ${key(seed, type).toBase64()}`;

/** Checks `shown` against a known_hosts of these lines. */
async function check(
  lines: string[],
  shown: Uint8Array,
  options: TargetOptions & { host?: string; prompter?: Prompter; global?: string[] } = {},
) {
  await using home = await TempHome.make();
  const { host = "web1", prompter = noPrompter, global = [], ...rest } = options;
  const userFile = await home.write("known", lines.map((line) => `${line}\n`).join(""));
  const globalFile = await home.write("global", global.map((line) => `${line}\n`).join(""));
  const target = await resolveTarget(host, {
    configFile: "none",
    environment: home.env,
    userKnownHostsFile: userFile,
    globalKnownHostsFile: globalFile,
    ...rest,
  });
  await checkHostKey(target, shown, prompter);
  return await Deno.readTextFile(userFile);
}

async function refusal(...args: Parameters<typeof check>): Promise<HostKeyError> {
  return await assertRejects(() => check(...args), HostKeyError);
}

Deno.test("a known key is accepted, in every way in which a line can name the host", async () => {
  for (
    const [names, host] of [
      ["web1", "web1"],
      ["WEB1", "web1"],
      ["other,web1", "web1"],
      ["web?", "web1"],
      ["*,!db*", "web1"],
      ["[web1]:2222", "web1:2222"],
      ["web1", "web1:2222"],
      ["[*]:2222", "web1:2222"],
      ["::1", "::1"],
      ["[::1]:2222", "[::1]:2222"],
    ]
  ) {
    assertEquals(
      await check([`${names} ${text(1)} comment`], key(1), { host }),
      `${names} ${text(1)} comment\n`,
    );
  }
  await check([], key(1), { global: [`web1 ${text(1)}`] });
});

Deno.test("a line that does not name the host does not count", async () => {
  for (const names of ["web2", "*,!web1", "[web1]:2222", "web1x", "|1|bm90|dHdlbnR5"]) {
    assertEquals((await refusal([`${names} ${text(1)}`], key(1))).code, "unknown", names);
  }
});

Deno.test("one of several keys is enough", async () => {
  await check([`web1 ${text(1)}`, `web1 ${text(2)}`, `web1 ${text(3, "ssh-rsa")}`], key(2));
});

Deno.test("a changed key stops, even with StrictHostKeyChecking no, and names the line", async () => {
  for (const strict of ["yes", "ask", "accept-new", "no"] as const) {
    const prompter = new ScriptedPrompter("yes", "yes");
    const lines = ["# words", `web1 ${text(1)}`];
    const error = await refusal(lines, key(2), { strictHostKeyChecking: strict, prompter });
    assertEquals([error.code, error.outcome], ["changed", "not-started"]);
    assertMatch(
      error.message,
      /The host key has changed: \S+@web1:22: .*SHA256:.*known:2: .*ssh-keygen -R 'web1' -f /,
    );
    assertEquals(prompter.asked, []);
  }
});

Deno.test("a key of another type than the known one counts as changed", async () => {
  assertEquals((await refusal([`web1 ${text(1, "ssh-rsa")}`], key(1))).code, "changed");
});

Deno.test("a revoked key stops, even where another line knows it", async () => {
  const lines = [`web1 ${text(1)}`, `@revoked * ${text(1)}`];
  const error = await refusal(lines, key(1), { strictHostKeyChecking: "no" });
  assertEquals(error.code, "revoked");
  assertMatch(error.message, /known:2/);
  await check([`web1 ${text(2)}`, `@revoked * ${text(1)}`], key(2));
});

Deno.test("RevokedHostKeys refuses by key and by fingerprint, and everything where it cannot be read", async () => {
  await using home = await TempHome.make();
  const print = await fingerprint(key(1));
  for (const line of [`# x\n${text(1)} old`, print]) {
    const list = await home.write("revoked", `${line}\n`);
    const options = { configLines: [`RevokedHostKeys=${list}`] };
    assertEquals((await refusal([`web1 ${text(1)}`], key(1), options)).code, "revoked");
    await check([`web1 ${text(2)}`], key(2), options);
  }
  const missing = await refusal([`web1 ${text(1)}`], key(1), {
    configLines: ["RevokedHostKeys=/no/such/list"],
  });
  assertMatch(missing.message, /cannot be read/);
  const krl = await home.write("krl", "SSHKRL\n\0\0\0");
  const binary = await refusal([`web1 ${text(1)}`], key(1), { configLines: [`RevokedHostKeys=${krl}`] });
  assertMatch(binary.message, /KRL.*openssh/);
});

Deno.test("a certificate authority is refused clearly, unless the host's own key is known", async () => {
  const lines = [`@cert-authority *.x,web1 ${text(9)}`];
  const error = await refusal(lines, key(1), { strictHostKeyChecking: "accept-new" });
  assertEquals(error.code, "unsupported");
  assertMatch(error.message, /known:1 .*certificate authority.*openssh/);
  await check([...lines, `web1 ${text(1)}`], key(1));
});

Deno.test("yes refuses an unknown key; ask refuses it where nobody answers, and says what to do", async () => {
  const strict = await refusal([], key(1), {
    strictHostKeyChecking: "yes",
    prompter: new ScriptedPrompter("yes"),
  });
  assertMatch(strict.message, /SHA256:.* is unknown and StrictHostKeyChecking is yes; add its key to /);
  const silent = await refusal([], key(1));
  assertEquals(silent.code, "unknown");
  assertMatch(silent.message, /nobody to ask; .*accept-new/);
  const batch = await refusal([], key(1), { batchMode: true, prompter: new ScriptedPrompter("yes") });
  assertEquals(batch.code, "unknown");
});

Deno.test("accept-new and no take an unknown key and remember it", async () => {
  for (const strict of ["accept-new", "no"] as const) {
    const prompter = new ScriptedPrompter();
    const options = { strictHostKeyChecking: strict, prompter, host: "WEB1:2222" };
    assertEquals(await check([`x ${text(2)}`], key(1), options), `x ${text(2)}\n[web1]:2222 ${text(1)}\n`);
    assertEquals(prompter.asked, []);
    assertMatch(prompter.notices[0], /Added \[web1\]:2222 \(ED25519\) to /);
  }
});

Deno.test("ask shows the fingerprint and takes yes, or the fingerprint itself", async () => {
  const print = await fingerprint(key(1));
  for (const answers of [["yes"], [` ${print} `], ["maybe", "SHA256:wrong", "YES"]]) {
    const prompter = new ScriptedPrompter(...answers);
    assertEquals(await check([], key(1), { prompter }), `web1 ${text(1)}\n`);
    assertEquals(prompter.asked.length, answers.length);
    assert(prompter.asked[0].prompt.includes(`ED25519 key fingerprint is ${print}`));
    assertEquals(prompter.asked[0].kind, "line");
  }
  for (const answers of [["no"], [""], [null], ["maybe", "no"]]) {
    const prompter = new ScriptedPrompter(...answers);
    assertEquals((await refusal([], key(1), { prompter })).code, "refused");
  }
});

Deno.test("a key of a host on this machine is accepted unseen where the configuration says so", async () => {
  const configLines = ["NoHostAuthenticationForLocalhost=yes"];
  for (const host of ["localhost", "127.0.0.2", "::1"]) {
    await check([`* ${text(2)}`], key(1), { host, configLines });
  }
  await refusal([`* ${text(2)}`], key(1), { host: "localhost", configLines, hostKeyAlias: "x" });
  await refusal([`* ${text(2)}`], key(1), { host: "web1", configLines });
});

Deno.test("an RSA key with too few bits is refused", async () => {
  const tools = await openssh();
  await using home = await TempHome.make();
  const file = `${home.path}/rsa`;
  await run(tools.sshKeygen, ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", file], { env: tools.env });
  const [, base64] = (await Deno.readTextFile(`${file}.pub`)).split(" ");
  const blob = Uint8Array.fromBase64(base64);
  assertEquals(rsaBits(blob), 2048);
  await check([`web1 ssh-rsa ${base64}`], blob);
  const error = await refusal([`web1 ssh-rsa ${base64}`], blob, { configLines: ["RequiredRSASize=3072"] });
  assertMatch(error.message, /2048 bits, fewer than RequiredRSASize 3072/);
});

Deno.test("hashed lines that ssh-keygen wrote are found, and ssh-keygen finds ours", async () => {
  const tools = await openssh();
  await using home = await TempHome.make();
  const file = await home.write("kh", `web1 ${text(1)}\n[web1]:2222 ${text(2)}\n`);
  const keygen = (...args: string[]) => run(tools.sshKeygen, [...args, "-f", file], { env: tools.env });
  await keygen("-H");
  const lines = (await Deno.readTextFile(file)).trim().split("\n");
  assert(lines.every((line) => line.startsWith("|1|")));
  await check(lines, key(1));
  await check(lines, key(2), { host: "web1:2222" });
  assertEquals((await refusal(lines, key(3))).code, "changed");

  const options = { strictHostKeyChecking: "accept-new", configLines: ["HashKnownHosts=yes"] } as const;
  await Deno.writeTextFile(file, await check([], key(4), { ...options, host: "db1:2200" }));
  assert((await Deno.readTextFile(file)).startsWith("|1|"));
  assertMatch((await keygen("-F", "[db1]:2200")).stdout, new RegExp(RegExp.escape(text(4))));
  assertEquals((await keygen("-F", "db1")).stdout, "");
});

Deno.test("a new known_hosts is made for its owner alone, in a directory of its own", async () => {
  await using home = await TempHome.make();
  const path = `${home.path}/new/dir/known`;
  const options = {
    userKnownHostsFile: path,
    strictHostKeyChecking: "accept-new",
    environment: home.env,
  } as const;
  const target = await resolveTarget("web1", { configFile: "none", ...options });
  await checkHostKey(target, key(1), noPrompter);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  assertEquals((await Deno.stat(`${home.path}/new/dir`)).mode! & 0o777, 0o700);
});

Deno.test("a file without a newline at its end keeps its last line", async () => {
  await using home = await TempHome.make();
  const path = await home.write("known", `old ${text(2)}`);
  const options = {
    userKnownHostsFile: path,
    strictHostKeyChecking: "accept-new",
    environment: home.env,
  } as const;
  await checkHostKey(await resolveTarget("web1", { configFile: "none", ...options }), key(1), noPrompter);
  assertEquals(await Deno.readTextFile(path), `old ${text(2)}\nweb1 ${text(1)}\n`);
});

Deno.test("many at once add whole lines", async () => {
  await using home = await TempHome.make();
  const path = await home.write("known", "");
  const options = {
    userKnownHostsFile: path,
    strictHostKeyChecking: "accept-new",
    environment: home.env,
  } as const;
  const hosts = Array.from({ length: 40 }, (_, i) => `h${i}`);
  await Promise.all(hosts.map(async (host, i) => {
    await checkHostKey(await resolveTarget(host, { configFile: "none", ...options }), key(i), noPrompter);
  }));
  const lines = (await Deno.readTextFile(path)).trim().split("\n").sort();
  assertEquals(lines, hosts.map((host, i) => `${host} ${text(i)}`).sort());
});

Deno.test("a file that cannot be written is said, and the connection goes on", async () => {
  const prompter = new ScriptedPrompter();
  const options = { userKnownHostsFile: "none", strictHostKeyChecking: "accept-new", prompter } as const;
  await check([], key(1), options);
  assertMatch(prompter.notices[0], /Could not add web1 .*UserKnownHostsFile is none/);
});

Deno.test("algorithms of known keys are asked for first", async () => {
  const supported = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"];
  await using home = await TempHome.make();
  const order = async (lines: string[], host = "web1") => {
    const path = await home.write("known", lines.map((line) => `${line}\n`).join(""));
    const options = { configFile: "none", environment: home.env, userKnownHostsFile: path };
    return await hostKeyAlgorithms(await resolveTarget(host, options), supported);
  };
  assertEquals(await order([]), supported);
  const rsaFirst = ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"];
  assertEquals(await order([`web1 ${text(1, "ssh-rsa")}`]), rsaFirst);
  assertEquals(await order([`web1 ${text(1, "ssh-rsa")}`], "web1:2222"), rsaFirst, "known without its port");
  assertEquals(await order([`web1 ${text(1, "ecdsa-sha2-nistp256")}`]), [
    supported[1],
    supported[0],
    ...supported.slice(2),
  ]);
  assertEquals(await order([`@revoked web1 ${text(1, "ssh-rsa")}`, `web2 ${text(1, "ssh-rsa")}`]), supported);
});

Deno.test("a host key that is no key is refused", async () => {
  for (const junk of [new Uint8Array(), new Uint8Array([0, 0, 0, 200, 1]), new Uint8Array(64)]) {
    assertEquals((await refusal([], junk, { strictHostKeyChecking: "no" })).code, "unsupported");
  }
});

Deno.test("a hostile known_hosts throws nothing but HostKeyError and accepts nobody", async () => {
  const word = fc.constantFrom(
    "web1",
    "*",
    "@revoked",
    "@cert-authority",
    "@x",
    "|1|a|b",
    "|1||",
    "ssh-ed25519",
    "AAAA",
    text(2),
    "!",
    ",",
  );
  const line = fc.oneof(fc.string(), fc.array(word, { maxLength: 5 }).map((words) => words.join(" ")));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      assertEquals([...readKnownHosts(lines.join("\n"), "f")].every(({ blob }) => blob.length > 4), true);
      try {
        await check(lines, key(1));
        throw new Error("accepted");
      } catch (error) {
        assertInstanceOf(error, HostKeyError, `${error}`);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("a known_hosts file that could not be read once, for want of a file descriptor, is read the next time", async () => {
  // One that has been as it is for long, so that what is made of it is remembered.
  const path = new URL("../../LICENSE", import.meta.url).pathname;
  const { readTextFile } = Deno;
  const key = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
  try {
    Deno.readTextFile = () => Promise.reject(new Error("Too many open files (os error 24)"));
    assertEquals((await knownHostsFile(path)).about("web"), []);
    Deno.readTextFile = () => Promise.resolve(`web ssh-ed25519 ${key}\n`);
    assertEquals((await knownHostsFile(path)).about("web").length, 1);
  } finally {
    Deno.readTextFile = readTextFile;
  }
});
