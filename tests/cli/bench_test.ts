import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { KeeperWorld } from "../master/keeper_world.ts";
import { provide } from "../support/tools.ts";

/** Runs on a pseudo-terminal of `script`, types an answer once the question stands there, and answers what was shown. */
async function onTerminal(world: KeeperWorld, args: readonly string[], answer: string): Promise<string> {
  const script = await provide("script", "bsdutils");
  const words = [
    Deno.execPath(),
    "run",
    "--quiet",
    "-A",
    "--no-config",
    "--no-lock",
    "--no-check",
    COMMAND,
    ...args,
  ];
  const child = new Deno.Command(script.path, {
    args: ["-qec", words.map((word) => `'${word}'`).join(" "), "/dev/null"],
    env: { ...script.env, ...world.home.env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  let output = "";
  let asked = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (asked || !output.includes("(y/N) ")) continue;
    asked = true;
    await writer.write(new TextEncoder().encode(answer));
  }
  await writer.close().catch(() => {});
  await child.status;
  assert(asked, output);
  return output;
}

const COMMAND = new URL("../../mod.ts", import.meta.url).pathname;

Deno.test("carpool bench compares three ways on a real host and ends in one sentence", async () => {
  await using world = await KeeperWorld.make();
  const { sshd } = world;
  // The installed ssh needs the accounts that this server was given; Carpool does not mind.
  const env = { ...sshd.openssh.env, PATH: `${sshd.openssh.ssh.replace(/\/[^/]*$/, "")}:/usr/bin:/bin` };
  const args = ["bench", "--yes", "--rounds", "2", "-F", world.configFile, "test"];
  const { code, stdout, stderr } = await world.run(args, { env });
  assertEquals([code, stderr], [0, ""], stdout);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines[0], 'test: one "true", median');
  assertMatch(stdout, /carpool, sharing one connection .* 1\.0 × {3}10 times/);
  assertMatch(stdout, /carpool, a connection for each command .* 2 times/);
  assertMatch(stdout, /ssh, a new one each time .* 2 times/);
  assertMatch(lines.at(-1)!, /^Sharing saves .* per command here \(.*, and it pays from .* on\.$/);
  // The shared one, three of Carpool's own (one to load everything), two of ssh.
  assertEquals(sshd.connections(), 6);
  assertEquals((await world.masters()).length, 1);
});

Deno.test("carpool bench lets ssh read the configuration of this HOME, which ssh itself would not", async () => {
  await using world = await KeeperWorld.make();
  const { sshd } = world;
  const env = { ...sshd.openssh.env, PATH: `${sshd.openssh.ssh.replace(/\/[^/]*$/, "")}:/usr/bin:/bin` };
  // Known hosts and the key are found by HOME alone.
  const config = (await Deno.readTextFile(world.configFile))
    .replace(/IdentityFile .*/, "IdentityFile ~/.ssh/own").replace(/UserKnownHostsFile .*\n/, "");
  await world.home.write(".ssh/config", "Include more/*\n");
  await world.home.write(".ssh/more/one", config);
  await world.home.write(".ssh/own", await Deno.readTextFile(sshd.identityFile));
  await world.home.write(".ssh/known_hosts", await Deno.readTextFile(sshd.knownHostsFile));
  const { code, stdout } = await world.run(["bench", "--yes", "--rounds", "1", "test"], { env });
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /ssh, a new one each time .* 1 times/);
  assertEquals([...Deno.readDirSync(`${world.home.path}/tmp`)], []);
});

Deno.test("carpool bench without ssh says so, and compares the rest", async () => {
  await using world = await KeeperWorld.make();
  const args = ["bench", "-y", "--rounds", "1", "-F", world.configFile, "test"];
  const { code, stdout } = await world.run(args, { env: { PATH: "/nowhere" } });
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /ssh, a new one each time +not measured: there is no ssh on PATH\n/);
  assertMatch(stdout, /\nSharing saves .*\.\n$/);
});

Deno.test("carpool bench contacts nobody when it may not, and nobody can be asked", async () => {
  await using world = await KeeperWorld.make();
  const setsid = await provide("setsid", "util-linux");
  const words = [Deno.execPath(), "run", "--quiet", "-A", "--no-config", "--no-lock", "--no-check", COMMAND];
  const { code, stderr } = await new Deno.Command(setsid.path, {
    args: ["--wait", ...words, "bench", "-F", world.configFile, "test"],
    env: { ...world.home.env, ...setsid.env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "it asks before it begins, and nobody can answer; say so with --yes",
  );
  assertEquals(world.sshd.connections(), 0);
});

Deno.test("carpool bench asks on the terminal: no is the default, yes goes on", async () => {
  await using world = await KeeperWorld.make();
  const args = ["bench", "--rounds", "1", "-F", world.configFile, "test"];
  const refused = await onTerminal(world, args, "\n");
  assertStringIncludes(refused, "Log in to test up to 4 times");
  assertStringIncludes(refused, "Nothing was done.");
  assertEquals(world.sshd.connections(), 0);
  assertMatch(await onTerminal(world, args, "y\n"), /Sharing saves .*\./);
  assert(world.sshd.connections() > 0);
});

Deno.test("carpool bench says why a host cannot be reached, as every command does", async () => {
  await using world = await KeeperWorld.make();
  await world.sshd.stop();
  const { code, stdout, stderr } = await world.run(["bench", "-y", "-F", world.configFile, "test"]);
  assertEquals([code, stdout], [4, ""], stderr);
  assertMatch(stderr, /^carpool: Cannot connect: .*\n$/);
});

Deno.test("carpool bench refuses what leaves nothing to compare", async () => {
  await using world = await KeeperWorld.make();
  const { code, stderr } = await world.run(["bench", "-y", "--no-share", "-F", world.configFile, "test"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--no-share: what sharing saves cannot be found without sharing");
});
