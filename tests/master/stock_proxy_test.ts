import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { run } from "../support/run.ts";
import { git, provide } from "../support/tools.ts";
import { StockRig } from "./stock_rig.ts";

const BULK_BYTES = 50_000_000;

/** Repeats itself only after 2^32 words, so that no piece of it can stand for another. */
function bulk(bytes: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(bytes / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return new Uint8Array(digest).toHex();
}

/** An `ssh` for programs that call one: it can only go through the control socket. */
function proxySsh(rig: StockRig): Promise<string> {
  const words = [rig.sshd.openssh.ssh, ...rig.stockArgs(["-O", "proxy"])];
  return rig.home.write("proxy-ssh", `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, 0o755);
}

Deno.test("ssh -O proxy passes output, errors and every exit status on", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  for (const status of [0, 1, 7, 254, 255]) {
    const { code, stdout, stderr } = await rig.stock([
      "-O",
      "proxy",
      "test",
      `echo out; echo err >&2; exit ${status}`,
    ]);
    assertEquals([code, stdout, stderr], [status, "out\n", "err\n"]);
  }
  const killed = await rig.stock(["-O", "proxy", "test", "kill -9 $$"]);
  assertEquals(killed.code, 255);
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("ssh -O proxy carries 50 MB each way, byte for byte", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  const sent = bulk(BULK_BYTES);
  const digest = await sha256(sent);
  const up = await rig.stock(["-O", "proxy", "test", "tee bulk | sha256sum"], { stdin: sent });
  assertEquals([up.code, up.stdout], [0, `${digest}  -\n`], up.stderr);
  const down = await rig.stock(["-O", "proxy", "test", "cat bulk"]);
  assertEquals([down.code, await sha256(down.stdoutBytes)], [0, digest], down.stderr);
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("ten ssh -O proxy at once each get their own 5 MB, on one connection", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  await Promise.all(Array.from({ length: 10 }, async (_, i) => {
    const sent = bulk(5_000_000).map((byte) => byte ^ i);
    const echoed = await rig.stock(["-O", "proxy", "test", `cat; exit ${i}`], { stdin: sent });
    assertEquals([echoed.code, await sha256(echoed.stdoutBytes)], [i, await sha256(sent)], echoed.stderr);
  }));
  assertEquals([rig.sshd.connections(), rig.sshd.sessions()], [1, 10]);
});

Deno.test("ssh -tt -O proxy gets bulk output whole, although it announces packets of 16 KiB", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  // What a terminal would change is not in it; `stty` keeps line ends as they are.
  const { code, stdoutBytes } = await rig.stock([
    ...["-tt", "-O", "proxy", "test"],
    "stty -opost; i=0; while [ $i -lt 200000 ]; do echo $i; i=$((i+1)); done",
  ]);
  const wanted = Array.from({ length: 200_000 }, (_, i) => `${i}\n`).join("");
  assertEquals(code, 0);
  assertEquals(await sha256(stdoutBytes), await sha256(new TextEncoder().encode(wanted)));
});

Deno.test("sftp through ssh -O proxy puts and gets a file", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  const { sftp } = rig.sshd.openssh;
  const sent = bulk(10_000_000);
  const [source, back] = [join(rig.home.path, "source"), join(rig.home.path, "back")];
  await Deno.writeFile(source, sent);
  const batch = await rig.home.write("batch", `put ${source} there\nget there ${back}\nls -l there\n`);
  const { code, stderr } = await run(
    sftp,
    ["-S", await proxySsh(rig), "-F", rig.noWayConfig, "-b", batch, "test"],
    { env: rig.env, clearEnv: true },
  );
  assertEquals(code, 0, stderr);
  assertEquals(await sha256(await Deno.readFile(back)), await sha256(sent));
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("rsync through ssh -O proxy brings a tree there and back", async () => {
  const rsync = await provide("rsync");
  await using rig = await StockRig.start({ programs: [rsync] });
  await rig.openMaster();
  const tree = join(rig.home.path, "tree");
  await Deno.mkdir(join(tree, "sub"), { recursive: true });
  await Deno.writeFile(join(tree, "big"), bulk(10_000_000));
  await Deno.writeTextFile(join(tree, "sub", "small"), "small\n");
  const env = { ...rig.env, ...rsync.env };
  const ssh = await proxySsh(rig);
  for (const [from, to] of [[`${tree}/`, "test:tree/"], ["test:tree/", join(rig.home.path, "back/")]]) {
    const { code, stderr } = await run(rsync.path, ["-r", "-c", "-e", ssh, from, to], {
      env,
      clearEnv: true,
    });
    assertEquals(code, 0, stderr);
  }
  const diff = await run("/usr/bin/diff", ["-r", tree, join(rig.home.path, "back")]);
  assertEquals([diff.code, diff.stdout], [0, ""]);
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("git clones and pushes through ssh -O proxy", async () => {
  const tool = await git();
  await using rig = await StockRig.start({ programs: [tool] });
  await rig.openMaster();
  const env = {
    ...rig.env,
    ...tool.env,
    GIT_SSH_COMMAND: await proxySsh(rig),
    GIT_SSH_VARIANT: "ssh",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  const made = await rig.stock([
    ...["-O", "proxy", "test"],
    "git init -q -b main r && cd r && echo first > file && git add file && " +
    "git -c user.name=n -c user.email=e commit -q -m one && git config receive.denyCurrentBranch ignore",
  ]);
  assertEquals(made.code, 0, made.stderr);
  const clone = join(rig.home.path, "clone");
  const gitIn = async (args: string[]) => {
    const { code, stdout, stderr } = await run(tool.path, args, { env, clearEnv: true });
    assertEquals(code, 0, stderr);
    return stdout;
  };
  await gitIn(["clone", "-q", `test:${rig.sshd.home}/r`, clone]);
  assertEquals(await Deno.readTextFile(join(clone, "file")), "first\n");
  const identity = ["-c", "user.name=n", "-c", "user.email=e"];
  await gitIn(["-C", clone, ...identity, "commit", "-q", "--allow-empty", "-m", "two"]);
  await gitIn(["-C", clone, "push", "-q"]);
  const log = await rig.stock(["-O", "proxy", "test", "git -C r log --format=%s main"]);
  assertEquals(log.stdout, "two\none\n");
  assertEquals(rig.sshd.connections(), 1);
});
