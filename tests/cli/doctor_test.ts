import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { KeeperWorld } from "../master/keeper_world.ts";
import { start } from "../support/run.ts";

interface Finding {
  readonly level: string;
  readonly about: string;
  readonly says: string;
  readonly fix: string | null;
}

/** What `carpool doctor --output json` prints. */
interface Printed {
  readonly version: number;
  readonly host: string;
  readonly where: string;
  readonly connection: {
    readonly parts: readonly {
      readonly name: string;
      readonly ms: number;
      readonly roundTrips: number | null;
    }[];
    readonly totalMs: number;
    readonly totalRoundTrips: number | null;
    readonly rttMs: number | null;
    readonly agreed: { readonly kex: string; readonly cipher: string; readonly hostKey: string } | null;
    readonly nextCommand: { readonly ms: number; readonly roundTrips: number } | null;
    readonly sessions: { readonly open: number; readonly limited: boolean } | null;
    readonly error: { readonly code: string; readonly message: string } | null;
  };
  readonly riding: { readonly connectMs: number; readonly commandMs: number; readonly error: unknown } | null;
  readonly master: { readonly controlPath: string; readonly kind: string; readonly pid: number } | null;
  readonly findings: readonly Finding[];
}

async function doctor(world: KeeperWorld, args: readonly string[] = []): Promise<Printed & { code: number }> {
  const r = await world.run(["doctor", "-F", world.configFile, "--output", "json", ...args, "test"]);
  assert(r.stdout.startsWith("{"), r.stderr);
  return { ...JSON.parse(r.stdout), code: r.code };
}

function finding({ findings }: Printed, about: string, says: RegExp | string = ""): Finding {
  const found = findings.find((one) =>
    one.about === about && (typeof says === "string" ? one.says.includes(says) : says.test(one.says))
  );
  assert(found, `no finding about ${about} says ${says}: ${JSON.stringify(findings, null, 1)}`);
  return found;
}

Deno.test("carpool doctor tells where the time goes, in milliseconds and round trips", async () => {
  await using world = await KeeperWorld.make();
  const { host, port } = world.sshd;
  await using link = await emulateLink({ to: { hostname: host, port }, rttMs: 100 });
  using mark = link.mark();
  const through = ["-p", String(link.port), "-o", `HostKeyAlias=[${host}]:${port}`];
  const { connection, code } = await doctor(world, through);
  assertEquals([code, connection.error], [0, null]);
  const parts = Object.fromEntries(connection.parts.map(({ name, roundTrips }) => [name, roundTrips]));
  assertEquals(Object.keys(parts), [
    ...["resolve", "connect", "key exchange", "log in", "open a session", "run a command"],
  ]);
  assertEquals([parts.resolve, parts.connect], [0, 1]);
  assertEquals([parts["open a session"], parts["run a command"]], [1, 1]);
  assertEquals(connection.nextCommand!.roundTrips, 2);
  assert(parts["key exchange"]! > 0);
  assert(parts["log in"]! > 0);
  assertEquals(connection.totalRoundTrips, Object.values(parts).reduce((sum, one) => sum! + one!, 0));
  // The link's own count has the same, and what came behind: the second command, signs of life, sessions tried.
  assert(mark.counters().roundTrips > connection.totalRoundTrips! + 2);
  assert(connection.rttMs! >= 100, String(connection.rttMs));
  for (const { name, ms, roundTrips } of connection.parts.slice(2)) {
    assert(ms >= 90 * roundTrips!, `${name}: ${ms} ms`);
  }
  assertEquals(mark.counters().connections, 1);
});

Deno.test("carpool doctor runs nothing on the host but true, and starts no master", async () => {
  await using world = await KeeperWorld.make();
  const record = join(world.sshd.home, "asked");
  const key = await Deno.readTextFile(world.sshd.publicKeyFile);
  const forced = `command="echo \\"$SSH_ORIGINAL_COMMAND\\" >> ${record}" ${key}`;
  await Deno.writeTextFile(world.sshd.authorizedKeysFile, forced);
  const { code, master, riding, findings } = await doctor(world);
  assertEquals([code, master, riding], [0, null, null]);
  assert(findings.every(({ level }) => level !== "bad"));
  assertEquals(await Deno.readTextFile(record), "true\ntrue\n");
  assertEquals([world.keeperPids(), world.sshd.connections()], [[], 1]);
});

Deno.test("carpool doctor rides the live master, and says which it is", async (t) => {
  await using world = await KeeperWorld.make();
  const none = await doctor(world);
  assertStringIncludes(finding(none, "master").says, "none is live");
  await using _host = await world.connect({ controlPersist: "1h" });

  await t.step("Carpool's own", async () => {
    const before = world.sshd.connections();
    const found = await doctor(world);
    assertEquals(found.code, 0);
    assertEquals([found.master!.kind, found.master!.pid], ["carpool", world.keeperPids()[0]]);
    assert((await Deno.lstat(found.master!.controlPath)).isSocket);
    assertEquals(found.riding!.error, null);
    assertStringIncludes(finding(found, "control socket").says, `ssh -S ${found.master!.controlPath} test`);
    assertEquals(world.sshd.connections(), before + 1);
  });

  await t.step("and where another identity's is live, why it is not ridden", async () => {
    const { master, findings } = await doctor(world, ["-o", "ForwardAgent=/nowhere"]);
    assertEquals(master, null);
    assertMatch(
      findings.find(({ about }) => about === "other master")!.says,
      /another key, agent, jump or option/,
    );
  });

  await t.step("and that sharing is off", async () => {
    for (
      const [flags, says] of [
        [["--no-share"], "--no-share asks for a connection of its own"],
        [["-S", "none"], "ControlPath is none"],
        [["-o", "ControlMaster=no"], "ControlMaster is no"],
      ] as const
    ) {
      const found = await doctor(world, flags);
      assertEquals([found.master, found.riding], [null, null]);
      assert(finding(found, "sharing", says).fix);
    }
  });
});

Deno.test("carpool doctor rides a master that ssh started, and leaves it alone", async () => {
  await using world = await KeeperWorld.make({}, [`ControlPath ~/cm-%C`]);
  const { ssh, env } = world.sshd.openssh;
  const socket = join(world.home.path, "cm");
  const args = ["-F", world.configFile, "-S", socket, "-M", "-N", "test"];
  await using _master = start(ssh, args, { env: { ...world.home.env, ...env }, clearEnv: true });
  while (!await Deno.lstat(socket).then(() => true, () => false)) {
    await new Promise((go) => setTimeout(go, 20));
  }
  const found = await doctor(world, ["-S", socket]);
  assertEquals([found.master?.kind, found.riding?.error], ["openssh", null]);
  assertStringIncludes(
    finding(found, "master").says,
    "one that ssh started; Carpool rides it and never ends it",
  );
  assert((await Deno.lstat(socket)).isSocket);
  // With a key of its own nobody knows whether it is the same: it is left alone, and the reason is told.
  const before = world.sshd.connections();
  const other = await doctor(world, ["-S", socket, "-i", world.sshd.identityFile]);
  assertEquals([other.master?.kind, other.riding, world.sshd.connections()], ["openssh", null, before + 1]);
  assertStringIncludes(finding(other, "master", "is not ridden").says, "identityFile");
});

Deno.test("carpool doctor tells what would break, each with what to do", async (t) => {
  await using world = await KeeperWorld.make({ config: ["MaxSessions 2"] });
  const { home } = world;

  await t.step("few sessions, no post-quantum exchange, a known host", async () => {
    const found = await doctor(world);
    assertEquals(found.connection.sessions, { open: 2, limited: true });
    assertEquals(finding(found, "MaxSessions").level, "warn");
    const exchange = finding(found, "key exchange", "no post-quantum exchange");
    assertEquals([exchange.level, exchange.fix!.includes("--via openssh")], ["note", true]);
    assertMatch(finding(found, "host key").says, /is known: ssh-ed25519 in .*known_hosts:\d+/);
    assertEquals(finding(found, "Nagle's algorithm").level, "ok");
  });

  await t.step("a dead socket where ssh_config has its own", async () => {
    const path = join(home.path, "dead");
    await leaveSocket(path);
    const found = await doctor(world, ["-o", `ControlPath=${path}`]);
    assertEquals(finding(found, "ControlPath", "nobody answers").fix, `rm ${path}`);
  });

  await t.step("a path that is too long, and a directory that others may write to", async () => {
    const long = join(home.path, "x".repeat(100));
    assertStringIncludes(
      finding(await doctor(world, ["-o", `ControlPath=${long}`]), "ControlPath").fix!,
      "%C",
    );
    const open = join(home.path, "open");
    await Deno.mkdir(open);
    await Deno.chmod(open, 0o777);
    const found = finding(await doctor(world, ["-o", `ControlPath=${open}/s`]), "ControlPath");
    assertMatch(found.says, /others may write to it/);
    assertMatch(found.fix!, /mode 0700/);
  });

  await t.step("a directory for sockets that is open to others", async () => {
    await Deno.mkdir(world.place.directory, { recursive: true });
    await Deno.chmod(world.place.directory, 0o755);
    const found = await doctor(world);
    assertEquals(found.code, 1);
    const { level, fix } = finding(found, "socket directory", "open to others");
    assertEquals([level, fix], ["bad", `chmod 700 ${world.place.directory}`]);
    await Deno.chmod(world.place.directory, 0o700);
  });

  await t.step("keys that others can read, or that are not there", async () => {
    const key = await home.write("key", await Deno.readTextFile(world.sshd.identityFile), 0o644);
    assertEquals(
      finding(await doctor(world, ["-i", key]), "private key", "read by others").fix,
      `chmod 600 ${key}`,
    );
    assertStringIncludes(
      finding(await doctor(world, ["-i", "/nowhere/key"]), "private key").says,
      "/nowhere/key is not there",
    );
  });

  await t.step("an agent that has left", async () => {
    const found = await doctor(world, ["-o", "IdentityAgent=/nowhere/agent"]);
    assertStringIncludes(finding(found, "agent").says, "nobody answers at /nowhere/agent");
  });
});

Deno.test("carpool doctor measures through a jump host and through a program, as far as they can be told apart", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.1", "127.0.0.2"] });
  const names = ({ connection }: Printed) => connection.parts.map(({ name }) => name);
  const jumped = await world.run([
    ...["doctor", "-F", world.configFile, "-J", "test1", "--output", "json", "test2"],
  ]);
  const found = JSON.parse(jumped.stdout) as Printed;
  assertEquals([jumped.code, found.connection.error], [0, null], jumped.stderr);
  const rest = ["key exchange", "log in", "open a session", "run a command"];
  assertEquals(names(found), ["jump hosts", "connect", ...rest]);
  assertEquals(found.connection.parts[0]!.roundTrips, null);

  const { ssh, env } = world.sshd.openssh;
  const proxy = `ProxyCommand=${ssh} -F ${world.configFile} -W 127.0.0.2:${world.sshd.port} test1`;
  const through = await world.run([
    "doctor",
    "-F",
    world.configFile,
    "-o",
    proxy,
    "--output",
    "json",
    "test2",
  ], { env });
  const told = JSON.parse(through.stdout) as Printed;
  assertEquals([through.code, told.connection.error], [0, null], through.stderr);
  assertEquals(names(told), ["ProxyCommand", ...rest]);
});

Deno.test("carpool doctor --via openssh measures what the installed ssh makes, and leaves none of it running", async () => {
  await using world = await KeeperWorld.make();
  const { ssh, env } = world.sshd.openssh;
  const PATH = `${ssh.slice(0, ssh.lastIndexOf("/"))}:${world.home.env.PATH}`;
  const flags = ["doctor", "-F", world.configFile, "--via", "openssh", "--output", "json", "test"];
  const r = await world.run(flags, { env: { ...env, PATH } });
  assertEquals(r.code, 0, r.stderr + r.stdout);
  const { connection } = JSON.parse(r.stdout) as Printed;
  assertEquals(connection.parts.map(({ name }) => name), [
    "the installed ssh",
    "open a session",
    "run a command",
  ]);
  assert(connection.parts.every(({ roundTrips }) => roundTrips === null));
  await world.sshd.waitForLog(/Disconnected from user|Connection closed by|disconnected by user/);
  while (world.sshd.processes().length > 0) await new Promise((go) => setTimeout(go, 20));
});

Deno.test("carpool doctor tells why a host cannot be reached, and how far it came", async (t) => {
  await using world = await KeeperWorld.make();

  await t.step("nobody listens", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const { code, connection, findings } = await doctor(world, ["-p", String(port)]);
    assertEquals([code, connection.error!.code], [4, "refused"]);
    assertEquals(connection.parts.map(({ name }) => name), ["resolve"]);
    assertMatch(findings.find(({ about }) => about === "connection")!.fix!, /sshd runs there/);
  });

  await t.step("its key is unknown", async () => {
    const empty = await world.home.write("empty", "");
    const found = await doctor(world, ["-o", `UserKnownHostsFile=${empty}`]);
    assertEquals([found.code, found.connection.error!.code], [4, "unknown"]);
    assertStringIncludes(finding(found, "host key").says, "is in no known_hosts file");
    assertEquals(await Deno.readTextFile(empty), "");
  });

  await t.step("its key has changed", async () => {
    const { host, port } = world.sshd;
    const other = (await Deno.readTextFile(world.sshd.publicKeyFile)).split(" ").slice(0, 2).join(" ");
    const changed = await world.home.write("changed", `[${host}]:${port} ${other}\n`);
    const found = await doctor(world, ["-o", `UserKnownHostsFile=${changed}`]);
    assertEquals([found.code, found.connection.error!.code], [4, "changed"]);
    const about = found.findings.filter((one) => one.about === "host key" || one.about === "connection");
    assertEquals(about.map(({ level }) => level), ["bad"], JSON.stringify(about));
    assertStringIncludes(
      about[0]!.says,
      `THE KEY OF [${host}]:${port} HAS CHANGED (known: ssh-ed25519 in ${changed}:1`,
    );
    assertMatch(about[0]!.says, /SHA256:.*somebody is in between\nNobody logged in there/);
    assertMatch(about[0]!.fix!, /^ask whoever runs the host; if the new key is right: ssh-keygen -R /);
    const shown = await world.run([
      "doctor",
      "-F",
      world.configFile,
      "-o",
      `UserKnownHostsFile=${changed}`,
      "test",
    ]);
    assertMatch(shown.stdout, /^ {2}BAD {2}host key: THE KEY OF .* HAS CHANGED/m);
    assert(!/is known/.test(shown.stdout), shown.stdout);
  });

  await t.step("its key is revoked", async () => {
    const { host, port } = world.sshd;
    const [own] = await Promise.all(world.sshd.hostKeyFiles.map((file) => Deno.readTextFile(file)));
    const key = own!.split(" ").slice(0, 2).join(" ");
    const name = `[${host}]:${port}`;
    const revoked = await world.home.write("revoked", `${name} ${key}\n@revoked ${name} ${key}\n`);
    const found = await doctor(world, ["-o", `UserKnownHostsFile=${revoked}`]);
    assertEquals([found.code, found.connection.error!.code], [4, "revoked"]);
    assertStringIncludes(finding(found, "host key").says, `THE KEY OF ${name} IS REVOKED: `);
  });
});

Deno.test("carpool doctor shows people the same in three parts, and refuses more than one host", async () => {
  await using world = await KeeperWorld.make();
  const r = await world.run(["doctor", "-F", world.configFile, "test"]);
  assertEquals(r.code, 0, r.stderr);
  for (const head of ["Where the time goes", "What is shared", "What would break, or could be better"]) {
    assertMatch(r.stdout, new RegExp(`^${head}$`, "m"));
  }
  assertMatch(r.stdout, /^ {2}connect +[\d.]+ ms +1 round trip$/m);
  assertMatch(r.stdout, /^ {2}all of it, each time anew +[\d.]+ ms +\d+ round trips$/m);
  assertMatch(r.stdout, /^ {2}sharing saves about [\d.]+ ms of each command after the first$/m);
  assertMatch(r.stdout, /^ {2}note key exchange: .*\n +fix: /m);
  const two = await world.run(["doctor", "a,b"]);
  assertEquals(two.code, 2);
  assertStringIncludes(two.stderr, "one host at a time");
});

/** A program that is killed leaves its socket behind. */
async function leaveSocket(path: string): Promise<void> {
  const code = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); console.log("bound"); setInterval(() => {}, 1000)`;
  await using program = start(Deno.execPath(), ["eval", code]);
  await program.waitFor(/bound/);
  program.kill("SIGKILL");
  await program.finished;
  await Deno.chmod(path, 0o600);
}
