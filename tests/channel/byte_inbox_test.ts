import { assert, assertEquals, assertRejects } from "@std/assert";
import { ByteInbox } from "../../lib/channel/byte_inbox.ts";

function inbox() {
  const taken: number[] = [];
  return { taken, box: new ByteInbox((bytes) => taken.push(bytes)) };
}

const part = (length: number) => new Uint8Array(length).fill(length);

Deno.test("an inbox gives its bytes to a loop, and the window back as the loop takes them", async () => {
  const { box, taken } = inbox();
  box.push(part(1));
  box.push(part(2));
  const loop = box.chunks();
  assertEquals(taken, []);
  assertEquals((await loop.next()).value, part(1));
  assertEquals(taken, [1]);
  assertEquals((await loop.next()).value, part(2));
  const waiting = loop.next();
  box.push(part(3));
  assertEquals((await waiting).value, part(3));
  const last = loop.next();
  box.end();
  assertEquals((await last).done, true);
  assertEquals(taken, [1, 2, 3]);
});

Deno.test("an inbox that has ended still gives what is in it, to a loop as to a stream", async () => {
  for (const read of [(box: ByteInbox) => box.chunks(), (box: ByteInbox) => box.stream]) {
    const { box, taken } = inbox();
    box.push(part(4));
    box.end();
    assertEquals(await Array.fromAsync(read(box)), [part(4)]);
    assertEquals(taken, [4]);
  }
});

Deno.test("an inbox whose loop was left drops what still comes, and does not hold the peer", async () => {
  const { box, taken } = inbox();
  box.push(part(1));
  box.push(part(2));
  for await (const _ of box.chunks()) break;
  assertEquals(taken, [1, 2]);
  box.push(part(3));
  assertEquals(taken, [1, 2, 3]);
});

Deno.test("an inbox that fails tells a loop after what came before", async () => {
  const { box } = inbox();
  box.push(part(1));
  box.fail(new Error("cut"));
  const loop = box.chunks();
  assertEquals((await loop.next()).value, part(1));
  await assertRejects(() => loop.next(), Error, "cut");
});

Deno.test("an inbox knows whether somebody reads it", async () => {
  const { box } = inbox();
  assert(!box.isRead);
  const loop = box.chunks();
  const first = loop.next();
  assert(box.isRead);
  box.end();
  await first;
  const other = inbox().box;
  assert(!other.isRead && other.stream && !other.isRead);
  const reader = other.stream.getReader();
  assert(other.isRead);
  reader.releaseLock();
});
