import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import { copyToHost } from "../../lib/host/copy.ts";
import type { CopyProgress } from "../../lib/host/copy_options.ts";
import { makeTree } from "./copy_test_tree.ts";
import { leftBehind, realClient, snapshot, tempDir, WHERE } from "./sftp_server.ts";

Deno.test("a tree arrives with its modes, times, symlinks, empty directories and odd names", async () => {
  await using dir = await tempDir();
  await makeTree(`${dir.path}/dist`);
  await using sftp = await realClient();
  const result = await copyToHost(sftp, `${dir.path}/dist/`, `${dir.path}/app`);
  assertEquals(await snapshot(`${dir.path}/app`), await snapshot(`${dir.path}/dist`));
  assertEquals([result.files, result.directories, result.symlinks], [14, 6, 3]);
  assertEquals(result.bytes, (await Deno.stat(`${dir.path}/dist/bin/big`)).size + 80);
});

Deno.test("a copied tree goes where scp and rsync would put it", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/dist`);
  await Deno.writeTextFile(`${dir.path}/dist/f`, "f");
  await Deno.mkdir(`${dir.path}/home/old`, { recursive: true });
  await using sftp = await realClient({ cwd: `${dir.path}/home` });
  const there = (path: string) => Deno.readTextFile(`${dir.path}/home/${path}`);
  const dist = `${dir.path}/dist`;
  for (
    const [local, remote, at] of [
      [dist, "fresh", "fresh/f"],
      [dist, "old", "old/dist/f"],
      [dist, "slash/", "slash/dist/f"],
      [`${dist}/`, "contents", "contents/f"],
      [`${dist}/.`, "~/contents2/", "contents2/f"],
      [`${dist}/`, "old", "old/f"],
      [`${dist}/f`, "~/single", "single"],
      [`${dist}/f`, `${dir.path}/home/old`, "old/f"],
      [`${dist}/f`, "made/", "made/f"],
      [dist, "~", "dist/f"],
    ]
  ) {
    await copyToHost(sftp, local, remote);
    assertEquals(await there(at), "f", `${local} to ${remote}`);
  }
});

Deno.test("a copy replaces a file or a symlink, and leaves what only the host has", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.mkdir(`${dir.path}/dst`);
  await Deno.writeTextFile(`${dir.path}/src/a`, "new a");
  await Deno.writeTextFile(`${dir.path}/src/b`, "new b");
  await Deno.symlink("a", `${dir.path}/src/l`);
  await Deno.writeTextFile(`${dir.path}/dst/a`, "a longer old a");
  await Deno.writeTextFile(`${dir.path}/dst/keep`, "keep");
  await Deno.symlink("keep", `${dir.path}/dst/b`);
  await Deno.writeTextFile(`${dir.path}/dst/l`, "was a file");
  await Deno.chmod(`${dir.path}/dst`, 0o711);
  await using sftp = await realClient();
  const result = await copyToHost(sftp, `${dir.path}/src/`, `${dir.path}/dst/`);
  assertEquals(await Deno.readTextFile(`${dir.path}/dst/a`), "new a");
  assertEquals(await Deno.readTextFile(`${dir.path}/dst/b`), "new b");
  assertEquals(await Deno.readTextFile(`${dir.path}/dst/keep`), "keep");
  assertEquals(await Deno.readLink(`${dir.path}/dst/l`), "a");
  assertEquals((await Deno.stat(`${dir.path}/dst`)).mode! & 0o777, 0o711);
  assertEquals(result.directories, 0);
});

Deno.test("a copy works where the server has no posix-rename, no fsync and no limits", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "new");
  await Deno.writeTextFile(`${dir.path}/b`, "old");
  await using sftp = await realClient({ refuse: ["posix-rename", "fsync", "limits", "statvfs"] });
  await copyToHost(sftp, `${dir.path}/a`, `${dir.path}/b`);
  await copyToHost(sftp, `${dir.path}/a`, `${dir.path}/c`);
  assertEquals(await Deno.readTextFile(`${dir.path}/b`), "new");
  assertEquals(await Deno.readTextFile(`${dir.path}/c`), "new");
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("set-ID bits are dropped unless asked for, and mode overrides", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "a");
  await Deno.chmod(`${dir.path}/a`, 0o4755);
  await using sftp = await realClient();
  const copied = async (options: Parameters<typeof copyToHost>[3]) => {
    await copyToHost(sftp, `${dir.path}/a`, `${dir.path}/b`, options);
    return ((await Deno.stat(`${dir.path}/b`)).mode! & 0o7777).toString(8);
  };
  assertEquals(await copied({}), "755");
  assertEquals(await copied({ specialBits: true }), "4755");
  assertEquals(await copied({ mode: 0o640 }), "640");
});

Deno.test("what is no file, directory or symlink is left out, and the error names it", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.writeTextFile(`${dir.path}/src/good`, "good");
  const script = `mkfifo '${dir.path}/src/pipe'; : > "$(printf '${dir.path}/src/caf\\351')"`;
  assert((await new Deno.Command("sh", { args: ["-c", script] }).output()).success);
  await using sftp = await realClient();
  const error = await assertRejects(
    () => copyToHost(sftp, `${dir.path}/src/`, `${dir.path}/dst`),
    CopyError,
  );
  assertStringIncludes(error.message, "src/pipe (it is a fifo)");
  assertStringIncludes(error.message, "(its name, or what it points at, is not UTF-8)");
  assertStringIncludes(error.message, "the other 1 files are in place");
  assertEquals(error.code, "unsupported");
  assertEquals((await snapshot(`${dir.path}/dst`)).map((line) => line.split(" ")[0]), ["good"]);
});

Deno.test("a source file that changes while it is copied is left out, and its old copy stays", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(`${dir.path}/log`, new Uint8Array(1024 * 1024));
  await Deno.writeTextFile(`${dir.path}/copy`, "old");
  await using sftp = await realClient();
  let grown = false;
  const grow = () => {
    if (!grown) Deno.writeFileSync(`${dir.path}/log`, new Uint8Array(9), { append: true });
    grown = true;
  };
  // The first confirmed data comes long before the last chunk of a file larger than the budget is read.
  await Deno.truncate(`${dir.path}/log`, 8 * 1024 * 1024);
  await assertRejects(
    () => copyToHost(sftp, `${dir.path}/log`, `${dir.path}/copy`, { onProgress: grow }),
    CopyError,
    `Cannot copy ${dir.path}/log: ${dir.path}/log: it changed from 8388608 to 8388617 bytes while it was read; copy it`,
  );
  assertEquals(await Deno.readTextFile(`${dir.path}/copy`), "old");
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("a missing local file is one clear error", async () => {
  await using sftp = await realClient();
  const error = await assertRejects(() => copyToHost(sftp, "/no/such", "x"), CopyError);
  assertEquals(
    error.message,
    "Cannot copy to the host: /no/such: there is no such file or directory here; check the path",
  );
  assertEquals(error.code, "missing");
});

Deno.test("a copy into a directory that is not there says so", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "a");
  await using sftp = await realClient();
  for (const remote of [`${dir.path}/no/such`, `${dir.path}/no/such/`]) {
    const error = await assertRejects(() => copyToHost(sftp, `${dir.path}/a`, remote), CopyError);
    assertEquals(error.code, "missing");
    assertStringIncludes(error.message, `${WHERE}:${dir.path}/no/such`);
  }
});

Deno.test("a copy onto what is no file is refused", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "a");
  await Deno.mkdir(`${dir.path}/tree/a`, { recursive: true });
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.writeTextFile(`${dir.path}/src/a`, "a");
  await using sftp = await realClient();
  await assertRejects(() => copyToHost(sftp, `${dir.path}/a`, "/dev/null"), CopyError, "a device");
  await assertRejects(
    () => copyToHost(sftp, `${dir.path}/src`, `${dir.path}/a`),
    CopyError,
    "a file is there",
  );
  const error = await assertRejects(
    () => copyToHost(sftp, `${dir.path}/src/`, `${dir.path}/tree`),
    CopyError,
  );
  assertStringIncludes(error.message, "a directory in the way");
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("paths that SFTP cannot carry are refused before anything is sent", async () => {
  await using sftp = await realClient();
  for (const bad of ["", "a\0b", "\ud800"]) {
    await assertRejects(() => copyToHost(sftp, "/etc/hostname", bad), CopyError);
    await assertRejects(() => copyToHost(sftp, bad, "x"), CopyError);
  }
});

Deno.test("progress grows to the total and ends there, empty files included", async () => {
  await using dir = await tempDir();
  await makeTree(`${dir.path}/dist`);
  await using sftp = await realClient();
  const seen: CopyProgress[] = [];
  const result = await copyToHost(sftp, `${dir.path}/dist`, `${dir.path}/app`, {
    onProgress: (progress) => seen.push(progress),
  });
  assertEquals(seen.at(-1)!.bytes, result.bytes);
  assertEquals(new Set(seen.map(({ totalBytes }) => totalBytes)), new Set([result.bytes]));
  assertEquals(seen.map(({ bytes }) => bytes), seen.map(({ bytes }) => bytes).toSorted((a, b) => a - b));
  assert(seen.some(({ path }) => path === "zero"));
});

Deno.test("what a progress listener throws ends the copy and is thrown", async () => {
  await using dir = await tempDir();
  await makeTree(`${dir.path}/dist`);
  await using sftp = await realClient();
  const reason = new RangeError("listener");
  const onProgress = () => {
    throw reason;
  };
  const error = await assertRejects(() =>
    copyToHost(sftp, `${dir.path}/dist`, `${dir.path}/app`, { onProgress })
  );
  assertEquals(error, reason);
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("thousands of small files arrive whole", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/many`);
  for (let at = 0; at < 3000; at++) Deno.writeTextFileSync(`${dir.path}/many/${at}`, `${at}`.repeat(at % 7));
  await using sftp = await realClient();
  const result = await copyToHost(sftp, `${dir.path}/many`, `${dir.path}/copy`);
  assertEquals(result.files, 3000);
  assertEquals(await snapshot(`${dir.path}/copy`), await snapshot(`${dir.path}/many`));
});
