/** Large files: over several channels, gone on with after a break, and checked. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import type { CopyProgress } from "../../lib/host/copy_options.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import type { Sshd } from "../support/sshd.ts";
import { openssh } from "../support/openssh.ts";
import { leftBehind, tempDir } from "./sftp_server.ts";
import { StreamWorld } from "./stream_world.ts";

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
  return (await new Deno.Command("cmp", { args: ["-s", a, b] }).output()).success;
}

function reconnect(sshd: Sshd): Promise<Host> {
  return connect("test", { configFile: sshd.configFile, share: false, prompter: noPrompter });
}

/** Cuts the connection when so much has moved; `over` when none is left, and a new one is not taken for an old one. */
function cutAt(sshd: Sshd, bytes: number) {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let cut = false;
  const onProgress = (progress: CopyProgress) => {
    if (cut || progress.bytes < bytes) return;
    cut = true;
    resolve(sshd.dropConnections());
  };
  return { onProgress, over };
}

for (const forced of [false, true]) {
  const account = forced ? "an account that has SFTP alone" : "a host";
  Deno.test(`an interrupted large copy to ${account} goes on where it was, and is whole`, async () => {
    const { sftpServer } = await openssh();
    await using world = await StreamWorld.start(forced ? { config: [`ForceCommand ${sftpServer}`] } : {});
    await using dir = await tempDir();
    await writeLarge(`${dir.path}/big`, 130 * MiB);
    await using first = await reconnect(world.sshd);
    const { onProgress: cut, over } = cutAt(world.sshd, 100 * MiB);
    const broken = await assertRejects(
      () => first.copy(`${dir.path}/big`, "big", { onProgress: cut }),
      CopyError,
    );
    await over;
    assertEquals(broken.code, "interrupted");
    const [part, ...others] = await leftBehind(world.home);
    assert(/^\.big\.carpool-part-[0-9a-f]{12}$/.test(part) && others.length === 0, part);
    await using second = await reconnect(world.sshd);
    let resumed = 0;
    const onProgress = (progress: CopyProgress) => resumed = progress.resumedBytes;
    const result = await second.copy(`${dir.path}/big`, "big", { onProgress });
    assert(result.resumedBytes >= 48 * MiB && result.bytes === 130 * MiB, String(result.resumedBytes));
    assertEquals(resumed, result.resumedBytes);
    assert(await same(`${dir.path}/big`, `${world.home}/big`));
    assertEquals(await leftBehind(world.home), []);
  });

  Deno.test(`an interrupted large fetch from ${account} goes on where it was, and is whole`, async () => {
    const { sftpServer } = await openssh();
    await using world = await StreamWorld.start(forced ? { config: [`ForceCommand ${sftpServer}`] } : {});
    await using dir = await tempDir();
    await writeLarge(`${world.home}/big`, 130 * MiB);
    await using first = await reconnect(world.sshd);
    const { onProgress: cut, over } = cutAt(world.sshd, 100 * MiB);
    const broken = await assertRejects(
      () => first.fetch("big", `${dir.path}/big`, { onProgress: cut }),
      CopyError,
    );
    await over;
    assertEquals(broken.code, "interrupted");
    assertEquals((await leftBehind(dir.path)).length, 1);
    await using second = await reconnect(world.sshd);
    const result = await second.fetch("big", `${dir.path}/big`);
    assert(result.resumedBytes >= 48 * MiB && result.bytes === 130 * MiB, String(result.resumedBytes));
    assert(await same(`${dir.path}/big`, `${world.home}/big`));
    assertEquals(await leftBehind(dir.path), []);
  });
}

Deno.test("a part that is not what the source begins with is not gone on with", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await writeLarge(`${dir.path}/big`, 130 * MiB);
  await using first = await reconnect(world.sshd);
  const { onProgress, over } = cutAt(world.sshd, 100 * MiB);
  await assertRejects(() => first.copy(`${dir.path}/big`, "big", { onProgress }));
  await over;
  const [part] = await leftBehind(world.home);
  {
    using file = await Deno.open(`${world.home}/${part}`, { write: true });
    await file.seek(5 * MiB, Deno.SeekMode.Start);
    await file.write(new Uint8Array([1, 2, 3]));
  }
  await using second = await reconnect(world.sshd);
  const result = await second.copy(`${dir.path}/big`, "big");
  assertEquals(result.resumedBytes, 0);
  assert(await same(`${dir.path}/big`, `${world.home}/big`));
  // A source that has changed has a part of another name.
  await Deno.utime(`${dir.path}/big`, 1e9, 1e9);
  const third = await second.copy(`${dir.path}/big`, "big", { verify: true });
  assertEquals([third.resumedBytes, third.files], [0, 1]);
  assertEquals((await second.copy(`${dir.path}/big`, "big")).skipped, 1);
});

Deno.test("a large push on a long way goes over several channels, on a short one over one", async () => {
  await using dir = await tempDir();
  await writeLarge(`${dir.path}/big`, 60 * MiB);
  const sessions = async (rttMs: number | undefined) => {
    await using world = await StreamWorld.start({ rttMs });
    const before = world.sshd.sessions();
    const result = await world.host.copy(`${dir.path}/big`, "big", { verify: true });
    assert(await same(`${dir.path}/big`, `${world.home}/big`));
    assertEquals([result.files, result.bytes], [1, 60 * MiB]);
    return world.sshd.sessions() - before;
  };
  assert(await sessions(250) >= 4);
  assert(await sessions(undefined) <= 2); // one, and one that compares
});

Deno.test("on a very long way a large push goes over the connection that is there and a lane, which joins it", async () => {
  await using dir = await tempDir();
  await writeLarge(`${dir.path}/big`, 160 * MiB);
  await using world = await StreamWorld.start({ rttMs: 250 });
  await world.host.exec("true");
  const { sshd, host, home } = world;
  const [connections, sessions] = [sshd.connections(), sshd.sessions()];
  const result = await host.copy(`${dir.path}/big`, "big");
  assertEquals([result.files, result.bytes], [1, 160 * MiB]);
  assertEquals(sshd.connections() - connections, 1);
  // No connection has more than ten.
  assert(sshd.sessions() - sessions > 10, String(sshd.sessions() - sessions));
  assert(await same(`${dir.path}/big`, `${home}/big`));
  const [mine, theirs] = await Promise.all([`${dir.path}/big`, `${home}/big`].map((path) => Deno.stat(path)));
  assertEquals(theirs.mode! & 0o777, mine.mode! & 0o777);
  assertEquals(Math.floor(theirs.mtime!.getTime() / 1000), Math.floor(mine.mtime!.getTime() / 1000));
  assertEquals(await leftBehind(home), []);
  // A copy that goes on from a part, and is compared, takes the same way.
  const verified = await host.copy(`${dir.path}/big`, "verified", { verify: true });
  assertEquals(verified.files, 1);
  assert(await same(`${dir.path}/big`, `${home}/verified`));
});

Deno.test("two copies of one large file to one place at once both end well", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await writeLarge(`${dir.path}/big`, 70 * MiB);
  await using other = await reconnect(world.sshd);
  await Promise.all([world.host, other].map((host) => host.copy(`${dir.path}/big`, "big")));
  assert(await same(`${dir.path}/big`, `${world.home}/big`));
  await Promise.all([world.host, other].map((host) => host.fetch("big", `${dir.path}/back`)));
  assert(await same(`${dir.path}/big`, `${dir.path}/back`));
});
