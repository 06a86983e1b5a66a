import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CarpoolError } from "../../lib/base/errors.ts";
import { openssh } from "./openssh.ts";
import { alive } from "./processes.ts";
import { run, type RunResult, start } from "./run.ts";
import { type Sshd, startSshd } from "./sshd.ts";
import { provide, unpackedTool } from "./tools.ts";

async function ssh(server: Sshd, ...args: string[]): Promise<RunResult> {
  const tools = await openssh();
  return await run(tools.ssh, ["-F", server.configFile, ...args], { env: tools.env });
}

Deno.test("sshd runs a command for stock ssh", async () => {
  await using server = await startSshd();
  const result = await ssh(server, "test", "echo ok");
  assertEquals([result.stdout, result.stderr, result.code], ["ok\n", "", 0]);
});

Deno.test("sshd counts each connection and session when stock ssh connects twice", async () => {
  await using server = await startSshd();
  assertEquals([server.connections(), server.sessions()], [0, 0]);
  await ssh(server, "test", "true");
  assertEquals([server.connections(), server.sessions()], [1, 1]);
  await ssh(server, "test", "true");
  assertEquals([server.connections(), server.sessions()], [2, 2]);
});

Deno.test("sshd gives the account an empty home and another uid than root", async () => {
  await using server = await startSshd();
  const result = await ssh(server, "test", "id -u; ls -A | wc -l; pwd; id -un");
  const [uid, files, home, name] = result.stdout.trim().split("\n").map((line) => line.trim());
  assertEquals([Number(uid), files, home, name], [server.uid, "0", server.home, "tester"]);
  if (Deno.uid() === 0) assertNotEquals(uid, "0");
  else assertEquals(Number(uid), Deno.uid());
});

Deno.test("sshd obeys MaxSessions when its configuration sets it", async () => {
  await using server = await startSshd({ config: ["MaxSessions 1"] });
  const tools = await openssh();
  const socket = `${server.dir}/client/s`;
  const args = ["-F", server.configFile, "-o", `ControlPath=${socket}`];
  const master = ["-M", ...args, "test", "echo ready; cat /dev/zero >/dev/null"];
  await using first = start(tools.ssh, master, { env: tools.env });
  await first.waitFor(/ready/);
  const second = await run(tools.ssh, [...args, "-o", "BatchMode=yes", "test", "echo ran"], {
    env: tools.env,
  });
  assertStringIncludes(second.stderr, "Session open refused by peer");
  await ssh(server, "-O", "exit", "-o", `ControlPath=${socket}`, "test");
});

Deno.test("sshd reads the configuration lines of the caller before its own", async () => {
  await using server = await startSshd({
    config: ["LogLevel DEBUG", "Match User tester", "ForceCommand echo forced"],
  });
  assertEquals((await ssh(server, "test", "echo asked")).stdout, "forced\n");
  assertStringIncludes(server.log(), "debug1:");
});

Deno.test("sshd listens on many addresses when hosts are given", async () => {
  const hosts = Array.from({ length: 40 }, (_, i) => `127.0.7.${i + 1}`);
  await using server = await startSshd({ hosts });
  for (const alias of ["test", "test17", "test40", "127.0.7.39"]) {
    assertEquals((await ssh(server, alias, "echo $SSH_CONNECTION")).stdout.split(" ").length, 4, alias);
  }
  assertEquals(server.connections(), 4);
  assertEquals(server.listenerPids().length, 3);
});

Deno.test("sshd takes the password when one is set", async () => {
  await using server = await startSshd({ password: "open sesame" });
  const tools = await openssh();
  const askpass = `${server.dir}/client/askpass`;
  await Deno.writeTextFile(askpass, "#!/bin/sh\necho open sesame\n", { mode: 0o700 });
  const env = { ...tools.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":0" };
  const args = ["-F", server.configFile, "-o", "PreferredAuthentications=password", "test", "echo in"];
  const result = await run(tools.ssh, args, { env });
  assertEquals(result.stdout, "in\n", result.stderr);
});

Deno.test("sshd gives a terminal when one is asked for", async () => {
  await using server = await startSshd();
  const result = await ssh(server, "-tt", "test", "tty");
  assertStringIncludes(result.stdout, "/dev/pts/", result.stderr);
});

Deno.test("sshd serves sftp", async () => {
  await using server = await startSshd();
  const tools = await openssh();
  const from = server.knownHostsFile;
  const copied = await run(tools.sftp, [...tools.sshOption, "-F", server.configFile, "-b", "-", "test"], {
    stdin: `put ${from} copied\n`,
    env: tools.env,
  });
  assert(copied.success, copied.stderr);
  assertEquals(await Deno.readTextFile(`${server.home}/copied`), await Deno.readTextFile(from));
});

Deno.test("sshd gives sessions the programs it is told to", async () => {
  await using server = await startSshd({ programs: [await unpackedTool("mksh", ["mksh"])] });
  const result = await ssh(server, "test", "mksh -c 'echo $KSH_VERSION'");
  assertStringIncludes(result.stdout, "MIRBSD KSH", result.stderr);
});

Deno.test("sshd serves scp in its old protocol", async () => {
  await using server = await startSshd({ programs: [await provide("scp", "openssh-client")] });
  const tools = await openssh();
  const words = [...tools.sshOption, "-O", "-F", server.configFile, server.knownHostsFile, "test:copied"];
  const copied = await run(tools.scp, words, { env: tools.env });
  assert(copied.success, copied.stderr);
  assertEquals(
    await Deno.readTextFile(`${server.home}/copied`),
    await Deno.readTextFile(server.knownHostsFile),
  );
});

Deno.test("sshd leaves no process and no file when it is stopped under load", async () => {
  const server = await startSshd();
  const tools = await openssh();
  const script = "(setsid sleep 1000 >/dev/null 2>&1 &); echo ready; sleep 1000";
  await using client = start(tools.ssh, ["-F", server.configFile, "test", script], { env: tools.env });
  await client.waitFor(/ready/);
  const pids = [...server.processes(), ...server.listenerPids()];
  // At least the connection's process, the shell, and the sleep that has left the shell's session.
  assert(pids.length >= 4, `${pids}`);
  await server.stop();
  await server.stop();
  assertEquals(alive(pids), []);
  await assertRejects(() => Deno.stat(server.dir), Deno.errors.NotFound);
});

Deno.test("sshd drops its connections and listens on", async () => {
  await using server = await startSshd();
  const tools = await openssh();
  await using client = start(tools.ssh, ["-F", server.configFile, "test", "echo ready; sleep 1000"], {
    env: tools.env,
  });
  await client.waitFor(/ready/);
  await server.dropConnections();
  assertEquals((await client.finished).code, 255);
  assertEquals((await ssh(server, "test", "echo again")).stdout, "again\n");
});

Deno.test("sshd changes nothing of the system", async () => {
  const look = async () => [
    await Deno.readTextFile("/etc/passwd"),
    await Deno.readTextFile("/etc/group"),
    [...Deno.readDirSync("/run")].map(({ name }) => name).filter((name) => name.startsWith("sshd")).join(" "),
  ];
  const before = await look();
  {
    await using server = await startSshd();
    await ssh(server, "test", "true");
    assertEquals(await look(), before);
  }
  assertEquals(await look(), before);
});

Deno.test("sshd says why when its configuration is wrong", async () => {
  const error = await assertRejects(() => startSshd({ config: ["NoSuchKeyword yes"] }), CarpoolError);
  assertStringIncludes(error.message, "NoSuchKeyword");
});
