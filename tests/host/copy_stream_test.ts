/** Trees that go to a host as one stream, to real hosts with all kinds of programs. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import type { CopyProgress } from "../../lib/host/copy_options.ts";
import { makeTree } from "./copy_test_tree.ts";
import { leftBehind, snapshot, tempDir } from "./sftp_server.ts";
import { age, StreamWorld, type StreamWorldOptions } from "./stream_world.ts";
import { openssh } from "../support/openssh.ts";
import { shell, type ShellName } from "../support/shells.ts";

async function copiesTree(
  options: StreamWorldOptions,
  sessions: readonly number[],
  byStream = true,
): Promise<void> {
  await using world = await StreamWorld.start(options);
  await using dir = await tempDir();
  await makeTree(`${dir.path}/dist`);
  await Deno.remove(`${dir.path}/dist/bin/deep/new\nline`); // more than one session, otherwise, when copied again
  // Without checksums, all files are moved again, which a sealed directory does not allow.
  if (!byStream) await Deno.chmod(`${dir.path}/dist/sealed`, 0o755);
  await age(`${dir.path}/dist`);
  const { host, sshd, home } = world;
  let before = sshd.sessions();
  const opened = () => {
    const count = sshd.sessions() - before;
    before += count;
    return count;
  };
  const first = await host.copy(`${dir.path}/dist`, "app");
  assertEquals(await snapshot(`${home}/app`), await snapshot(`${dir.path}/dist`));
  assertEquals([first.files, first.skipped, first.directories, first.symlinks], [13, 0, 6, 3]);
  const counts = [opened()];
  const second = await host.copy(`${dir.path}/dist/`, "app");
  assertEquals([second.files, second.skipped, second.directories], [0, 13, 0]);
  counts.push(opened());
  const third = await host.copy(`${dir.path}/dist/`, "app", { update: "checksum" });
  assertEquals([third.files, third.skipped], byStream ? [0, 13] : [13, 0]);
  counts.push(opened());
  await Deno.writeTextFile(`${dir.path}/dist/bin/deep/a b`, "changed");
  await Deno.chmod(`${dir.path}/dist/bin/run.sh`, 0o700);
  await Deno.mkdir(`${dir.path}/dist/bin/new/er`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/dist/bin/new/er/file`, "x");
  const fourth = await host.copy(`${dir.path}/dist/`, "app/");
  assertEquals([fourth.files, fourth.skipped, fourth.directories], [2, 12, 2]);
  assertEquals(await Deno.readTextFile(`${home}/app/bin/deep/a b`), "changed");
  assertEquals((await Deno.stat(`${home}/app/bin/run.sh`)).mode! & 0o777, 0o700);
  assertEquals(await Deno.readTextFile(`${home}/app/bin/new/er/file`), "x");
  counts.push(opened());
  await host.copy(`${dir.path}/dist/secret`, "made/");
  assertEquals(await Deno.readTextFile(`${home}/made/secret`), "hush");
  counts.push(opened());
  assertEquals(await leftBehind(home), []);
  assertEquals(counts, sessions);
}

Deno.test("a tree goes through one session to a host with GNU's tools", async () => {
  await copiesTree({}, [1, 1, 1, 1, 1]);
});

Deno.test("a tree goes through one session to a host with busybox", async () => {
  await copiesTree({ tools: "busybox" }, [1, 1, 1, 1, 1]);
});

Deno.test("a tree goes through one session to a host with BSD's tar", async () => {
  await copiesTree({ tools: "bsdtar" }, [1, 1, 1, 1, 1]);
});

for (const name of ["bash", "busybox", "zsh", "fish", "tcsh"] as const satisfies readonly ShellName[]) {
  Deno.test(`a tree goes through one session to an account whose login shell is ${name}`, async () => {
    await copiesTree({ loginShell: await shell(name) }, [1, 1, 1, 1, 1]);
  });
}

Deno.test("an account that has SFTP alone gets its tree by SFTP, and is asked for a shell once", async () => {
  await copiesTree({ config: ["ForceCommand internal-sftp"] }, [2, 1, 1, 1, 1], false);
});

Deno.test("an account that is forced to an SFTP server gets its tree by the session that asked for a shell", async () => {
  const { sftpServer } = await openssh();
  await copiesTree({ config: [`ForceCommand ${sftpServer}`] }, [1, 1, 1, 1, 1], false);
});

Deno.test("a host without a tar that works gets its tree by SFTP", async () => {
  await copiesTree({ tools: "no tar" }, [2, 2, 2, 2, 2]);
});

Deno.test("200 small files take two round trips, one when they are unchanged, and one small file two", async () => {
  await using world = await StreamWorld.start({ rttMs: 300 });
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (let at = 0; at < 200; at++) {
    await Deno.writeFile(`${dir.path}/src/${at}`, new Uint8Array(2048).fill(at));
  }
  await age(`${dir.path}/src`);
  await world.host.exec("true"); // warm, and a spare is there for the next
  const copy = (from: string, to: string) => world.roundTrips(() => world.host.copy(from, to));
  const spare = () => world.host.exec("true");
  const first = await copy(`${dir.path}/src`, "dst");
  assertEquals(await snapshot(`${world.home}/dst`), await snapshot(`${dir.path}/src`));
  await spare();
  const untouched = (await Deno.stat(`${world.home}/dst`)).mtime;
  const again = await copy(`${dir.path}/src/`, "dst");
  await spare();
  assertEquals((await Deno.stat(`${world.home}/dst`)).mtime, untouched);
  await Deno.writeTextFile(`${dir.path}/src/7`, "seven");
  const one = await copy(`${dir.path}/src/`, "dst");
  assertEquals(await Deno.readTextFile(`${world.home}/dst/7`), "seven");
  await spare();
  const file = await copy(`${dir.path}/src/9`, "nine");
  // The script answers in one, and takes its input in the next; when nothing has changed, it gets none.
  assert(first <= 2 && again <= 1 && one <= 2 && file <= 2, JSON.stringify({ first, again, one, file }));
});

Deno.test("progress tells what is moved, what is in place and what is skipped", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (const name of ["a", "b", "c"]) await Deno.writeTextFile(`${dir.path}/src/${name}`, name.repeat(100));
  await age(`${dir.path}/src`);
  await world.host.copy(`${dir.path}/src`, "dst");
  await Deno.writeTextFile(`${dir.path}/src/b`, "changed");
  await Deno.writeTextFile(`${dir.path}/src/empty`, "");
  const seen: CopyProgress[] = [];
  await world.host.copy(`${dir.path}/src/`, "dst", { onProgress: (progress) => seen.push(progress) });
  const { path: _, ...last } = seen.at(-1)!;
  assertEquals(last, { bytes: 7, totalBytes: 7, files: 2, totalFiles: 4, skipped: 2, resumedBytes: 0 });
  const back: CopyProgress[] = [];
  await world.host.fetch("dst", `${dir.path}/back`, { onProgress: (progress) => back.push(progress) });
  assertEquals([back.at(-1)!.bytes, back.at(-1)!.totalBytes, back.at(-1)!.totalFiles], [207, 207, 4]);
});

Deno.test("a tree of more than one stream arrives whole", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src/a/b`, { recursive: true });
  for (let at = 0; at < 24; at++) {
    const data = new Uint8Array(2 * 1024 * 1024).fill(at);
    await Deno.writeFile(`${dir.path}/src/${["", "a/", "a/b/"][at % 3]}${at}`, data);
  }
  await Deno.writeFile(`${dir.path}/src/a/large`, new Uint8Array(6 * 1024 * 1024).fill(9));
  await Deno.chmod(`${dir.path}/src/a/b`, 0o555);
  await age(`${dir.path}/src`);
  const result = await world.host.copy(`${dir.path}/src`, "dst");
  assertEquals([result.files, result.directories, result.bytes], [25, 3, 54 * 1024 * 1024]);
  assertEquals(await snapshot(`${world.home}/dst`), await snapshot(`${dir.path}/src`));
  assertEquals((await world.host.copy(`${dir.path}/src/`, "dst")).skipped, 25);
});

Deno.test("thousands of names that do not fit a command are asked for and compared", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (let at = 0; at < 4000; at++) Deno.writeTextFileSync(`${dir.path}/src/file number ${at}`, `${at}`);
  await age(`${dir.path}/src`);
  assertEquals((await world.host.copy(`${dir.path}/src/`, "dst")).files, 4000);
  for (const update of ["changed", "checksum"] as const) {
    const again = await world.host.copy(`${dir.path}/src/`, "dst", { update });
    assertEquals([again.files, again.skipped], [0, 4000]);
  }
  await Deno.writeTextFile(`${dir.path}/src/file number 17`, "17!");
  const changed = await world.host.copy(`${dir.path}/src/`, "dst");
  assertEquals([changed.files, changed.skipped], [1, 3999]);
});

Deno.test("contents decide where checksums are asked for, and times are put right", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (const name of ["same", "other", `o'dd "name`, "back\\slash"]) {
    await Deno.writeTextFile(`${dir.path}/src/${name}`, "one");
  }
  await age(`${dir.path}/src`);
  await world.host.copy(`${dir.path}/src/`, "dst");
  await Deno.writeTextFile(`${dir.path}/src/other`, "two");
  await Deno.utime(`${dir.path}/src/other`, 1600000000, 1600000000);
  assertEquals((await world.host.copy(`${dir.path}/src/`, "dst")).files, 0);
  await Deno.utime(`${dir.path}/src/same`, 1500000000, 1500000000);
  const result = await world.host.copy(`${dir.path}/src/`, "dst", { update: "checksum" });
  assertEquals([result.files, result.skipped], [1, 3]);
  assertEquals(await snapshot(`${world.home}/dst`), await snapshot(`${dir.path}/src`));
});

Deno.test("a file that changed within the second it was copied in is not taken for unchanged", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  const second = Math.floor(Date.now() / 1000);
  for (const text of ["one", "two"]) {
    await Deno.writeTextFile(`${dir.path}/f`, text);
    await Deno.utime(`${dir.path}/f`, second, second);
    await world.host.copy(`${dir.path}/f`, "f");
  }
  assertEquals(await Deno.readTextFile(`${world.home}/f`), "two");
});

Deno.test("a stream that is cut leaves nothing under its names, and nothing beside them", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  for (let at = 0; at < 12; at++) {
    await Deno.writeFile(`${dir.path}/src/${at}`, new Uint8Array(1024 * 1024).fill(at));
  }
  await Deno.mkdir(`${world.home}/dst`, { mode: 0o777 });
  await Deno.chmod(`${world.home}/dst`, 0o777);
  const controller = new AbortController();
  const reason = new DOMException("enough", "AbortError");
  const onProgress = ({ bytes }: { bytes: number }) => bytes > 5e6 && controller.abort(reason);
  const copying = world.host.copy(`${dir.path}/src/`, "dst", { signal: controller.signal, onProgress });
  assertEquals(await assertRejects(() => copying), reason);
  assertEquals(await Array.fromAsync(Deno.readDir(`${world.home}/dst`)), []);
  const dropped = Promise.withResolvers<void>();
  const cut = world.host.copy(`${dir.path}/src/`, "dst", {
    onProgress: ({ bytes }) => bytes > 5e6 && dropped.resolve(world.sshd.dropConnections()),
  });
  const error = await assertRejects(() => cut, CopyError);
  await dropped.promise;
  assertEquals(error.code, "interrupted");
  const names = (await Array.fromAsync(Deno.readDir(`${world.home}/dst`))).map(({ name }) => name);
  assertEquals(names.filter((name) => !name.startsWith(".carpool-")), []);
});

Deno.test("a host that refuses says why, as without a stream", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.writeTextFile(`${dir.path}/src/a`, "a");
  await world.host.exec("mkdir -p sealed tree/a; chmod 555 sealed; echo file > file");
  const failure = (to: string) => assertRejects(() => world.host.copy(`${dir.path}/src/`, to), CopyError);
  assertEquals((await failure("sealed")).code, "denied");
  assertEquals((await failure("no/such")).code, "missing");
  assertEquals((await failure("file")).why, "a file is there");
  assertEquals((await failure("tree")).fix, "look for a quota, a file size limit or a directory in the way");
  assertEquals(await leftBehind(world.home), []);
});
