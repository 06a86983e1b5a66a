import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { HostKeyError, LinkError } from "../../lib/base/errors.ts";
import type { ConnectOptions } from "../../lib/host/connect.ts";
import type { Prompter } from "../../lib/target/prompter.ts";
import { gone } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { provide } from "../support/tools.ts";
import { COMMAND, KeeperWorld, Scripted, until } from "./keeper_world.ts";

/** The host key is not known here yet. */
function strangers(world: KeeperWorld): ConnectOptions {
  const userKnownHostsFile = join(world.home.path, ".ssh", "known_hosts");
  return { userKnownHostsFile, strictHostKeyChecking: "ask" };
}

const BY_PASSWORD: ConnectOptions = { configLines: ["PubkeyAuthentication no"] };

/** Never answers; says when it is asked, and whether it was told that nobody waits any more. */
class Silent implements Prompter {
  readonly interactive = true;
  readonly asked = Promise.withResolvers<string>();
  readonly takenBack = Promise.withResolvers<void>();

  line(prompt: string, signal?: AbortSignal): Promise<string | null> {
    this.asked.resolve(prompt);
    return new Promise((_, reject) =>
      signal?.addEventListener("abort", () => {
        this.takenBack.resolve();
        reject(signal.reason);
      })
    );
  }

  secret(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.line(prompt, signal);
  }

  notice(): void {}
}

Deno.test("an unknown host key is asked once, of one of many that wait", async () => {
  await using world = await KeeperWorld.make();
  const prompters = Array.from({ length: 5 }, () => new Scripted("yes", "yes"));
  const hosts = await Promise.all(
    prompters.map((prompter) => world.connect({ ...strangers(world), prompter })),
  );
  assertEquals((await hosts[4].exec("echo ran")).stdout, "ran\n");
  for (const host of hosts) await host.close();
  const asked = prompters.flatMap((prompter) => prompter.asked);
  assertEquals(asked.length, 1);
  assertMatch(asked[0], /is not known yet/);
  assertEquals(world.sshd.connections(), 1);
  assertMatch(await Deno.readTextFile(join(world.home.path, ".ssh", "known_hosts")), /ssh-ed25519/);
});

Deno.test("a password is asked at the client that waits, again when it is wrong, and kept nowhere", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const prompter = new Scripted("wrong-one", "right-one");
  await using host = await world.connect({ ...BY_PASSWORD, prompter });
  assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  assertEquals(prompter.asked.length, 2);
  assert(!/right-one|wrong-one/.test(world.logText()));
});

Deno.test("a passphrase is asked at the client that waits", async () => {
  await using world = await KeeperWorld.make();
  const { sshKeygen, env } = world.sshd.openssh;
  const key = await world.home.write("locked_key", await Deno.readTextFile(world.sshd.identityFile));
  const locked = await run(sshKeygen, ["-p", "-P", "", "-N", "open-sesame", "-f", key], { env });
  assertEquals(locked.code, 0, locked.stderr);
  const prompter = new Scripted("open-sesame");
  const options = { configLines: [`IdentityFile ${key}`, "PasswordAuthentication no"], prompter };
  const config = (await Deno.readTextFile(world.configFile)).replace(/^ *IdentityFile .*\n/m, "");
  const configFile = await world.home.write(".ssh/other", config);
  await using host = await world.connect({ ...options, configFile });
  assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  assertMatch(prompter.asked.join(), /passphrase/i);
});

Deno.test("when the client that is asked leaves, the next one with a terminal is asked", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const [first, second] = [new Silent(), new Scripted("right-one")];
  const leave = new AbortController();
  const asked = world.connect({ ...BY_PASSWORD, prompter: first, signal: leave.signal });
  await first.asked.promise;
  const bystander = new Scripted(); // has no terminal
  const waiting = [
    world.connect({ ...BY_PASSWORD, prompter: bystander }),
    world.connect({ ...BY_PASSWORD, prompter: second }),
  ];
  // What they sent is with the keeper before what is asked of it afterwards.
  await until(() => bystander.looks > 0 && second.looks > 0);
  for (let i = 0; i < 3; i++) await world.masters();
  leave.abort(new DOMException("I leave", "AbortError"));
  await assertRejects(() => asked, DOMException, "I leave");
  await first.takenBack.promise;
  for (const host of await Promise.all(waiting)) {
    assertEquals((await host.exec("echo ran")).stdout, "ran\n");
    await host.close();
  }
  assertEquals([second.asked.length, bystander.asked.length], [1, 0]);
});

Deno.test("a process that is killed at the question leaves it to the next", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const pipe = join(world.home.path, "asked");
  // An askpass that tells that it was called, and never answers.
  const askpass = await world.home.write("askpass", `#!/bin/sh\necho > '${pipe}'; exec sleep 60\n`, 0o700);
  const args = ["exec", "-F", world.configFile, "-o", "PubkeyAuthentication=no", "test", "--", "echo ran"];
  {
    await using killed = world.start(args, {
      env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" },
    });
    while (!await exists(pipe)) await new Promise((resolve) => setTimeout(resolve, 10));
    killed.kill("SIGKILL");
    await gone([killed.pid]); // then the keeper is no descendant any more, and is not ended with it
  }
  const prompter = new Scripted("right-one");
  await using host = await world.connect({ ...BY_PASSWORD, prompter });
  assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  assertEquals(world.keeperPids().length, 1, world.logText());
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("a connection that nobody waits for any more is given up", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const prompter = new Silent();
  const leave = new AbortController();
  const asked = world.connect({ ...BY_PASSWORD, prompter, signal: leave.signal });
  await prompter.asked.promise;
  leave.abort();
  await assertRejects(() => asked, DOMException);
  await world.log.waitFor(/keeper leaves: nothing to keep/);
  assertEquals(await world.masters(), []);
});

Deno.test("a client that can be asked tries again where one without a terminal was refused", async () => {
  await using world = await KeeperWorld.make();
  const [silent, prompter] = [new Scripted(), new Scripted("yes")];
  const [refused, opened] = await Promise.allSettled([
    world.connect({ ...strangers(world), prompter: silent }),
    world.connect({ ...strangers(world), prompter }),
  ]);
  assertEquals(opened.status, "fulfilled", String((opened as PromiseRejectedResult).reason));
  assertEquals(prompter.asked.length, 1);
  if (refused.status === "rejected") assert(refused.reason instanceof HostKeyError);
  else await refused.value.close();
  await (opened as PromiseFulfilledResult<Awaited<ReturnType<KeeperWorld["connect"]>>>).value.close();
});

Deno.test("a refused host key and a wrong password reach the client as errors of their own kind", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const refused = await assertRejects(
    () => world.connect({ ...strangers(world), prompter: new Scripted("no") }),
    HostKeyError,
    "was not accepted",
  );
  assertEquals([refused.code, refused.outcome], ["refused", "not-started"]);
  const wrong = await assertRejects(
    () => world.connect({ ...BY_PASSWORD, prompter: new Scripted("a", "b", "c") }),
    LinkError,
  );
  assertEquals([wrong.code, wrong.outcome], ["auth-failed", "not-started"]);
  assertEquals(await world.masters(), []);
});

Deno.test("a question appears on the terminal of the process that waits", async () => {
  await using world = await KeeperWorld.make({ password: "right-one" });
  const script = await provide("script", "bsdutils");
  const words = [Deno.execPath(), "run", "-A", "--quiet", "--no-config", "--no-lock", "--no-check", COMMAND];
  const flags = ["open", "-F", world.configFile, "-o", "PubkeyAuthentication=no", "test"];
  const child = new Deno.Command(script.path, {
    args: ["-qec", [...words, ...flags].map((word) => `'${word}'`).join(" "), "/dev/null"],
    env: { ...world.home.env, ...script.env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  let shown = "";
  let typed = false;
  for await (const chunk of child.stdout) {
    shown += new TextDecoder().decode(chunk);
    if (typed || !/password: *$/i.test(shown)) continue;
    typed = true;
    await writer.write(new TextEncoder().encode("right-one\r"));
  }
  await writer.close().catch(() => {}); // script has gone
  await child.status;
  assertMatch(shown, /test: connected/);
  assert(!shown.includes("right-one"));
  assertEquals((await world.masters()).length, 1);
});
