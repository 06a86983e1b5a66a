import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { fc } from "fast-check";
import { CarpoolError, TargetError } from "../../lib/base/errors.ts";
import { expandGlob } from "../../lib/target/config_file.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { TargetOptions } from "../../lib/target/target.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";

/** Resolves with a configuration given as text. */
async function resolve(config: string, destination: string, options: TargetOptions = {}) {
  await using home = await TempHome.make();
  const configFile = await home.write("config", config);
  return await resolveTarget(destination, { configFile, environment: home.env, ...options });
}

async function refusal(config: string, destination = "a", options: TargetOptions = {}): Promise<TargetError> {
  return await assertRejects(() => resolve(config, destination, options), TargetError);
}

Deno.test("explicit options beat -o lines, which beat the destination, which beats the files", async () => {
  const config = "Port 1\nUser one\nHostName from-file\n";
  const { port, user, host } = await resolve(config, "two@a:2", {
    configLines: ["Port=3", "User=three"],
    port: 4,
  });
  assertEquals([port, user, host], [4, "three", "from-file"]);
  assertEquals((await resolve(config, "two@a:2")).where, "two@from-file:2");
});

Deno.test("options of every kind find their keyword", async () => {
  const target = await resolve("", "a", {
    identityFile: ["/k/1", "/k/two words"],
    userKnownHostsFile: ["/kh/1", "/kh/2"],
    strictHostKeyChecking: false,
    connectTimeout: 3,
    forwardAgent: true,
    setEnv: { A: "100% $HOME" },
    sendEnv: ["LANG"],
    controlPersist: 90,
    controlMaster: "no",
    compression: false,
    proxyJump: "me@gate:2200",
    hostKeyAlias: "Alias",
    identitiesOnly: true,
  });
  assertEquals(target.identityFiles.map(({ path }) => path), ["/k/1", "/k/two words"]);
  assertEquals(target.userKnownHostsFiles, ["/kh/1", "/kh/2"]);
  assertEquals([target.strictHostKeyChecking, target.connectTimeoutMs, target.forwardAgent], [
    "no",
    3000,
    true,
  ]);
  assertEquals(target.env, { A: "100% $HOME", LANG: "C.UTF-8" }, "an option is data: no tokens in it");
  assertEquals([target.controlPersistMs, target.controlMaster], [90_000, "no"]);
  assertEquals(target.jumps.map(({ where }) => where), ["me@gate:2200"]);
  assertEquals([target.hostKeyAlias, target.hostKeyName, target.identitiesOnly], ["alias", "alias", true]);
});

Deno.test("a target without any configuration has OpenSSH's defaults and Carpool's sharing", async () => {
  const target = await resolve("", "user@Host.Example:2022");
  assertEquals(target.where, "user@host.example:2022");
  assertEquals(target.hostKeyName, "[host.example]:2022");
  assertEquals([target.controlMaster, target.controlPath, target.controlPersistMs], [
    "auto",
    undefined,
    undefined,
  ]);
  assertEquals(target.authenticationMethods, ["publickey", "keyboard-interactive", "password"]);
  assertEquals([target.warnings, target.needsOpenSsh], [[], []]);
});

Deno.test("the user's and the system's files are both read, the user's first", async () => {
  await using home = await TempHome.make();
  await home.write(".ssh/config", "Port 7\n");
  const systemConfigFile = await home.write("system", "Port 8\nUser sys\nIdentityFile /sys/key\n", 0o666);
  const target = await resolveTarget("a", { environment: home.env, systemConfigFile });
  assertEquals([target.port, target.user], [7, "sys"]);
  assertEquals(target.identityFiles, [{ path: "/sys/key", explicit: false }]);
});

Deno.test("a configuration that others may write is refused", async () => {
  await using home = await TempHome.make();
  const path = await home.write(".ssh/config", "Port 7\n", 0o664);
  const error = await assertRejects(
    () => resolveTarget("a", { environment: home.env, systemConfigFile: "none" }),
    TargetError,
  );
  assertEquals([error.code, error.where], ["bad-config", path]);
  assertMatch(error.message, /bad owner or permissions.*chmod go-w/);
});

Deno.test("an included file that others may write is refused even under -F", async () => {
  await using home = await TempHome.make();
  const included = await home.write("inc", "Port 7\n", 0o666);
  const configFile = await home.write("config", `Include ${included}\n`, 0o666);
  const error = await assertRejects(
    () => resolveTarget("a", { configFile, environment: home.env }),
    TargetError,
  );
  assertEquals(error.where, included);
});

Deno.test("an unreadable configuration is said, not left out", async () => {
  await using home = await TempHome.make();
  await Deno.mkdir(`${home.path}/.ssh/config`);
  const error = await assertRejects(
    () => resolveTarget("a", { environment: home.env, systemConfigFile: "none" }),
    TargetError,
  );
  assertMatch(error.message, /it is a directory/);
});

const mistakes: [string, RegExp][] = [
  ["\n\nProxyJmp x\n", /config:3: unknown keyword "ProxyJmp"; did you mean ProxyJump\?$/],
  ["Zzyzx 1\n", /config:1: unknown keyword "Zzyzx"; remove it, or name it in IgnoreUnknown/],
  [
    "Host b\n  StrictHostKeyChecking yess\n",
    /config:2: "yess" is not a value.*did you mean yes\? allowed: .*accept-new/,
  ],
  ["Port 0\n", /config:1: "0" is not a port/],
  ["ConnectTimeout soon\n", /config:1: "soon" is not a time/],
  ["User\n", /config:1: no argument after "User"/],
  ["User a b\n", /config:1: User has more than one argument/],
  ["User 'a\n", /config:1: a quote is not closed/],
  ["Match hosst a\n", /config:1: unknown Match criterion "hosst"; did you mean host\?/],
  ["Match host\n", /config:1: Match host has no argument/],
  ["Match all host a\n", /config:1: all cannot be combined/],
  ["ProxyJump a;b\n", /config:1: ProxyJump "a;b": the host name contains ";"/],
  ["ProxyJump x,\n", /config:1: ProxyJump "": it has no host name/],
  ["HostName %z\n", /config:1: %z means nothing here; use %h or %%/],
  ["ControlPath /x/${NOPE_X}\n", /config:1: the environment has no NOPE_X; set NOPE_X/],
  ["SetEnv SECRETVALUE\n", /config:1: it is not NAME=value/],
  ["ProxyCommand -\n", /config:1: ProxyCommand - would/],
  ["ConnectionAttempts 0\n", /config:1: ConnectionAttempts must be at least 1/],
  ["UserKnownHostsFile a none\n", /"none" must be the only argument/],
  ["IdentityFile ~no-such-user-here/x\n", /there is no user "no-such-user-here"/],
  ['Match final exec "kill -9 $$"\nMatch exec "kill -9 $$"\n', /Cannot run Match exec: .*ended by SIGKILL/],
];
for (const [config, message] of mistakes) {
  Deno.test(`configuration ${JSON.stringify(config)} is refused with its line`, async () => {
    const error = await refusal(config);
    assertEquals([error.code, error.outcome], ["bad-config", "not-started"]);
    assertMatch(error.message, message);
    assert(!error.message.includes("SECRETVALUE"));
  });
}

Deno.test("RefuseConnection refuses in the configuration's own words", async () => {
  const error = await refusal('Host a\n  RefuseConnection "moved to b"\n');
  assertMatch(error.message, /refuses this connection: .*config:2: moved to b/);
  assertEquals((await resolve('Host a\n  RefuseConnection "moved to b"\n', "b")).host, "b");
});

Deno.test("-o lines say which one is wrong, and nothing of what it holds", async () => {
  assertMatch((await refusal("", "a", { configLines: ["Prot=22"] })).message, /-o Prot: unknown keyword/);
  assertMatch((await refusal("", "a", { configLines: ["Host b"] })).message, /stands in files only/);
  assertMatch((await refusal("", "a", { configLines: ["Port=1\nUser=x"] })).message, /more than one line/);
  assertMatch((await refusal("", "a", { configLines: [""] })).message, /it is empty/);
  assert(!(await refusal("", "a", { configLines: ["SetEnv=s3cret"] })).message.includes("s3cret"));
});

Deno.test("a missing -F file is refused, and none reads nothing", async () => {
  const error = await assertRejects(() => resolveTarget("a", { configFile: "/no/such/file" }), TargetError);
  assertMatch(error.message, /no such file/);
  assertEquals((await resolveTarget("a", { configFile: "none" })).port, 22);
});

Deno.test("Include goes sixteen deep and no deeper", async () => {
  await using home = await TempHome.make();
  for (let i = 0; i < 17; i++) await home.write(`.ssh/c${i}`, `Include c${i + 1}\n`);
  await home.write(".ssh/c16", "Port 16\n");
  const options = { environment: home.env, configFile: `${home.path}/.ssh/c0` };
  assertEquals((await resolveTarget("a", options)).port, 16);
  await home.write(".ssh/c16", "Include c0\n");
  const error = await assertRejects(() => resolveTarget("a", options), TargetError);
  assertMatch(error.message, /too many files include each other/);
});

Deno.test("Include expands tokens, variables, globs and ~, and a system file may not reach into homes", async () => {
  await using home = await TempHome.make();
  await home.write(".ssh/host-a", "Port 10\n");
  await home.write("x/1.conf", "User one\n");
  await home.write("x/2.conf", "User two\nConnectTimeout 2\n");
  const configFile = await home.write("config", "Include ~/.ssh/host-%h ${HOME}/x/[12].conf\n");
  const target = await resolveTarget("a", { environment: home.env, configFile });
  assertEquals([target.port, target.user, target.connectTimeoutMs], [10, "one", 2000]);
  const systemConfigFile = await home.write("system", "Include ~/x/1.conf\n");
  const error = await assertRejects(
    () => resolveTarget("a", { environment: home.env, systemConfigFile }),
    TargetError,
  );
  assertMatch(error.message, /system-wide file cannot include/);
});

Deno.test("Include patterns are those of glob(3)", async () => {
  await using home = await TempHome.make();
  const names = ["a1", "a2", "b1", "a.x", "{a,b}1", ".a1", "a*"];
  for (const name of names) await home.write(`d/${name}`, "");
  const matched = async (pattern: string) =>
    (await expandGlob(`${home.path}/d/${pattern}`)).map((path) => path.slice(home.path.length + 3));
  assertEquals(await matched("a?"), ["a*", "a1", "a2"]);
  assertEquals(await matched("[ab]1"), ["a1", "b1"]);
  assertEquals(await matched("[!a]1"), ["b1"]);
  assertEquals(await matched("a[0-9]"), ["a1", "a2"]);
  assertEquals(await matched("{a,b}1"), ["{a,b}1"], "braces mean nothing");
  assertEquals(await matched("a\\*"), ["a*"]);
  assertEquals(await matched(".a*"), [".a1"]);
  assertEquals(await matched("*"), ["a*", "a.x", "a1", "a2", "b1", "{a,b}1"]);
  assertEquals(await matched("[z-a]"), []);
  assertEquals(await matched("no/*"), []);
});

Deno.test("Match exec in a block that does not count is not run", async () => {
  await using home = await TempHome.make();
  const marker = `${home.path}/ran`;
  const included = await home.write("inc", `Match exec "touch ${marker}"\n  Port 9\n`);
  const configFile = await home.write(
    "config",
    `Host other\n  Include ${included}\nMatch host b exec "touch ${marker}"\n`,
  );
  await resolveTarget("a", { environment: home.env, configFile });
  await assertRejects(() => Deno.stat(marker), Deno.errors.NotFound);
});

Deno.test("Tag and Match tagged, version, command and sessiontype are understood", async () => {
  const config = `
Tag blue
Match tagged blu*
  Port 5
Match tagged ""
  User untagged
Match version OpenSSH_[0-9]*,OpenSSH_1*
  ConnectTimeout 5
Match command "uptime"
  User wrong
Match sessiontype exec
  ServerAliveInterval 6
`;
  const target = await resolve(config, "a");
  assertEquals([target.port, target.connectTimeoutMs, target.serverAliveIntervalMs], [5, 5000, 6000]);
  assert(target.user !== "wrong" && target.user !== "untagged");
  assertEquals(target.warnings.filter((warning) => /Match (command|sessiontype)/.test(warning)).length, 2);
});

Deno.test("Match localnetwork looks at this machine's addresses", async () => {
  const config =
    "Match localnetwork 127.0.0.0/8\n  Port 5\nMatch localnetwork 203.0.113.0/24\n  User wrong\n";
  const target = await resolve(config, "a");
  assertEquals([target.port, target.user !== "wrong"], [5, true]);
  assertMatch((await refusal("Match localnetwork 127.0.0.1/8\n")).message, /is no network/);
});

Deno.test("what Carpool does not do is said with its place, and what is switched off is not", async () => {
  const config = `
LocalForward 8080 localhost:80
ForwardX11 no
VerifyHostKeyDNS ask
Compression yes
PermitLocalCommand no
LocalCommand echo hi
HostbasedAuthentication yes
ObscureKeystrokeTiming no
GSSAPIAuthentication yes
`;
  const { warnings, needsOpenSsh } = await resolve(config, "a");
  assertEquals(warnings.map((warning) => /config:(\d+): (\w+)/.exec(warning)!.slice(1, 3)), [
    ["2", "LocalForward"],
    ["4", "VerifyHostKeyDNS"],
    ["5", "Compression"],
    ["8", "HostbasedAuthentication"],
  ]);
  assertEquals(needsOpenSsh, []);
  assertEquals((await resolve("ClearAllForwardings yes\nLocalForward 1 a:1\n", "a")).warnings, []);
});

Deno.test("what only OpenSSH can do is recorded as a need of it", async () => {
  const needs = async (config: string) => (await resolve(config, "a")).needsOpenSsh.join("\n");
  assertMatch(await needs("CertificateFile /c\n"), /certificate \/c/);
  assertMatch(await needs("PKCS11Provider /lib/p11.so\n"), /PKCS11Provider/);
  assertMatch(await needs("KnownHostsCommand /bin/kh\n"), /KnownHostsCommand/);
  assertMatch(
    await needs("GSSAPIAuthentication yes\nPreferredAuthentications gssapi-with-mic\n"),
    /gssapi-with-mic/,
  );
  assertMatch(await needs("ProxyCommand nc -F %h\nProxyUseFdpass yes\n"), /ProxyUseFdpass/);
  assertEquals(await needs("PKCS11Provider none\nKnownHostsCommand none\nProxyUseFdpass yes\n"), "");
});

Deno.test("a certificate beside a key and a FIDO key need OpenSSH", async () => {
  await using home = await TempHome.make();
  const tools = await openssh();
  const keygen = async (...args: string[]) =>
    assert((await run(tools.sshKeygen, args, { env: tools.env })).success);
  await keygen("-q", "-t", "ed25519", "-N", "", "-f", `${home.path}/ca`);
  await keygen("-q", "-t", "ed25519", "-N", "", "-f", `${home.path}/.ssh/id_ed25519`);
  const options = { environment: home.env, configFile: "none" };
  assertEquals((await resolveTarget("a", options)).needsOpenSsh, []);
  await keygen("-q", "-s", `${home.path}/ca`, "-I", "me", `${home.path}/.ssh/id_ed25519.pub`);
  assertMatch((await resolveTarget("a", options)).needsOpenSsh.join(), /certificate .*id_ed25519-cert\.pub/);

  // string "sk-ssh-ed25519@openssh.com" · string key · string application
  const type = "sk-ssh-ed25519@openssh.com";
  const field = (text: string) => [0, 0, 0, text.length, ...new TextEncoder().encode(text)];
  const blob = new Uint8Array([...field(type), ...field("k".repeat(32)), ...field("ssh:")]).toBase64();
  await home.write("sk.pub", `${type} ${blob} me\n`);
  const withFido = await resolveTarget("a", { ...options, identityFile: `${home.path}/sk` });
  assertMatch(withFido.needsOpenSsh.join(), /FIDO key .*sk$/);
});

Deno.test("jump hosts are resolved by the configuration itself, each once, in order", async () => {
  const config = `
Host inner
  ProxyJump gate1,other@gate2:2222
Host gate1
  HostName 192.0.2.1
  User g1
  ProxyJump outermost
Host gate2
  HostName 192.0.2.2
  ProxyJump ignored-here
Host outermost
  HostName 192.0.2.9
  ProxyCommand nc %h %p
`;
  const { jumps, proxyCommand } = await resolve(config, "inner");
  assertEquals(jumps.map(({ where }) => where.replace(/^root@/, "")), [
    "g1@192.0.2.1:22",
    "other@192.0.2.2:2222",
  ]);
  assertEquals(jumps[0].jumps.map(({ host }) => host), ["192.0.2.9"], "the first hop has a jump of its own");
  assertEquals(jumps[0].jumps[0].proxyCommand, "nc 192.0.2.9 22");
  assertEquals([jumps[1].jumps, jumps[1].proxyCommand, proxyCommand], [[], undefined, undefined]);
});

Deno.test("jump options of the target do not reach its hops, but batch mode does", async () => {
  const { jumps } = await resolve("", "a", { proxyJump: "b", port: 99, user: "x", batchMode: true });
  assertEquals([jumps[0].port, jumps[0].user === "x", jumps[0].batchMode], [22, false, true]);
});

Deno.test("a long chain of jumps takes no longer than its length", async () => {
  const chain = Array.from({ length: 40 }, (_, i) => `h${i}`).join(",");
  assertEquals((await resolve("", "a", { proxyJump: chain })).jumps.length, 40);
});

Deno.test("jump hosts that lead in a circle are found", async () => {
  const circle = "Host a\n  ProxyJump b\nHost b\n  ProxyJump c\nHost c\n  ProxyJump a\n";
  for (const [config, where] of [[circle, "a"], ["ProxyJump gate\n", "gate"], ["ProxyJump gate\n", "x"]]) {
    const error = await refusal(config, where);
    assertMatch(error.message, /lead in a circle: .* → .*; give the jump host ProxyJump none/);
  }
});

Deno.test("a control path is expanded for both spellings of %C", async () => {
  const config = "ControlPath /run/%C\n";
  const direct = await resolve(config, "u@h:22");
  assertEquals(direct.controlPathAlternatives, [], "without a jump there is but one");
  const sha1 = async (text: string) =>
    new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text))).toHex();
  assertEquals(direct.controlPath, `/run/${await sha1(`${Deno.hostname()}h22u`)}`);
  const jumping = await resolve(config, "u@h:22", { proxyJump: "me@gate.x:2200" });
  assertEquals(jumping.controlPath, direct.controlPath);
  assertEquals(jumping.controlPathAlternatives, [`/run/${await sha1(`${Deno.hostname()}h22ugate.x`)}`]);
});

Deno.test("a user of the configuration may hold tokens; one that was typed may not", async () => {
  assertEquals((await resolve("User %u-%h\n", "b")).user.endsWith("-b"), true);
  assertEquals((await resolve("User %u\n", "100%u@b")).user, "100%u");
  assertEquals((await resolve("User 50%\n", "b")).user, "50%");
  assertMatch(
    (await refusal("User ${EVIL}\n", "b", { environment: { HOME: "/", EVIL: "a;b" } })).message,
    /contains ";"/,
  );
});

Deno.test("hostile configurations throw nothing but CarpoolError", async () => {
  await using home = await TempHome.make();
  const words = fc.constantFrom(
    ...[
      "Host",
      "Match",
      "Include",
      "Port",
      "User",
      "ProxyJump",
      "HostName",
      "ControlPath",
      "SetEnv",
      "IdentityFile",
    ],
    ...[
      "SendEnv",
      "RekeyLimit",
      "IgnoreUnknown",
      "final",
      "all",
      "host",
      "*",
      "!*",
      "%h",
      "%",
      "${",
      "${HOME}",
      "~",
      "~x",
    ],
    ...['"', "'", "\\", "=", "#", ",", "22", "none", "yes", "[", "]", "\0", "\r", "\x1b[2J", "é", "-", "@"],
  );
  const line = fc.array(words, { maxLength: 6 }).map((parts) => parts.join(" "));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      const configFile = await home.write("config", lines.join("\n"));
      try {
        await resolveTarget("a", { configFile, environment: home.env });
      } catch (error) {
        assertInstanceOf(error, CarpoolError, `${error}`);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a target holds the environment it was resolved with, and no other", async () => {
  const environment = { HOME: "/nowhere", SSH_AUTH_SOCK: "/agent.sock" };
  const target = await resolveTarget("a", { configFile: "none", environment });
  assertEquals([target.environment, target.identityAgent], [environment, "/agent.sock"]);
});
