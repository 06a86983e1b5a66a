import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { run as start } from "../support/run.ts";
import { shell } from "../support/shells.ts";
import { startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";
import { carpool } from "./carpool.ts";

/** `carpool: what: where: why; what to do`, on one line of standard error. */
function assertFourParts(stderr: string, parts: readonly string[]): void {
  const lines = stderr.trimEnd().split("\n");
  assertEquals(lines.length, 1, `one line expected:\n${stderr}`);
  assertMatch(lines[0], /^carpool: [A-Z][^:]+: .+: .+; .+$/, "what: where: why; fix");
  for (const part of parts) assertStringIncludes(lines[0], part);
}

Deno.test("bad input gets one clear message in four parts, the right exit status, and nothing half-done", async (t) => {
  await using sshd = await startSshd({});
  await using home = await TempHome.make();
  const options = ["-F", sshd.configFile, "-o", "ControlMaster=no", "-o", "BatchMode=yes"];
  const run = (...args: string[]) =>
    carpool(args, { cwd: home.path, env: home.env, clearEnv: true, deadlineMs: 60_000 });
  const untouched = () => assertEquals([...Deno.readDirSync(sshd.home)].map(({ name }) => name), []);

  await t.step("an unknown host", async () => {
    const { code, stderr, stdout } = await run("exec", ...options, "no-such-host.invalid", "--", "true");
    assertEquals([code, stdout], [255, ""]);
    assertFourParts(stderr, ["Cannot connect", "no-such-host.invalid:", "does not resolve", "spelling"]);
  });

  await t.step("a refused port", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    const { code, stderr } = await run("exec", ...options, "-p", `${port}`, "test", "--", "true");
    assertEquals(code, 255);
    assertFourParts(stderr, ["Cannot connect", `:${port}`, "connection refused", "check the port"]);
  });

  await t.step("a wrong key", async () => {
    const other = join(home.path, "other_key");
    const args = ["-q", "-t", "ed25519", "-N", "", "-f", other];
    await start(sshd.openssh.sshKeygen, args, { env: { ...home.env, ...sshd.openssh.env } });
    const alone = [
      "-F",
      "none",
      "-o",
      "ControlMaster=no",
      "-o",
      "BatchMode=yes",
      "-o",
      `UserKnownHostsFile=${sshd.knownHostsFile}`,
    ];
    const wrong = await run(
      "exec",
      ...alone,
      "-i",
      other,
      "-o",
      "IdentitiesOnly=yes",
      "-p",
      `${sshd.port}`,
      `${sshd.user}@${sshd.host}`,
      "--",
      "true",
    );
    assertEquals(wrong.code, 255);
    assertFourParts(wrong.stderr, [`${sshd.user}@${sshd.host}:${sshd.port}`, "other_key", "publickey"]);
  });

  await t.step("an unreachable jump host", async () => {
    const { code, stderr } = await run("exec", ...options, "-J", "nobody@127.0.0.1:1", "test", "--", "true");
    assertEquals(code, 255);
    assertFourParts(stderr, ["Cannot connect", "nobody@127.0.0.1:1", "refused"]);
  });

  await t.step("a jump host that cannot reach the target", async () => {
    const jump = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const { code, stderr } = await run("exec", ...options, "-J", jump, "-p", "1", "127.0.0.1", "--", "true");
    assertEquals(code, 255);
    assertFourParts(stderr, ["through the jump host", jump, "127.0.0.1:1", "check the address"]);
  });

  await t.step("a missing local file", async () => {
    const { code, stderr } = await run("copy", ...options, "no-such-file.txt", "test:there.txt");
    assertEquals(code, 2); // found before anything is contacted, as a bad file is
    assertFourParts(stderr, ["no-such-file.txt"]);
    untouched();
  });

  await t.step("a malformed task file, before anything is contacted", async () => {
    const before = sshd.connections();
    await home.write("tasks/bad.yaml", "hosts: [test]\nsteps:\n  - exec: true\n    timout: 3s\n");
    const { code, stderr } = await run("run", "bad", ...options);
    assertEquals(code, 2);
    assertMatch(stderr, /bad\.yaml:4:5/);
    assertStringIncludes(stderr, "timout");
    assertStringIncludes(stderr, "timeout");
    assertEquals(sshd.connections(), before);
  });

  await t.step("a key that is not there is told as ssh tells it, once, and others are tried", async () => {
    const args = ["exec", ...options, "-i", "/nonexist", "-i", "~/no key", "test,127.0.0.1", "--", "true"];
    const { code, stderr } = await run(...args);
    assertEquals([code, stderr.split("\n").toSorted()], [0, [
      "",
      "carpool: warning: Identity file /nonexist not accessible: no such file or directory",
      "carpool: warning: Identity file ~/no key not accessible: no such file or directory",
    ]]);
  });

  await t.step("a report or a journal that cannot be written, before anything is contacted", async () => {
    const before = sshd.connections();
    await home.write("tasks/fine.yaml", "hosts: [test]\nsteps:\n  - exec: touch ran\n");
    await home.write("file", "");
    const fine = ["run", "fine", ...options];
    const reports: [readonly string[], string][] = [
      [["--report", "/nonexist/x.html"], "/nonexist/x.html: no such file or directory; name a file"],
      [["--report", "file/x.html"], "file/x.html: not a directory; name a file"],
      [["--report", "/proc/x.html"], "/proc/x.html: no such file or directory; name a file"],
    ];
    for (const [args, says] of reports) {
      for (const command of [fine, ["exec", ...options, "test", "--", "touch ran"]]) {
        const { code, stderr } = await run(command[0]!, ...args, ...command.slice(1));
        assertEquals(code, 2);
        assertFourParts(stderr, ["Cannot write the report", says]);
      }
    }
    const states: [string, readonly string[], string][] = [
      ["/proc", fine, "/proc/carpool/runs: no such file or directory; set XDG_STATE_HOME"],
      [join(home.path, "file"), fine, "/file/carpool/runs: not a directory; set XDG_STATE_HOME"],
      [
        join(home.path, "file"),
        ["run", "--resume"],
        "/file/carpool/runs: not a directory; set XDG_STATE_HOME",
      ],
      [join(home.path, "file"), ["runs"], "/file/carpool/runs: not a directory; set XDG_STATE_HOME"],
    ];
    for (const [XDG_STATE_HOME, args, says] of states) {
      const { code, stdout, stderr } = await carpool(
        args[0] === "run" ? [...args, "--report", "report.html"] : args,
        { cwd: home.path, env: { ...home.env, XDG_STATE_HOME }, clearEnv: true },
      );
      assertEquals([code, stdout], [2, ""], stderr);
      assertFourParts(stderr, [says]);
    }
    assertEquals(sshd.connections(), before);
    untouched();
    const left = [...Deno.readDirSync(home.path)].map(({ name }) => name).filter((name) =>
      /report/.test(name)
    );
    assertEquals(left, []);
  });

  await t.step("an unknown option", async () => {
    const { code, stderr } = await run("exec", "--tmeout", "3s", "test", "--", "true");
    assertEquals(code, 2);
    assertFourParts(stderr, ["--tmeout", "there is no such option", "--timeout"]);
  });

  await t.step("an unknown option of ssh_config", async () => {
    const { code, stderr } = await run("exec", ...options, "-o", "Prot=22", "test", "--", "true");
    assertEquals(code, 2);
    assertFourParts(stderr, ["Prot", "Port"]);
  });

  await t.step("an unknown host key, with nobody to ask", async () => {
    const { code, stderr } = await run(
      ...["exec", "-F", "none", "-o", "ControlMaster=no", "-i", sshd.identityFile, "-p", `${sshd.port}`],
      ...[`${sshd.user}@${sshd.host}`, "--", "true"],
    );
    assertEquals(code, 255);
    assertFourParts(stderr, [`${sshd.host}`, "SHA256:"]);
    assert(!(await exists(join(home.path, ".ssh/known_hosts"))));
  });

  await t.step("a remote disk that is full leaves the old file whole and no other", async () => {
    // A limit on file sizes ends writes as a full disk does, and needs no file system of our own. bash reads .bashrc
    // when sshd starts it.
    await using full = await startSshd({ loginShell: await shell("bash") });
    await Deno.writeTextFile(join(full.home, ".bashrc"), "trap '' XFSZ; ulimit -f 256\n");
    await home.write("big", "x".repeat(3_000_000));
    await home.write("small", "small\n");
    const copy = (name: string) =>
      run("copy", "-F", full.configFile, "-o", "ControlMaster=no", name, "test:file");
    assertEquals((await copy("small")).code, 0);
    const { code, stderr } = await copy("big");
    assertEquals(code, 1);
    // A copy to hosts reports host by host, and sums up.
    const told = stderr.split("\n").filter((line) => line.includes("FAILED"));
    assertEquals(told.length, 1, stderr);
    assertMatch(told[0], /^test: FAILED Cannot copy .+\/big: .+:file: .+; look for a quota/);
    assertEquals([...Deno.readDirSync(full.home)].map(({ name }) => name).toSorted(), [".bashrc", "file"]);
    assertEquals(await Deno.readTextFile(join(full.home, "file")), "small\n");
  });
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a place for temporary files that is not there is told in four parts", async () => {
  await using home = await TempHome.make();
  const env = { ...home.env, TMPDIR: "/nonexist" };
  const { code, stderr } = await carpool(["demo", "--hosts", "1"], { cwd: home.path, env, clearEnv: true });
  assertEquals(code, 2);
  assertFourParts(stderr, ["Cannot make a temporary file: /nonexist: no such file or directory; set TMPDIR"]);
});

Deno.test("a home that cannot be written is told in plain words, once, and the command runs all the same", async () => {
  await using sshd = await startSshd({});
  await using home = await TempHome.make();
  const config = (await Deno.readTextFile(sshd.configFile)).replace(/^ *ControlPath none\n/m, "");
  await home.write("config", config);
  const { code, stdout, stderr } = await carpool(["exec", "-F", "config", "test", "--", "echo ran"], {
    cwd: home.path,
    env: { ...home.env, HOME: "/proc/nope" },
    clearEnv: true,
  });
  assertEquals([code, stdout], [0, "ran\n"]);
  assertMatch(
    stderr,
    /^Not sharing the connection to .*: Cannot start the keeper: \S+: no such file or directory\n$/,
  );
});
