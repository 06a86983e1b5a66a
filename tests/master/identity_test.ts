import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MasterError } from "../../lib/base/errors.ts";
import { type ConnectOptions, openMasterFor } from "../../lib/host/connect.ts";
import { differences, identityKey, identityOf } from "../../lib/master/identity.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { TargetOptions } from "../../lib/target/target.ts";
import { run } from "../support/run.ts";
import { KeeperWorld, Scripted } from "./keeper_world.ts";

const ENVIRONMENT = { HOME: "/home/caller", USER: "caller", SSH_AUTH_SOCK: "/run/agent" };

function resolved(options: TargetOptions = {}, destination = "web") {
  return resolveTarget(destination, { configFile: "none", environment: ENVIRONMENT, ...options });
}

/** Each makes a connection that is not the one without it. */
const DIFFERENT: Readonly<Record<string, readonly [TargetOptions, RegExp]>> = {
  "user": [{ user: "other" }, /^User is ".*", wanted "other"$/],
  "port": [{ port: 2222 }, /^Port is 22, wanted 2222/],
  "host": [{ hostName: "10.0.0.1" }, /^HostName is "web", wanted "10.0.0.1"/],
  "identity": [{ identityFile: "/k" }, /^IdentityFile is ".*", ?.*, wanted "\/k"$/],
  "jump": [{ proxyJump: "gate" }, /^ProxyJump is not set, wanted .*@gate:22$/],
  "proxy command": [{ proxyCommand: "nc %h %p" }, /^ProxyCommand is not set, wanted "nc web 22"$/],
  "named agent": [{ identityAgent: "/a" }, /^IdentityAgent is not set, wanted "\/a"$/],
  "no agent": [{ identityAgent: "none" }, /^IdentityAgent is not set, wanted "none"$/],
  "agent forwarding": [{ forwardAgent: true }, /^ForwardAgent is no, wanted "\/run\/agent"$/],
  "ciphers": [{ ciphers: "aes128-ctr" }, /^Ciphers is not set, wanted "aes128-ctr"$/],
  "compression": [{ compression: true }, /^Compression is no, wanted yes$/],
  "known hosts": [{ userKnownHostsFile: "/kh" }, /^UserKnownHostsFile is .*, wanted "\/kh"/],
  "no checking": [{ strictHostKeyChecking: "no" }, /^StrictHostKeyChecking is yes, wanted no$/],
};

Deno.test("identity differs in each option that makes another connection, and names it", async (t) => {
  const plain = await resolved();
  const keys = new Set([await identityKey(plain)]);
  for (const [name, [options, text]] of Object.entries(DIFFERENT)) {
    await t.step(name, async () => {
      const other = await resolved(options);
      keys.add(await identityKey(other));
      assertMatch(differences(identityOf(other), identityOf(plain))[0], text);
    });
  }
  assertEquals(keys.size, 1 + Object.keys(DIFFERENT).length);
});

Deno.test("identity is the same for what concerns sessions, lingering and the caller's agent", async (t) => {
  const plain = await identityKey(await resolved());
  const same: Readonly<Record<string, TargetOptions>> = {
    "variables of sessions": { setEnv: { A: "b" } },
    "linger time": { controlPersist: "1h" },
    "control path": { controlPath: "/x" },
    "batch mode": { batchMode: true },
    "accept-new": { strictHostKeyChecking: "accept-new" },
    "no agent in the environment": { environment: { HOME: ENVIRONMENT.HOME, USER: "caller" } },
    "another agent in the environment": { environment: { ...ENVIRONMENT, SSH_AUTH_SOCK: "/run/other" } },
    "keepalive": { serverAliveInterval: 15 },
  };
  for (const [name, options] of Object.entries(same)) {
    await t.step(name, async () => assertEquals(await identityKey(await resolved(options)), plain));
  }
  await t.step("an alias and what it stands for", async () => {
    const { user } = await resolved();
    assertEquals(await identityKey(await resolved({}, `${user}@WEB:22`)), plain);
  });
});

Deno.test("whoever asks for other options gets a master of its own, whoever asks for the same rides", async (t) => {
  await using world = await KeeperWorld.make({
    users: ["tester", "other"],
    hosts: ["127.0.0.1", "127.0.0.2"],
  });
  const own: Readonly<Record<string, ConnectOptions>> = {
    "the first": {},
    "another user": { user: "other" },
    "another list of identities": { configLines: [`IdentityFile ${world.sshd.identityFile}.none`] },
    "another cipher": { ciphers: "aes256-ctr" },
    "compression": { compression: true },
    "another known_hosts": { userKnownHostsFile: [world.sshd.knownHostsFile, "/dev/null"] },
    "agent forwarding": { forwardAgent: join(world.home.path, "agent") },
    "a jump": { proxyJump: "test2" },
  };
  let connections = 0;
  for (const [name, options] of Object.entries(own)) {
    await t.step(name, async () => {
      for (let i = 0; i < 2; i++) {
        await using host = await world.connect(options);
        assertEquals((await host.exec("echo ran")).stdout, "ran\n");
      }
      // A jump is a connection itself.
      connections += name === "a jump" ? 2 : 1;
      assertEquals(world.sshd.connections(), connections);
    });
  }
  // The jump host has a master of its own, too: others behind it will ride it.
  assertEquals((await world.masters()).length, Object.keys(own).length + 1);
  assertEquals(world.keeperPids().length, 1);
});

Deno.test("a master of ours at a path that was named is compared, option by option", async (t) => {
  await using world = await KeeperWorld.make({ users: ["tester", "other"] });
  const controlPath = join(world.home.path, "cm");
  const opened = await openMasterFor("test", world.options({ controlPath, bind: true } as ConnectOptions));
  assertEquals([opened.controlPath, opened.started], [controlPath, true]);

  await t.step("the same options ride it", async () => {
    const prompter = new Scripted();
    await using host = await world.connect({ controlPath, prompter });
    assertEquals((await host.exec("echo ran")).stdout, "ran\n");
    assertEquals([prompter.notices, world.sshd.connections()], [[], 1]);
  });

  await t.step("another user gets a private one, and one line says why", async () => {
    const prompter = new Scripted();
    await using host = await world.connect({ controlPath, user: "other", prompter });
    assertEquals((await host.exec("echo ran")).stdout, "ran\n");
    assertEquals([prompter.notices.length, world.sshd.connections()], [1, 2]);
    assertMatch(prompter.notices[0], /User is "tester", wanted "other"; a connection of its own is used/);
    assert(prompter.notices[0].includes(controlPath));
  });

  await t.step("several options are all named", async () => {
    const prompter = new Scripted();
    await using host = await world.connect({
      controlPath,
      ciphers: "aes256-ctr",
      compression: true,
      prompter,
    });
    assertEquals((await host.exec("echo ran")).stdout, "ran\n");
    assertMatch(
      prompter.notices.at(-1)!,
      /Ciphers is not set, wanted "aes256-ctr"; Compression is no, wanted yes/,
    );
  });

  await t.step("as a command, on standard error", async () => {
    const r = await world.exec("echo ran", ["-S", controlPath, "-l", "other"]);
    assertEquals(r.stdout, "ran\n");
    assertMatch(r.stderr, /^Cannot ride the master: .*User is "tester", wanted "other"[^\n]*\n$/);
  });

  await t.step("to bind there with other options is an error that names them", async () => {
    const error = await assertRejects(
      () =>
        openMasterFor("test", world.options({ controlPath, user: "other", bind: true } as ConnectOptions)),
      MasterError,
      'User is "tester", wanted "other"',
    );
    assertEquals([error.code, error.outcome], ["mismatch", "not-started"]);
  });
});

Deno.test("an OpenSSH master is ridden, unless something was asked for that cannot be known of it", async (t) => {
  await using world = await KeeperWorld.make();
  const controlPath = join(world.home.path, "ssh");
  const { ssh, env } = world.sshd.openssh;
  const master = [
    "-F",
    world.configFile,
    "-M",
    "-S",
    controlPath,
    "-N",
    "-f",
    "-o",
    "ControlPersist=yes",
    "test",
  ];
  // Its output must not be a pipe: the master that goes to the background would hold it open.
  const started = await run("/bin/sh", ["-c", '"$@" </dev/null >/dev/null 2>&1', "sh", ssh, ...master], {
    env,
  });
  assertEquals(started.code, 0);
  try {
    await t.step("ridden, by many", async () => {
      for (let i = 0; i < 2; i++) {
        const prompter = new Scripted();
        await using host = await world.connect({ controlPath, prompter });
        assertEquals((await host.exec("echo ran")).stdout, "ran\n");
        assertEquals([prompter.notices, world.sshd.connections()], [[], 1]);
      }
      const [info] = await world.masters();
      assertEquals([info.kind, info.controlPath], ["openssh", controlPath]);
    });
    for (
      const [name, options] of Object.entries({
        userKnownHostsFile: { userKnownHostsFile: [world.sshd.knownHostsFile, "/dev/null"] },
        ciphers: { ciphers: "aes256-ctr" },
        "ciphers by -o": { configLines: ["Ciphers=aes192-ctr"] },
        "controlMaster yes": { controlMaster: "yes" },
      } as Record<string, ConnectOptions>)
    ) {
      await t.step(`${name}: a connection of its own, and one line`, async () => {
        const before = world.sshd.connections();
        const prompter = new Scripted();
        await using host = await world.connect({ ...options, controlPath, prompter });
        assertEquals((await host.exec("echo ran")).stdout, "ran\n");
        assertEquals([world.sshd.connections(), prompter.notices.length], [before + 1, 1]);
        assertMatch(prompter.notices[0], /unknown, and asked for was: .*; a connection of its own is used/);
      });
    }
  } finally {
    await run(ssh, ["-F", "none", "-S", controlPath, "-O", "exit", "test"], { env });
  }
});
