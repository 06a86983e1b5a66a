/** Local files: looked at without waiting where the disk answers at once, and many together where it does not. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "../../lib/base/bytes.ts";
import type { CopyError } from "../../lib/base/errors.ts";
import { SmallFiles } from "../../lib/host/copy_small_files.ts";
import { type LocalEntry, readLocalTree } from "../../lib/host/local_tree.ts";
import { LocalTurn, SMALL_BYTES } from "../../lib/host/local_turn.ts";
import { makeTree } from "./copy_test_tree.ts";
import { tempDir } from "./sftp_server.ts";

const HEADER = new TextEncoder().encode("what stands before it");

function packer(turn: LocalTurn): SmallFiles {
  return new SmallFiles(() => HEADER, turn);
}

/** A turn on whose clock each look takes so long. */
function turnOf(lookMs: number): LocalTurn {
  let time = 0;
  return new LocalTurn(() => time += lookMs / 2);
}

Deno.test("a disk that answers at once is not waited for, one that keeps us waiting is", () => {
  let now = 0;
  const turn = new LocalTurn(() => now);
  const look = (ms: number) => turn.look(() => void (now += ms));
  for (let at = 0; at < 1000; at++) look(0.02);
  assert(turn.isFast);
  look(30); // this machine was busy
  assert(turn.isFast);
  look(300);
  assert(!turn.isFast);
  const slow = new LocalTurn(() => now);
  for (let at = 0; at < 20; at++) slow.look(() => void (now += 1)); // a network's
  assert(!slow.isFast);
  assertThrows(() => turn.look(() => assert(false, "thrown")), Error, "thrown");
});

Deno.test("others of this process get their turn while many files are looked at", async () => {
  let now = 0;
  const turn = new LocalTurn(() => now);
  assertEquals(turn.pause(), undefined);
  now += 6;
  let others = 0;
  const timer = setInterval(() => others++);
  for (let pauses = 0; others === 0; pauses++) {
    await turn.pause();
    now += 6;
    assert(pauses < 1_000_000);
  }
  clearInterval(timer);
});

Deno.test("a tree is listed the same, whether or not the disk is waited for", async () => {
  await using dir = await tempDir();
  const top = `${dir.path}/src`;
  await makeTree(top);
  await new Deno.Command("mkfifo", { args: [`${top}/fifo`] }).output();
  await new Deno.Command("sh", { args: ["-c", `: > "$(printf '${top}/bad\\377')"`] }).output();
  const list = async (turn: LocalTurn) => {
    const problems: string[] = [];
    const leaveOut = (problem: CopyError) => void problems.push(problem.message);
    const tree = await readLocalTree(top, leaveOut, new AbortController().signal, ["secret"], turn);
    const paths = (entries: readonly LocalEntry[]) =>
      entries.map(({ relative, info }) => [relative, info.size]);
    const links = tree.symlinks.map(({ relative, target }) => [relative, target]);
    return [paths(tree.directories), paths(tree.files), links, tree.totalBytes, problems.sort()];
  };
  const [fast, slow] = [await list(turnOf(0)), await list(turnOf(100))];
  assertEquals(fast, slow);
  assertEquals((fast[1] as unknown[]).length, 13);
  assertEquals((fast[4] as unknown[]).length, 2);
});

for (const [how, lookMs] of [["at once", 0], ["late", 100]] as const) {
  Deno.test(`small files of a disk that answers ${how} are read as they are, in any order`, async () => {
    await using dir = await tempDir();
    const entries: LocalEntry[] = [];
    for (const [at, size] of [0, 1, 2048, SMALL_BYTES, SMALL_BYTES + 1, 300_000].entries()) {
      const path = `${dir.path}/${at}`;
      await Deno.writeFile(path, new Uint8Array(size).fill(at + 1));
      entries.push({ relative: `${at}`, path, info: await Deno.lstat(path) });
    }
    for (const order of [[0, 1, 2, 3, 4, 5], [5, 0, 3], [2]]) {
      const files = packer(turnOf(lookMs));
      files.expect(entries);
      for (const at of order) {
        const taken = await files.take(entries[at]);
        const data = new Uint8Array(entries[at].info.size).fill(at + 1);
        assert("block" in taken);
        assertEquals(taken.block, concat([HEADER, data, new Uint8Array(-data.length & 511)]));
      }
    }
  });

  Deno.test(`a small file that changes is named, and so is one that is gone, from a disk that answers ${how}`, async () => {
    await using dir = await tempDir();
    const path = `${dir.path}/f`;
    const look = async (text: string): Promise<LocalEntry> => {
      await Deno.writeTextFile(path, text);
      return { relative: "f", path, info: await Deno.lstat(path) };
    };
    const whyOf = async (entry: LocalEntry) => {
      const taken = await packer(turnOf(lookMs)).take(entry);
      return "problem" in taken ? taken.problem.why : undefined;
    };
    const grown = await look("one");
    await Deno.writeTextFile(path, "three");
    assertEquals(await whyOf(grown), "it changed from 3 to 5 bytes while it was read");
    const shrunk = await look("four");
    await Deno.writeTextFile(path, "1");
    assertEquals(await whyOf(shrunk), "it changed from 4 to 1 bytes while it was read");
    const touched = await look("five");
    await Deno.utime(path, 1, 1);
    assertEquals(await whyOf(touched), "it was written to while it was read");
    const gone = await look("six");
    await Deno.remove(path);
    assertEquals(await whyOf(gone), "there is no such file or directory here");
  });
}

Deno.test("what was read ahead of files that are not wanted is forgotten, and the others come all the same", async () => {
  await using dir = await tempDir();
  const entries: LocalEntry[] = [];
  for (let at = 0; at < 40; at++) {
    const path = `${dir.path}/${at}`;
    await Deno.writeFile(path, new Uint8Array(256 * 1024).fill(at));
    entries.push({ relative: `${at}`, path, info: await Deno.lstat(path) });
  }
  const files = packer(turnOf(100));
  files.expect(entries);
  const first = await files.take(entries[0]); // by now the next ones are being read
  assert("block" in first);
  files.hold();
  files.keepOnly(entries.slice(30));
  files.expect(entries.slice(30));
  for (const [at, entry] of entries.slice(30).entries()) {
    const taken = await files.take(entry);
    assert("block" in taken && taken.block[HEADER.length] === at + 30);
  }
});

Deno.test("a fault while files are read ahead is met by whoever takes the file, not by the whole program", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/f`, "text");
  for (const lookMs of [0.01, 100]) {
    const turn = turnOf(lookMs);
    for (let at = 0; at < 10; at++) turn.look(() => {});
    const { files } = await readLocalTree(dir.path, () => {}, new AbortController().signal);
    const fault = new RangeError("no memory");
    const packer = new SmallFiles(() => {
      throw fault;
    }, turn);
    packer.expect(files);
    await turn.rest();
    await new Promise((resolve) => setTimeout(resolve, 0)); // a rejection that nobody handles would have ended us
    const met = await (async () => await packer.take(files[0]))().catch((error) => error);
    assertEquals(met, fault);
  }
});
