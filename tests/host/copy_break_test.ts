/** A copy that cannot end well: the old file stays whole, and nothing half-done is left where it can be reached. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import { copyToHost } from "../../lib/host/copy.ts";
import { fetchFromHost } from "../../lib/host/fetch.ts";
import { FX, FXP } from "../../lib/wire/sftp.ts";
import * as peer from "../wire/sftp_packets.ts";
import { leftBehind, realClient, scriptedClient, tempDir, unsupported, WHERE } from "./sftp_server.ts";

const MiB = 1024 * 1024;

Deno.test("a server that dies in the middle of a copy leaves the old file under its name", async () => {
  for (const up of [2000, MiB, 4 * MiB - 1000]) {
    await using dir = await tempDir();
    await Deno.writeFile(`${dir.path}/new`, new Uint8Array(4 * MiB));
    await Deno.writeTextFile(`${dir.path}/app`, "old");
    await using sftp = await realClient({ cutAfter: { up } });
    const error = await assertRejects(
      () => copyToHost(sftp, `${dir.path}/new`, `${dir.path}/app`),
      CopyError,
    );
    assertEquals(error.code, "interrupted");
    assertStringIncludes(error.message, WHERE);
    assertEquals(await Deno.readTextFile(`${dir.path}/app`), "old");
  }
});

Deno.test("a tree cut at any point has whole files under real names only", async () => {
  for (const up of [3000, 20_000, 60_000, 100_000]) {
    await using dir = await tempDir();
    await Deno.mkdir(`${dir.path}/src`, { mode: 0o750 });
    for (let at = 0; at < 60; at++) await Deno.writeTextFile(`${dir.path}/src/${at}`, "x".repeat(1500));
    await using sftp = await realClient({ cutAfter: { up } });
    await assertRejects(() => copyToHost(sftp, `${dir.path}/src`, `${dir.path}/dst`), CopyError);
    // Copied again it would stay as it is: directories that are there keep their modes.
    assertEquals((await Deno.stat(`${dir.path}/dst`)).mode! & 0o777, 0o750);
    for await (const { name } of Deno.readDir(`${dir.path}/dst`)) {
      if (!name.startsWith(".")) assertEquals((await Deno.stat(`${dir.path}/dst/${name}`)).size, 1500);
    }
  }
});

Deno.test("a server that dies in the middle of a fetch leaves the old file, and no temporary one", async () => {
  for (const down of [2000, MiB, 4 * MiB - 1000]) {
    await using dir = await tempDir();
    await Deno.writeFile(`${dir.path}/log`, new Uint8Array(4 * MiB));
    await Deno.writeTextFile(`${dir.path}/mine`, "old");
    await using sftp = await realClient({ cutAfter: { down } });
    const error = await assertRejects(
      () => fetchFromHost(sftp, `${dir.path}/log`, `${dir.path}/mine`),
      CopyError,
    );
    assertEquals(error.code, "interrupted");
    assertEquals(await Deno.readTextFile(`${dir.path}/mine`), "old");
    assertEquals(await leftBehind(dir.path), []);
  }
});

// A file size limit ends writes as a full disk does (OpenSSH says FAILURE for both), and needs no file system of our
// own. SIGXFSZ is ignored, or the limit would kill the server instead.
const LIMITED = "trap '' XFSZ; ulimit -f 256"; // 128 or 256 KiB, by shell

Deno.test("a remote write that fails in the middle leaves the old file and no temporary one", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(`${dir.path}/new`, new Uint8Array(2 * MiB));
  await Deno.writeTextFile(`${dir.path}/app`, "old");
  await using sftp = await realClient({ prelude: LIMITED });
  const error = await assertRejects(
    () => copyToHost(sftp, `${dir.path}/new`, `${dir.path}/app`),
    CopyError,
  );
  assertEquals(
    error.message,
    `Cannot copy ${dir.path}/new: ${WHERE}:${dir.path}/app: the server says failure, and does not say why (4); ` +
      "look for a quota, a file size limit or a directory in the way",
  );
  assertEquals(await Deno.readTextFile(`${dir.path}/app`), "old");
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("a full remote disk is called full, though the server only says failure", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/new`, "data");
  const asked: number[] = [];
  const space = [4096, 4096, 1000, 300, 0, 50, 20, 20, 0, 0, 255];
  await using sftp = await scriptedClient((request) => {
    asked.push(request.type);
    switch (request.type) {
      case FXP.STAT:
        return peer.status(request.id, FX.NO_SUCH_FILE);
      case FXP.OPEN:
        return peer.handle(request.id, new Uint8Array([7]));
      case FXP.WRITE:
        return peer.status(request.id, FX.FAILURE, "Failure");
      case FXP.EXTENDED:
        return request.body.utf8().startsWith("statvfs")
          ? peer.extended(request.id, space)
          : unsupported(request);
      default:
        return peer.status(request.id, FX.OK);
    }
  }, { extensions: ["statvfs@openssh.com"] });
  const error = await assertRejects(() => copyToHost(sftp, `${dir.path}/new`, "/srv/app"), CopyError);
  assertEquals(
    error.message,
    `Cannot copy ${dir.path}/new: ${WHERE}:/srv/app: the disk is full (0 of 4096000 bytes are free); free some space there`,
  );
  assertEquals(error.code, "no-space");
  // Asked before the temporary file was removed, which would have made room again.
  assert(asked.indexOf(FXP.EXTENDED) < asked.indexOf(FXP.REMOVE));
  assert(asked.includes(FXP.REMOVE));
});

Deno.test("a local disk that takes no more leaves the old file and no temporary one", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(`${dir.path}/log`, new Uint8Array(2 * MiB));
  await Deno.writeTextFile(`${dir.path}/mine`, "old");
  // In a process of its own, which takes on the limit when it has started: its caches are files, too.
  const program = `
    import { fetchFromHost } from ${JSON.stringify(import.meta.resolve("../../lib/host/fetch.ts"))};
    import { realClient } from ${JSON.stringify(import.meta.resolve("./sftp_server.ts"))};
    const [dir] = Deno.args;
    await using sftp = await realClient();
    const limit = ["--pid", String(Deno.pid), "--fsize=" + 256 * 1024];
    await new Deno.Command("prlimit", { args: limit }).output();
    await fetchFromHost(sftp, dir + "/log", dir + "/mine").catch((error) => console.log(error.code, error.message));`;
  await Deno.writeTextFile(`${dir.path}/program.ts`, program);
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      `trap '' XFSZ; exec "$0" run --quiet --no-lock --no-check --config "$1" --allow-all "$2/program.ts" "$2"`,
      Deno.execPath(),
      new URL("../../deno.json", import.meta.url).pathname,
      dir.path,
    ],
    stderr: "inherit",
  }).output();
  assertStringIncludes(
    new TextDecoder().decode(stdout),
    `local-failed Cannot fetch ${dir.path}/log: ${dir.path}/mine: File too large (os error 27)`,
  );
  assertEquals(await Deno.readTextFile(`${dir.path}/mine`), "old");
  assertEquals(await leftBehind(dir.path), []);
});

Deno.test("an aborted copy rejects with the signal's reason and removes its temporary files", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(`${dir.path}/new`, new Uint8Array(16 * MiB));
  await Deno.writeTextFile(`${dir.path}/app`, "old");
  await using sftp = await realClient();
  const controller = new AbortController();
  const reason = new DOMException("enough", "AbortError");
  const options = { signal: controller.signal, onProgress: () => controller.abort(reason) };
  const error = await assertRejects(() => copyToHost(sftp, `${dir.path}/new`, `${dir.path}/app`, options));
  assertEquals(error, reason);
  assertEquals(await Deno.readTextFile(`${dir.path}/app`), "old");
  assertEquals(await leftBehind(dir.path), []);
  // The session is as good as before.
  await copyToHost(sftp, `${dir.path}/app`, `${dir.path}/app2`);
  assertEquals(await Deno.readTextFile(`${dir.path}/app2`), "old");
});

Deno.test("an aborted fetch rejects with the signal's reason and removes its temporary files", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(`${dir.path}/log`, new Uint8Array(16 * MiB));
  await using sftp = await realClient();
  const controller = new AbortController();
  const options = { signal: controller.signal, onProgress: () => controller.abort() };
  const error = await assertRejects(() =>
    fetchFromHost(sftp, `${dir.path}/log`, `${dir.path}/mine`, options)
  );
  assertEquals(error, controller.signal.reason);
  assertEquals((await Array.fromAsync(Deno.readDir(dir.path))).map(({ name }) => name), ["log"]);
});

Deno.test("without posix-rename, a rename that fails brings the old file back", async () => {
  const names = new Map<string, string>([["/srv/app", "old"]]);
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/new`, "new");
  await using sftp = await scriptedClient((request) => {
    const { type, id, body } = request;
    switch (type) {
      case FXP.STAT:
      case FXP.LSTAT:
        return names.has(body.utf8())
          ? peer.attributes(id, { permissions: 0o100644 })
          : peer.status(id, FX.NO_SUCH_FILE);
      case FXP.OPEN:
        names.set(body.utf8(), "new");
        return peer.handle(id, new Uint8Array([7]));
      case FXP.RENAME: {
        const [from, to] = [body.utf8(), body.utf8()];
        // The new file is never taken, the old one may be moved about.
        if (names.has(to) || names.get(from) === "new") return peer.status(id, FX.FAILURE);
        names.set(to, names.get(from)!);
        names.delete(from);
        return peer.status(id, FX.OK);
      }
      case FXP.REMOVE:
        names.delete(body.utf8());
        return peer.status(id, FX.OK);
      default:
        return peer.status(id, FX.OK);
    }
  });
  await assertRejects(() => copyToHost(sftp, `${dir.path}/new`, "/srv/app"), CopyError, "failure");
  assertEquals([...names], [["/srv/app", "old"]]);
});
