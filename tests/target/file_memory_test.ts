import { assertEquals, assertRejects } from "@std/assert";
import { FileMemory } from "../../lib/target/file_memory.ts";
import { TempHome } from "../support/temp_home.ts";

/** Long after everything that a test writes: no file looks as if it could still be changing. */
const later = () => Date.now() + 60_000;

async function memory(now: () => number = later) {
  const home = await TempHome.make();
  let reads = 0;
  const files = new FileMemory(async (path) => {
    const text = await Deno.readTextFile(path);
    reads++;
    return text;
  }, { now });
  return { home, files, reads: () => reads, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

Deno.test("a file is made something of once, however many ask and at once", async () => {
  await using world = await memory();
  const path = await world.home.write("f", "one");
  const all = await Promise.all(Array.from({ length: 100 }, () => world.files.get(path)));
  assertEquals(new Set(all), new Set(["one"]));
  assertEquals(await world.files.get(path), "one");
  assertEquals(world.reads(), 1);
});

Deno.test("a file that has changed is read again: in place, replaced, gone, and there again", async () => {
  await using world = await memory();
  const { home, files } = world;
  const path = await home.write("f", "one");
  assertEquals(await files.get(path), "one");
  await Deno.writeTextFile(path, "three");
  assertEquals(await files.get(path), "three");
  await Deno.rename(await home.write("g", "other"), path);
  assertEquals(await files.get(path), "other");
  await Deno.chmod(path, 0o400);
  assertEquals(await files.get(path), "other");
  assertEquals(world.reads(), 4, "its mode may say who may read it");
  await Deno.remove(path);
  await assertRejects(() => files.get(path), Deno.errors.NotFound);
  await home.write("f", "again");
  assertEquals(await files.get(path), "again");
});

Deno.test("a file that was written a moment ago may be written again unseen: it is not remembered", async () => {
  await using world = await memory(Date.now);
  const path = await world.home.write("f", "one");
  for (const text of ["two", "six", "ten"]) {
    await Deno.writeTextFile(path, text);
    assertEquals(await world.files.get(path), text, "of the same length, and within a tick of the clock");
  }
});

Deno.test("what stands for a missing file takes no reading, and a failure is not remembered", async () => {
  await using home = await TempHome.make();
  let asked = 0;
  const files = new FileMemory((path) => {
    asked++;
    return path.endsWith("bad") && asked === 1 ? Promise.reject(new Error("no")) : Promise.resolve("made");
  }, { absent: { made: "nothing" }, now: later });
  assertEquals(await files.get(`${home.path}/missing`), "nothing");
  assertEquals(asked, 0);
  const bad = await home.write("bad", "");
  await assertRejects(() => files.get(bad), Error, "no");
  assertEquals(await files.get(bad), "made");
});
