import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import { fetchFromHost } from "../../lib/host/fetch.ts";
import { makeTree } from "./copy_test_tree.ts";
import { leftBehind, realClient, snapshot, tempDir, WHERE } from "./sftp_server.ts";

Deno.test("a fetched tree has its modes, times, symlinks, empty directories and odd names", async () => {
  await using dir = await tempDir();
  await makeTree(`${dir.path}/app`);
  await using sftp = await realClient();
  const result = await fetchFromHost(sftp, `${dir.path}/app/`, `${dir.path}/here`);
  assertEquals(await snapshot(`${dir.path}/here`), await snapshot(`${dir.path}/app`));
  assertEquals([result.files, result.directories, result.symlinks], [14, 6, 3]);
});

Deno.test("what is fetched goes where scp and rsync would put it", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/home/dist`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/home/dist/f`, "f");
  await Deno.mkdir(`${dir.path}/old`);
  await Deno.symlink("old", `${dir.path}/via`);
  await using sftp = await realClient({ cwd: `${dir.path}/home` });
  for (
    const [remote, local, at] of [
      ["dist", "fresh", "fresh/f"],
      ["~/dist", "old", "old/dist/f"],
      ["dist", "slash/", "slash/dist/f"],
      ["dist/", "contents", "contents/f"],
      ["~", "all", "all/dist/f"],
      ["dist/f", "single", "single"],
      [`${dir.path}/home/dist/f`, "via", "old/f"],
      ["dist/", "via", "old/f"],
      ["dist/f", "made/", "made/f"],
    ]
  ) {
    await fetchFromHost(sftp, remote, `${dir.path}/${local}`);
    assertEquals(await Deno.readTextFile(`${dir.path}/${at}`), "f", `${remote} to ${local}`);
  }
});

Deno.test("a fetch replaces files and symlinks of the same name", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.writeTextFile(`${dir.path}/src/a`, "new");
  await Deno.symlink("a", `${dir.path}/src/l`);
  await Deno.mkdir(`${dir.path}/dst`);
  await Deno.writeTextFile(`${dir.path}/outside`, "mine");
  await Deno.symlink("../outside", `${dir.path}/dst/a`);
  await Deno.writeTextFile(`${dir.path}/dst/l`, "was a file");
  await using sftp = await realClient();
  await fetchFromHost(sftp, `${dir.path}/src/`, `${dir.path}/dst`);
  assertEquals(await Deno.readTextFile(`${dir.path}/outside`), "mine");
  assert((await Deno.lstat(`${dir.path}/dst/a`)).isFile);
  assertEquals(await Deno.readLink(`${dir.path}/dst/l`), "a");
});

Deno.test("a symlink that leads out of the tree is left out, unless any are wanted", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src/sub`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/src/f`, "f");
  await Deno.symlink("/etc/passwd", `${dir.path}/src/absolute`);
  await Deno.symlink("../../out", `${dir.path}/src/sub/climbs`);
  await Deno.symlink("../f", `${dir.path}/src/sub/stays`);
  await using sftp = await realClient();
  const error = await assertRejects(
    () => fetchFromHost(sftp, `${dir.path}/src/`, `${dir.path}/dst`),
    CopyError,
  );
  assertEquals(error.code, "escapes");
  assertStringIncludes(
    error.message,
    `${WHERE}:${dir.path}/src/absolute (it points outside what is fetched: /etc/passwd)`,
  );
  assertStringIncludes(error.message, 'fetch with symlinks: "any"');
  assertEquals((await snapshot(`${dir.path}/dst`)).map((line) => line.split(" ")[0]), [
    "f",
    "sub/",
    "sub/stays",
  ]);
  await fetchFromHost(sftp, `${dir.path}/src/`, `${dir.path}/all`, { symlinks: "any" });
  assertEquals(await snapshot(`${dir.path}/all`), await snapshot(`${dir.path}/src`));
});

Deno.test("a fetch never writes through a symlink inside its target", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src/sub`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/src/sub/f`, "hostile");
  await Deno.mkdir(`${dir.path}/outside`);
  await Deno.mkdir(`${dir.path}/dst`);
  await Deno.symlink("../outside", `${dir.path}/dst/sub`);
  await using sftp = await realClient();
  const error = await assertRejects(
    () => fetchFromHost(sftp, `${dir.path}/src/`, `${dir.path}/dst`),
    CopyError,
    "a symlink is where a directory belongs",
  );
  assertEquals(error.code, "escapes");
  assertEquals(await Array.fromAsync(Deno.readDir(`${dir.path}/outside`)), []);
});

Deno.test("names that are not UTF-8 and special files are left out, and the error names them", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/src`);
  await Deno.writeTextFile(`${dir.path}/src/good`, "good");
  const script = `mkfifo '${dir.path}/src/pipe'; : > "$(printf '${dir.path}/src/caf\\351')"`;
  assert((await new Deno.Command("sh", { args: ["-c", script] }).output()).success);
  await using sftp = await realClient();
  const error = await assertRejects(
    () => fetchFromHost(sftp, `${dir.path}/src/`, `${dir.path}/dst`),
    CopyError,
  );
  assertStringIncludes(error.message, "src/caf\\xe9 (its name is not UTF-8)");
  assertStringIncludes(error.message, "src/pipe (it is neither a file nor a directory nor a symlink)");
  assertEquals((await snapshot(`${dir.path}/dst`)).map((line) => line.split(" ")[0]), ["good"]);
});

Deno.test("a missing remote file, and a fetch of no file, are one clear error each", async () => {
  await using dir = await tempDir();
  await using sftp = await realClient();
  const error = await assertRejects(() => fetchFromHost(sftp, "/no/such", `${dir.path}/x`), CopyError);
  assertEquals(
    error.message,
    `Cannot fetch from the host: ${WHERE}:/no/such: the server says no such file or directory (2); check the path there`,
  );
  assertEquals(error.code, "missing");
  await assertRejects(() => fetchFromHost(sftp, "/dev/null", `${dir.path}/x`), CopyError, "neither a file");
  await assertRejects(() => fetchFromHost(sftp, "/etc/passwd", "/dev/null"), CopyError, "a device");
  const parent = await assertRejects(
    () => fetchFromHost(sftp, "/etc/passwd", `${dir.path}/no/such`),
    CopyError,
  );
  assertEquals(parent.code, "missing");
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

Deno.test("a file that says it is empty and is not is fetched to its end", async () => {
  await using dir = await tempDir();
  await using sftp = await realClient();
  await fetchFromHost(sftp, "/proc/filesystems", `${dir.path}/f`);
  // Deno itself reads /proc with --allow-all only.
  const cat = await new Deno.Command("cat", { args: ["/proc/filesystems"] }).output();
  assertEquals(await Deno.readFile(`${dir.path}/f`), new Uint8Array(cat.stdout));
});

Deno.test("a log that grows while it is fetched arrives as it was, one that shrinks does not", async () => {
  await using dir = await tempDir();
  const log = `${dir.path}/log`;
  const size = 8 * 1024 * 1024;
  await Deno.writeFile(log, new Uint8Array(size));
  await using sftp = await realClient();
  const once = (act: () => void) => {
    let done = false;
    return () => {
      if (!done) act();
      done = true;
    };
  };
  const grow = once(() => Deno.writeFileSync(log, new Uint8Array(9), { append: true }));
  const grown = await fetchFromHost(sftp, log, `${dir.path}/grown`, { onProgress: grow });
  assertEquals(grown.bytes, size);
  await assertRejects(
    () =>
      fetchFromHost(sftp, log, `${dir.path}/shrunk`, { onProgress: once(() => Deno.truncateSync(log, 3e6)) }),
    CopyError,
    `it shrank from ${size + 9} to `,
  );
  assertEquals(await leftBehind(dir.path), []);
  await assertRejects(() => Deno.lstat(`${dir.path}/shrunk`), Deno.errors.NotFound);
});

Deno.test("more files than may be open, larger together than the memory for them, arrive whole", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/many`);
  for (let at = 0; at < 1000; at++) {
    Deno.writeFileSync(`${dir.path}/many/${at}`, new Uint8Array(at * 40).fill(at));
  }
  await using sftp = await realClient({ prelude: "ulimit -n 24" });
  await fetchFromHost(sftp, `${dir.path}/many`, `${dir.path}/here`);
  assertEquals(await snapshot(`${dir.path}/here`), await snapshot(`${dir.path}/many`));
});
