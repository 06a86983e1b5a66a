/** Connections that the installed `ssh` makes, because ssh2 cannot, or because they were asked for. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { LinkError } from "../../lib/base/errors.ts";
import { gone } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { procText } from "./keeper_world.ts";
import { StockRig } from "./stock_rig.ts";

/** A server that takes certificates of a CA and no plain key, and a key with a certificate. */
async function certificateRig(): Promise<{ rig: StockRig; config: string } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const ca = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(ca, { recursive: true }));
  await Deno.chmod(ca, 0o755);
  const rig = stack.use(await StockRig.start({ config: [`TrustedUserCAKeys ${ca}/ca.pub`] }));
  const keygen = async (args: string[]) => {
    const { code, stderr } = await run(rig.sshd.openssh.sshKeygen, ["-q", ...args], { env: rig.env });
    assertEquals(code, 0, stderr);
  };
  await keygen(["-t", "ed25519", "-N", "", "-f", join(ca, "ca")]);
  const key = join(rig.home.path, "certified");
  await keygen(["-t", "ed25519", "-N", "", "-f", key]);
  await keygen(["-s", join(ca, "ca"), "-I", "test", "-n", rig.sshd.user, `${key}.pub`]);
  const text = await Deno.readTextFile(rig.configFile);
  const config = await rig.home.write(
    "certified_config",
    text.replace(/IdentityFile .*/, `IdentityFile ${key}`),
  );
  const whole = stack.move();
  return { rig, config, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

Deno.test("via auto rides an OpenSSH master where a certificate is needed, and ends it afterwards", async () => {
  await using certified = await certificateRig();
  const { rig, config } = certified;
  const options = { configFile: config, verbose: true, controlPersist: 1 };
  const host = await rig.connect(options);
  assertEquals((await host.exec("echo certified")).stdout, "certified\n");
  assertEquals(rig.notices.length, 2);
  assertMatch(rig.notices[0], /^Using the installed ssh for tester@.*: certificate .*certified-cert\.pub$/);
  assertMatch(rig.notices[1], /^Riding ssh's master of tester@.*:\d+: \/.*\.sock$/);
  // Others ride the same one.
  const other = await rig.connect({ ...options, verbose: false });
  assertEquals((await other.exec("echo again")).stdout, "again\n");
  assertEquals(rig.sshd.connections(), 1);
  const [master] = await rig.masters();
  assertEquals(master.kind, "openssh");
  assertEquals(rig.processes().includes(master.pid), true);
  const command = await rig.carpool(["exec", "-F", config, "test", "--", "echo command"]);
  assertEquals([command.code, command.stdout], [0, "command\n"], command.stderr);
  const said = await rig.carpool(["exec", "-v", "-F", config, "test", "--", "true"]);
  assertMatch(said.stderr, /Using the installed ssh for tester@.*: certificate /);
  assertEquals(rig.sshd.connections(), 1);
  const forced = await rig.carpool(["exec", "--via", "ssh2", "-F", config, "test", "--", "true"]);
  assertEquals(forced.code, 255);
  assertMatch(forced.stderr, /connect with via: "openssh"/);
  await host.close();
  await other.close();
  await gone([master.pid]); // the linger time is over: what Carpool has started, it ends
});

Deno.test("via openssh reads the configuration of this HOME, which ssh itself would not", async () => {
  await using rig = await StockRig.start();
  const config = await Deno.readTextFile(rig.configFile);
  await rig.home.write(".ssh/own", await Deno.readTextFile(rig.sshd.identityFile));
  await rig.home.write(".ssh/known_hosts", await Deno.readTextFile(rig.sshd.knownHostsFile));
  await rig.home.write(
    ".ssh/config",
    config.replace(/IdentityFile .*/, "IdentityFile ~/.ssh/own").replace(/UserKnownHostsFile .*\n/, ""),
  );
  const { code, stdout, stderr } = await rig.carpool([
    "exec",
    "--via",
    "openssh",
    "--no-share",
    "test",
    "--",
    "echo ran",
  ]);
  assertEquals([code, stdout], [0, "ran\n"], stderr);
});

Deno.test("via ssh2 says what a certificate would need", async () => {
  await using certified = await certificateRig();
  const { rig, config } = certified;
  const error = await assertRejects(
    () => rig.connect({ configFile: config, via: "ssh2" }),
    LinkError,
    'connect with via: "openssh"',
  );
  assertEquals(error.code, "auth-failed");
  assertMatch(error.message, /certificate .*certified-cert\.pub/);
});

Deno.test("via auto says so when ssh is needed and not installed", async () => {
  await using certified = await certificateRig();
  const { rig, config } = certified;
  const environment = { ...rig.env, PATH: join(rig.home.path, "tmp") };
  await assertRejects(() => rig.connect({ configFile: config, environment, share: false }), LinkError);
  assertMatch(rig.notices.join("\n"), /Not using OpenSSH .*certified-cert\.pub.*no ssh is installed/);
  const forced = { configFile: config, environment, share: false, via: "openssh" } as const;
  await assertRejects(() => rig.connect(forced), LinkError, "no ssh is installed");
});

Deno.test("via openssh passes options on so that they mean the same", async () => {
  await using rig = await StockRig.start();
  const bare = await rig.home.write("bare", "Host elsewhere\n  HostName 127.0.0.1\n");
  await using host = await rig.connect({
    via: "openssh",
    configFile: bare,
    hostName: "127.0.0.1",
    user: rig.sshd.user,
    port: rig.sshd.port,
    identityFile: rig.sshd.identityFile,
    identitiesOnly: true,
    userKnownHostsFile: rig.sshd.knownHostsFile,
    globalKnownHostsFile: "none",
    strictHostKeyChecking: "yes",
    ciphers: "aes256-ctr",
    configLines: ["Compression=yes"],
  });
  assertEquals((await host.exec("echo options")).stdout, "options\n");
  const [master] = await rig.masters();
  const { stdout } = await run("/bin/sh", [
    "-c",
    `tr '\\0' '\\n' < /proc/${master.pid}/cmdline; readlink /proc/${master.pid}/cwd`,
  ]);
  assertMatch(stdout, /^Ciphers=aes256-ctr$/m);
  assertMatch(stdout, /^Compression=yes$/m);
  assertMatch(stdout, /\n\/\n$/); // it holds no directory of ours
});

Deno.test("via openssh works as a private connection, and leaves nothing behind", async () => {
  await using rig = await StockRig.start();
  const host = await rig.connect({ via: "openssh", share: false });
  assertEquals((await host.exec("cat; exit 3", { stdin: "in" })).code, 3);
  const pids = rig.processes();
  assertEquals(pids.length, 2); // the master, the shell that would end it if we were killed, and no keeper
  await host.close();
  await gone(pids);
  const left: string[] = [];
  for await (const { name } of Deno.readDir(join(rig.home.path, ".local/state/carpool", Deno.hostname()))) {
    left.push(name);
  }
  assertEquals(left, []);
});

Deno.test("via openssh tells in ssh's own words why there is no connection", async () => {
  await using rig = await StockRig.start();
  const empty = await rig.home.write("known", "");
  const unknown = { via: "openssh", userKnownHostsFile: empty } as const;
  const error = await assertRejects(() => rig.connect(unknown));
  assertMatch(String(error), /HostKeyError: .*the host key is not known/);
  const nobody = await assertRejects(() => rig.connect({ via: "openssh", user: "nobody-here" }), LinkError);
  assertEquals(nobody.code, "auth-failed");
  assertMatch(nobody.message, /Permission denied/);
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const refused = await assertRejects(() => rig.connect({ via: "openssh", port, share: false }), LinkError);
  assertEquals(refused.code, "refused");
});

Deno.test("twenty at once with via openssh start one master", async () => {
  await using rig = await StockRig.start();
  const hosts = await Promise.all(Array.from({ length: 20 }, () => rig.connect({ via: "openssh" })));
  const results = await Promise.all(hosts.map((host, i) => host.exec(`echo ${i}`)));
  assertEquals(results.map(({ stdout }) => stdout), hosts.map((_, i) => `${i}\n`));
  assertEquals(rig.sshd.connections(), 1);
  for (const host of hosts) await host.close();
});

Deno.test("a large copy to a host that needs the installed ssh takes a lane that another ssh makes, and ends it", async () => {
  await using certified = await certificateRig();
  const { rig, config } = certified;
  const large = await rig.home.write("large", "x".repeat(96 * 1024 * 1024));
  const host = await rig.connect({ configFile: config, controlPersist: 60, lanes: 2 });
  await host.copy(large, "large");
  assertEquals([rig.sshd.connections(), host.load.lanes], [2, 1]);
  const isMaster = (pid: number) => procText(pid, "tr '\\0' ' ' < cmdline").includes(" -M -N ");
  const masters = rig.processes().filter(isMaster);
  const [shared] = await rig.masters();
  assertEquals([masters.length, masters.includes(shared.pid)], [2, true]);
  await host.close();
  await gone(masters.filter((pid) => pid !== shared.pid));
});
