import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { start } from "../support/run.ts";
import { COMMAND, KeeperWorld, procText } from "./keeper_world.ts";

Deno.test("fifty processes that start at once share one keeper and one connection", async () => {
  await using world = await KeeperWorld.make();
  const runs = await Promise.all(Array.from({ length: 50 }, (_, n) => world.exec(`echo ${n}`)));
  assertEquals(runs.map((r) => r.stdout + r.stderr), Array.from({ length: 50 }, (_, n) => `${n}\n`));
  assertEquals(world.keeperPids().length, 1, world.logText());
  assertEquals(world.sshd.connections(), 1);
});

Deno.test("fifty connects at once in one process share one keeper and one connection", async () => {
  await using world = await KeeperWorld.make();
  const hosts = await Promise.all(Array.from({ length: 50 }, () => world.connect()));
  const results = await Promise.all(hosts.map((host, n) => host.exec(`echo ${n}`)));
  assertEquals(results.map((r) => r.stdout), Array.from({ length: 50 }, (_, n) => `${n}\n`));
  await Promise.all(hosts.map((host) => host.close()));
  assertEquals([world.keeperPids().length, world.sshd.connections()], [1, 1]);
});

Deno.test("a keeper holds nothing of whoever started it", async (t) => {
  await using world = await KeeperWorld.make();
  const cwd = join(world.home.path, "somewhere");
  await Deno.mkdir(cwd);
  const args = ["exec", "-F", world.configFile, "test", "--", "echo ran"];
  // `run` resolves only when both output pipes have reached their end.
  const r = await world.run(args, { cwd, env: { SECRET_OF_CALLER: "x" } });
  assertEquals([r.stdout, r.stderr], ["ran\n", ""]);
  const [pid] = world.livingKeepers();
  assert(pid > 0);

  await t.step("its streams are no pipes of the caller's, which have reached their end", () => {
    const streams = procText(pid, "for n in 0 1 2; do readlink fd/$n; done");
    assertEquals(streams, "/dev/null\n/dev/null\n/dev/null\n");
  });

  await t.step("its directory is /", () => {
    assertEquals(procText(pid, "readlink cwd"), "/\n");
  });

  await t.step("it leads a session of its own, without a terminal", () => {
    // pid (comm) state ppid pgrp session tty_nr
    const [, state] = /^\d+ \(.*\) (.*)$/s.exec(procText(pid, "cat stat"))!;
    const [, , group, session, terminal] = state.split(" ").map(Number);
    assertEquals([group, session, terminal], [pid, pid, 0]);
  });

  await t.step("its environment is what it needs and no more", () => {
    const names = procText(pid, "tr '\\0' '\\n' < environ").split("\n").filter(Boolean)
      .map((line) => line.split("=")[0]);
    const needed = /^(HOME|DENO_DIR|XDG_CACHE_HOME|PATH|USER|LOGNAME|LANG)$/;
    const forTheRegistry =
      /^(NPM_CONFIG_REGISTRY|(DENO|SSL|NODE_EXTRA)_.*CERT.*|DENO_TLS_CA_STORE|\w+_PROXY)$/i;
    assertEquals(names.filter((name) => !needed.test(name) && !forTheRegistry.test(name)), []);
  });

  await t.step("its arguments say where it lives and nothing else of the caller", () => {
    const words = procText(pid, "tr '\\0' '\\n' < cmdline");
    assertMatch(words, /keeper_main\.ts\n.*\.local\/state\/carpool\/.*\n$/);
    assert(!words.includes(world.sshd.user));
  });
});

Deno.test("a keeper ends by itself when its last master has left", async () => {
  await using world = await KeeperWorld.make();
  const { stdout } = await world.exec("echo ran", ["-o", "ControlPersist=1"]);
  assertEquals(stdout, "ran\n");
  await world.log.waitFor(/leaves \(lingered\)/);
  await world.log.waitFor(/keeper leaves: nothing to keep/);
  await world.log.waitFor(/keeper ends/);
  while (world.livingKeepers().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(world.sockets(), []);
});

Deno.test("an empty environment and cron's ride the terminal's master", async () => {
  await using world = await KeeperWorld.make();
  await using agent = await startAgent(world);
  const args = ["exec", "-F", world.configFile, "test", "--", "echo ran"];
  const terminal = { SSH_AUTH_SOCK: agent.socket, TERM: "xterm", DISPLAY: ":9", LANG: "de_DE.UTF-8" };
  assertEquals((await world.run(args, { env: terminal })).stderr, "");
  const deno = [Deno.execPath(), "run", "-A", "--quiet", "--no-config", "--no-lock", "--no-check"];
  const program = [...deno, COMMAND, ...args];
  const env = { HOME: world.home.path, DENO_DIR: world.home.env.DENO_DIR };
  const cron: Record<string, string> = { PATH: "/usr/bin:/bin", SHELL: "/bin/sh", LOGNAME: "caller" };
  for (const more of [{}, cron]) {
    await using running = start(program[0], program.slice(1), { clearEnv: true, env: { ...env, ...more } });
    const r = await running.finished;
    assertEquals([r.stdout, r.stderr], ["ran\n", ""]);
  }
  assertEquals([world.sshd.connections(), world.keeperPids().length], [1, 1]);
});

/** An agent without keys: what matters is that its socket is in the terminal's environment. */
async function startAgent(world: KeeperWorld) {
  const socket = join(world.home.path, "agent.sock");
  const { sshAgent, env } = world.sshd.openssh;
  const running = start(sshAgent, ["-D", "-a", socket], { env });
  await running.waitFor(/SSH_AUTH_SOCK/);
  return { socket, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

Deno.test("the log is private, is turned over, and holds no secret", async () => {
  await using world = await KeeperWorld.make({ password: "pa55-of-the-test" });
  await Deno.mkdir(world.place.directory, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(world.place.logFile, "x".repeat(1024 * 1024), { mode: 0o600 });
  const askpass = await world.home.write("askpass", "#!/bin/sh\necho pa55-of-the-test\n", 0o700);
  const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" };
  const flags = ["-F", world.configFile, "-o", "PubkeyAuthentication=no"];
  const command = "echo secret-of-the-command";
  const r = await world.run(["exec", ...flags, "test", "--", command], { env });
  assertEquals([r.stdout, r.stderr], ["secret-of-the-command\n", ""]);
  assertEquals((await Deno.stat(`${world.place.logFile}.1`)).size, 1024 * 1024);
  const log = world.logText();
  assertMatch(log, /connected/);
  assert(!/pa55|secret|askpass/i.test(log), log);
  assertEquals((await Deno.stat(world.place.logFile)).mode! & 0o777, 0o600);
});
