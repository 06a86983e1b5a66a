/** Large files that the installed `ssh` moves over a master of its own: no byte of them passes through this process. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import type { CopyProgress } from "../../lib/host/copy_options.ts";
import type { Host } from "../../lib/host/host.ts";
import { StockRig } from "../master/stock_rig.ts";
import { gone, processesMarked, signalProcess } from "../support/processes.ts";
import { run } from "../support/run.ts";
import type { SshdOptions } from "../support/sshd.ts";
import { leftBehind, tempDir } from "./sftp_server.ts";

const MiB = 1024 * 1024;

/** Bytes that differ everywhere. */
async function writeLarge(path: string, size: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const block = new Uint32Array(MiB / 4);
  for (let at = 0; at < size; at += MiB) {
    for (let word = 0; word < block.length; word++) block[word] = (at + word) * 2654435761;
    const bytes = new Uint8Array(block.buffer).subarray(0, Math.min(MiB, size - at));
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  }
}

async function same(a: string, b: string): Promise<boolean> {
  return (await run("cmp", ["-s", "--", a, b])).code === 0;
}

/** What a process has read so far, of files, sockets and pipes. */
async function readBy(pid: number): Promise<number> {
  const { stdout } = await run("/bin/sh", ["-c", 'cat "/proc/$1/io"', "sh", String(pid)]);
  return Number(/^rchar: (\d+)$/m.exec(stdout)![1]);
}

/** The keeper, by its command line. */
async function keeperOf(rig: StockRig): Promise<number> {
  const { stdout } = await run("/bin/sh", ["-c", "grep -lsF keeper_main.ts /proc/[0-9]*/cmdline; true"]);
  const keepers = [...stdout.matchAll(/\/proc\/(\d+)\//g)].map(([, pid]) => Number(pid));
  const { stdout: sockets } = await run("/bin/sh", [
    "-c",
    'grep -lsF "$@" /dev/null; true',
    "sh",
    rig.home.path,
    ...keepers.map((pid) => `/proc/${pid}/cmdline`),
  ]);
  return Number(/\/proc\/(\d+)\//.exec(sockets)![1]);
}

/** `ssh` processes that ride the rig's master: whoever names its socket and is not the master. */
async function riders(rig: StockRig, master: number): Promise<number[]> {
  const pids = processesMarked(rig.home.path).filter((pid) => pid !== master);
  const lines = pids.map((pid) => `/proc/${pid}/cmdline`);
  const { stdout } = await run("/bin/sh", [
    "-c",
    'grep -lsF "$@" /dev/null; true',
    "sh",
    rig.socket,
    ...lines,
  ]);
  return [...stdout.matchAll(/\/proc\/(\d+)\//g)].map(([, pid]) => Number(pid));
}

/** Until the shortest round trip seen is what this machine can do: on a busy one the first may be a long one. */
async function seeNear(host: Host): Promise<void> {
  do await host.exec("true"); while (host.rttMs === undefined || host.rttMs > 2.5);
}

async function riding(options: SshdOptions = {}) {
  const stack = new AsyncDisposableStack();
  const rig = stack.use(await StockRig.start(options));
  const dir = stack.use(await tempDir());
  const master = await rig.startStockMaster();
  const host = stack.use(await rig.connectAtSocket({ lanes: 4 }));
  assertEquals(host.connection, "openssh-master");
  await seeNear(host);
  return {
    ...{ rig, dir: dir.path, master, host, home: rig.sshd.home },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Calls back once, when so much has moved. */
function at(bytes: number, then: () => void): (progress: CopyProgress) => void {
  let done = false;
  return (progress) => {
    if (done || progress.bytes < bytes) return;
    done = true;
    then();
  };
}

Deno.test("a large file rides an OpenSSH master past this process and the keeper, both ways", async () => {
  await using world = await riding();
  const { rig, dir, host, home } = world;
  const size = 100 * MiB + 12_345;
  await writeLarge(`${dir}/big`, size);
  await Deno.chmod(`${dir}/big`, 0o640);
  await Deno.utime(`${dir}/big`, 1.6e9, 1.6e9);
  const pids = [Deno.pid, await keeperOf(rig)];
  const before = await Promise.all(pids.map(readBy));
  const seen: number[] = [];
  const pushed = await host.copy(`${dir}/big`, "big", { onProgress: ({ bytes }) => void seen.push(bytes) });
  const fetched = await host.fetch("big", `${dir}/back`);
  for (const [index, pid] of pids.entries()) {
    const read = await readBy(pid) - before[index];
    assert(read < 10 * MiB, `process ${index} has read ${read} bytes`);
  }
  assertEquals([pushed.bytes, fetched.bytes, seen.at(-1)], [size, size, size]);
  assert(seen.every((bytes, index) => index === 0 || bytes >= seen[index - 1]));
  for (const copy of [`${home}/big`, `${dir}/back`]) {
    assert(await same(`${dir}/big`, copy));
    const { mode, mtime } = await Deno.stat(copy);
    assertEquals([mode! & 0o777, mtime!.getTime()], [0o640, 1.6e12]);
  }
  assertEquals([rig.sshd.connections(), host.load.lanes], [1, 0]); // no login
  assertEquals([await leftBehind(home), await leftBehind(dir)], [[], []]);
});

Deno.test("names that a shell or ssh could take for something else ride as they are", async () => {
  await using world = await riding();
  const { dir, host, home, rig } = world;
  const names = ["-oProxyCommand=touch x", `it's "$(touch no)" \`id\` \\ ! %h ~ ä\nend`];
  for (const name of names) {
    await writeLarge(`${dir}/${name}`, 65 * MiB);
    await host.copy(`${dir}/${name}`, `${name}.there`);
    assert(await same(`${dir}/${name}`, `${home}/${name}.there`), name);
    await host.fetch(`${name}.there`, `${dir}/${name}.back`);
    assert(await same(`${dir}/${name}`, `${dir}/${name}.back`), name);
    await Deno.remove(`${home}/${name}.there`);
  }
  assertEquals([[...Deno.readDirSync(dir)].length, rig.sshd.connections()], [4, 1]);
});

for (const way of ["copy", "fetch"] as const) {
  Deno.test(`a ${way} whose master dies is interrupted, and the next one goes on where it was`, async () => {
    await using world = await riding();
    const { dir, host, home, rig, master } = world;
    const [from, to] = way === "copy" ? [`${dir}/big`, `${home}/big`] : [`${home}/big`, `${dir}/big`];
    const size = 400 * MiB;
    await writeLarge(from, size);
    const move = (over: typeof host, onProgress?: (progress: CopyProgress) => void) =>
      way === "copy" ? over.copy(from, "big", { onProgress }) : over.fetch("big", to, { onProgress });
    const cut = at(120 * MiB, () => signalProcess(master, "SIGKILL"));
    const error = await assertRejects(() => move(host, cut), CopyError);
    assertEquals(error.code, "interrupted");
    await gone([master]);
    await gone(await riders(rig, master));
    assertEquals((await leftBehind(way === "copy" ? home : dir)).length, 1);
    await Deno.remove(rig.socket).catch(() => {});
    await rig.startStockMaster();
    await using again = await rig.connectAtSocket({ lanes: 4 });
    await seeNear(again);
    const before = await readBy(Deno.pid);
    const result = await move(again);
    assert(result.resumedBytes >= 80 * MiB && result.bytes === size, String(result.resumedBytes));
    // It is compared, for which this side reads its file. (What children have read counts when they have ended.)
    assert(await readBy(Deno.pid) - before < 1.6 * size);
    assert(await same(from, to));
    assertEquals([await leftBehind(home), await leftBehind(dir)], [[], []]);
  });

  Deno.test(`an aborted ${way} ends its ssh, and rejects with the signal's reason`, async () => {
    await using world = await riding();
    const { dir, host, home, rig, master } = world;
    await writeLarge(way === "copy" ? `${dir}/big` : `${home}/big`, 400 * MiB);
    const stop = new AbortController();
    const reason = new DOMException("enough", "AbortError");
    const options = { signal: stop.signal, onProgress: at(20 * MiB, () => stop.abort(reason)) };
    const moving = way === "copy"
      ? host.copy(`${dir}/big`, "big", options)
      : host.fetch("big", `${dir}/big`, options);
    assertEquals(await moving.catch((error) => error), reason);
    await gone(await riders(rig, master));
    assertEquals((await host.exec("echo still there")).stdout, "still there\n");
    assertEquals([...Deno.readDirSync(way === "copy" ? home : dir)].filter(({ name }) => name === "big"), []);
  });
}

Deno.test("ssh ends with the program that started it, even when that is killed", async () => {
  await using world = await riding();
  const { dir, host, home, rig, master } = world;
  await writeLarge(`${dir}/big`, 600 * MiB);
  const program = `${dir}/program.ts`;
  const door = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    program,
    `import { connect } from ${JSON.stringify(door)};
     const [configFile, line, from] = Deno.args;
     const host = await connect("test", { configFile, configLines: [line] });
     do await host.exec("true"); while (host.rttMs > 2.5);
     let said = false;
     await host.copy(from, "big", { onProgress: () => said ||= (console.log("moves"), true) });`,
  );
  const flags = ["run", "-A", "--quiet", "--no-check", "--no-config", "--no-lock"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, program, rig.configFile, `ControlPath=${rig.socket}`, `${dir}/big`],
    env: { ...rig.env },
    clearEnv: true,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  while (!new TextDecoder().decode((await reader.read()).value).includes("moves"));
  const rides = await riders(rig, master);
  assert(rides.length > 0);
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  await gone(rides);
  assertEquals((await host.exec("echo still there")).stdout, "still there\n");
  assert(!await Deno.stat(`${home}/big`).then(() => true, () => false));
});

Deno.test("what the host will not take is said as for any other copy", async () => {
  // Of the kibibytes or half kibibytes that shells count in, at least 80 MiB and at most 160.
  const within = ["/bin/sh", "-c", `trap '' XFSZ; ulimit -f ${160 * 1024}; exec "$@"`, "sh"];
  await using world = await riding({ within });
  const { dir, host, home } = world;
  await writeLarge(`${dir}/big`, 200 * MiB);
  const error = await assertRejects(() => host.copy(`${dir}/big`, "big"), CopyError);
  assertEquals([error.code, error.fix], [
    "remote-failed",
    "look for a quota, a file size limit or a directory in the way",
  ]);
  assertEquals(await leftBehind(home), []);
  await Deno.mkdir(`${home}/closed`, { mode: 0o555 });
  await Deno.chmod(`${home}/closed`, 0o555);
  const denied = await assertRejects(() => host.copy(`${dir}/big`, "closed/big"), CopyError);
  assertEquals(denied.code, "denied");
});

Deno.test("what a start-up file prints is no part of a fetched file", async () => {
  const shell = await Deno.makeTempFile();
  await Deno.writeTextFile(
    shell,
    '#!/bin/sh\ncase "$2" in *sftp-server*) ;; *) echo good morning ;; esac\nexec /bin/sh "$@"\n',
  );
  await Deno.chmod(shell, 0o755);
  try {
    await using world = await riding({ loginShell: shell });
    const { dir, host, home } = world;
    await writeLarge(`${home}/big`, 70 * MiB);
    await host.fetch("big", `${dir}/big`);
    assert(await same(`${home}/big`, `${dir}/big`));
    await host.copy(`${dir}/big`, "again");
    assert(await same(`${home}/big`, `${home}/again`));
  } finally {
    await Deno.remove(shell);
  }
});

Deno.test("what something else gives in place of a file is not taken for it, though it has its size", async () => {
  const shell = await Deno.makeTempFile();
  await Deno.writeTextFile(
    shell,
    `#!/bin/sh\ncase "$2" in *"exit 67; exec cat"*) exec head -c ${
      70 * MiB
    } /dev/zero;; esac\nexec /bin/sh "$@"\n`,
  );
  await Deno.chmod(shell, 0o755);
  try {
    await using world = await riding({ loginShell: shell });
    const { dir, host, home } = world;
    await writeLarge(`${home}/big`, 70 * MiB);
    await host.fetch("big", `${dir}/big`);
    assert(await same(`${home}/big`, `${dir}/big`));
  } finally {
    await Deno.remove(shell);
  }
});

Deno.test("an account that has SFTP alone never gets a file as if it were requests", async () => {
  const { openssh } = await import("../support/openssh.ts");
  const { sftpServer } = await openssh();
  await using world = await riding({ config: [`ForceCommand ${sftpServer}`] });
  const { dir, host, home } = world;
  await writeLarge(`${dir}/big`, 70 * MiB);
  await host.copy(`${dir}/big`, "big");
  await host.fetch("big", `${dir}/back`);
  assert(await same(`${dir}/big`, `${home}/big`) && await same(`${dir}/big`, `${dir}/back`));
});

Deno.test("where the master has no session left, the file comes another way", async () => {
  await using world = await riding({ config: ["MaxSessions 2"] });
  const { dir, host, home, rig } = world;
  await writeLarge(`${dir}/big`, 70 * MiB);
  // Held by somebody else: what remains is one.
  await using held = rig.startStock(["test", "echo up; exec sleep 1000"]);
  await held.waitFor(/up/);
  await host.copy(`${dir}/big`, "big");
  assert(await same(`${dir}/big`, `${home}/big`));
  assertEquals((await host.exec("echo still there")).stdout, "still there\n");
});

Deno.test("a file that grows while it is fetched comes as it was; one that changes while it is copied is left out", async () => {
  await using world = await riding();
  const { dir, host, home } = world;
  await writeLarge(`${home}/log`, 300 * MiB);
  await run("cp", [`${home}/log`, `${dir}/before`]);
  const grow = at(1, () => Deno.writeTextFileSync(`${home}/log`, "one more line\n", { append: true }));
  const { bytes } = await host.fetch("log", `${dir}/log`, { onProgress: grow });
  assertEquals(bytes, 300 * MiB);
  assert(await same(`${dir}/before`, `${dir}/log`));

  const change = at(1, () => Deno.writeTextFileSync(`${dir}/before`, "one more line\n", { append: true }));
  const error = await assertRejects(
    () => host.copy(`${dir}/before`, "copy", { onProgress: change }),
    CopyError,
  );
  assertEquals(error.code, "local-failed");
  const replace = at(1, () => {
    Deno.writeTextFileSync(`${dir}/other`, "other\n");
    Deno.renameSync(`${dir}/other`, `${dir}/log`);
  });
  const replaced = await assertRejects(
    () => host.copy(`${dir}/log`, "copy", { onProgress: replace }),
    CopyError,
  );
  assertEquals(replaced.code, "local-failed");
  assertEquals([...Deno.readDirSync(home)].filter(({ name }) => name.includes("copy")), []);
});
