import { assert, assertEquals } from "@std/assert";
import { type ByteConn, FramedLink } from "../../lib/link/framed_link.ts";
import { Arrivals, linkPairContract, pattern } from "./contract.ts";
import { unixPair } from "./unix_pair.ts";

linkPairContract("framed link over a Unix socket", async () => {
  const pair = await unixPair();
  const [link, far] = [new FramedLink(pair.here, "here"), new FramedLink(pair.there, "there")];
  return {
    link,
    far,
    cut: () => pair.there.close(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([link.close(), far.close()]);
      await pair[Symbol.asyncDispose]();
    },
  };
});

Deno.test("framed link writes length, a zero byte, message, as PROTOCOL.mux says", async () => {
  await using pair = await unixPair();
  await using link = new FramedLink(pair.here, "here");
  link.send(new Uint8Array([97, 0, 0, 0, 5]));
  link.send(new Uint8Array([80]));
  const buffer = new Uint8Array(100);
  const count = await pair.there.read(buffer);
  assertEquals(
    buffer.subarray(0, count!),
    new Uint8Array([0, 0, 0, 6, 0, 97, 0, 0, 0, 5, 0, 0, 0, 2, 0, 80]),
  );
});

Deno.test("framed link begins with what was read before it took over", async () => {
  await using pair = await unixPair();
  const initial = new Uint8Array([0, 0, 0, 2, 0, 80, 0, 0, 0, 3, 0]);
  await using link = new FramedLink(pair.here, "here", { initial });
  const arrivals = new Arrivals(link);
  await pair.there.write(new Uint8Array([81, 7]));
  assertEquals(await arrivals.upTo(2), [new Uint8Array([80]), new Uint8Array([81, 7])]);
});

Deno.test("framed link passes over frames without a message", async () => {
  await using pair = await unixPair();
  await using link = new FramedLink(pair.here, "here");
  const arrivals = new Arrivals(link);
  await pair.there.write(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 80]));
  assertEquals(await arrivals.upTo(1), [new Uint8Array([80])]);
});

Deno.test("framed link fails on a frame that is too large, after what came before it", async () => {
  await using pair = await unixPair();
  await using link = new FramedLink(pair.here, "here");
  const arrivals = new Arrivals(link);
  await pair.there.write(new Uint8Array([0, 0, 0, 2, 0, 80, 0, 4, 0, 1]));
  const info = await link.closed;
  assertEquals(info.how, "failed");
  assert(info.why.includes("262145"), info.why);
  assertEquals(arrivals.payloads, [new Uint8Array([80])]);
});

Deno.test("framed link is lost when the other end vanishes in the middle of a frame", async () => {
  await using pair = await unixPair();
  await using link = new FramedLink(pair.here, "here", { lostWhy: "it left" });
  const arrivals = new Arrivals(link);
  await pair.there.write(new Uint8Array([0, 0, 0, 9, 0, 80]));
  pair.there.close();
  assertEquals(await link.closed, { how: "lost", why: "it left", error: undefined });
  assertEquals(arrivals.payloads, []);
});

Deno.test("framed link ends, and says why, when its handler fails", async () => {
  await using pair = await unixPair();
  await using link = new FramedLink(pair.here, "here");
  const fault = new TypeError("a fault of ours");
  link.receive(() => {
    throw fault;
  });
  await pair.there.write(new Uint8Array([0, 0, 0, 2, 0, 80]));
  const info = await link.closed;
  assertEquals([info.how, info.error], ["failed", fault]);
});

/** A connection that does what a test says. */
class ScriptedConn implements ByteConn {
  readonly written: Uint8Array[] = [];
  readonly reads: ((count: number | null) => void)[] = [];
  buffers: Uint8Array[] = [];
  write: (bytes: Uint8Array) => Promise<number> = (bytes) => {
    this.written.push(bytes.slice());
    return Promise.resolve(bytes.length);
  };

  read(buffer: Uint8Array): Promise<number | null> {
    this.buffers.push(buffer);
    return new Promise((resolve) => this.reads.push(resolve));
  }

  /** Gives the read that waits these bytes, or the end. */
  async give(bytes: Uint8Array | null): Promise<void> {
    if (bytes) this.buffers.at(-1)!.set(bytes);
    this.reads.pop()!(bytes && bytes.length);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  close(): void {
    this.reads.pop()?.(null);
  }
}

Deno.test("framed link writes on where a write took only part", async () => {
  const conn = new ScriptedConn();
  const all: number[] = [];
  conn.write = (bytes) => {
    const part = Math.min(bytes.length, 7);
    all.push(...bytes.subarray(0, part));
    return Promise.resolve(part);
  };
  const link = new FramedLink(conn, "here");
  link.send(pattern(100));
  link.send(pattern(30));
  await link.close();
  assertEquals(all, [0, 0, 0, 101, 0, ...pattern(100), 0, 0, 0, 31, 0, ...pattern(30)]);
});

Deno.test("framed link sends in one write what is sent in one turn", async () => {
  const conn = new ScriptedConn();
  const link = new FramedLink(conn, "here");
  for (let i = 0; i < 5; i++) link.send(new Uint8Array([80, i]));
  await link.close();
  assertEquals(conn.written.map((bytes) => bytes.length), [35]);
});

Deno.test("framed link keeps what is sent while a write is under way", async () => {
  const conn = new ScriptedConn();
  const writes: { readonly bytes: Uint8Array; readonly done: (count: number) => void }[] = [];
  conn.write = (bytes) => new Promise((done) => writes.push({ bytes, done }));
  const link = new FramedLink(conn, "here");
  const all: number[] = [];
  link.send(pattern(10));
  for (let i = 11; i < 40; i++) {
    while (writes.length === 0) await Promise.resolve();
    link.send(pattern(i)); // right behind what is being written
    const { bytes, done } = writes.pop()!;
    all.push(...bytes);
    done(bytes.length);
  }
  while (writes.length === 0) await Promise.resolve();
  all.push(...writes[0].bytes);
  writes[0].done(writes[0].bytes.length);
  const expected = Array.from({ length: 30 }, (_, i) => [0, 0, 0, i + 11, 0, ...pattern(i + 10)]).flat();
  assertEquals(all, expected);
  await link.close();
});

Deno.test("framed link whose write failed still delivers what can be read, then is lost", async () => {
  const conn = new ScriptedConn();
  const broken = new Deno.errors.BrokenPipe("gone");
  conn.write = () => Promise.reject(broken);
  const link = new FramedLink(conn, "here");
  const arrivals = new Arrivals(link);
  link.send(new Uint8Array([80]));
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  link.send(new Uint8Array([81])); // nobody will ever take it
  assertEquals(link.queuedBytes, 0);
  await conn.give(new Uint8Array([0, 0, 0, 2, 0, 98]));
  assertEquals(arrivals.payloads, [new Uint8Array([98])]);
  await conn.give(null);
  assertEquals((await link.closed).error, broken);
});

Deno.test("framed link closes although its last bytes never leave", async () => {
  await using pair = await unixPair();
  const link = new FramedLink(pair.here, "here");
  for (let i = 0; i < 100; i++) link.send(pattern(100_000)); // nobody reads
  await link.close();
  assertEquals((await link.closed).how, "closed");
});

Deno.test("framed link that waits for a slow reader holds its messages, not the buffers they came in", async () => {
  const conn = new ScriptedConn();
  const writes: ((count: number) => void)[] = [];
  const all: number[] = [];
  conn.write = (bytes) => {
    all.push(...bytes);
    return new Promise((done) => writes.push(() => done(bytes.length)));
  };
  const link = new FramedLink(conn, "here");
  const slab = new Uint8Array(1024).fill(80);
  link.send(slab.subarray(0, 4));
  assertEquals(link.queuedBytes, 9);
  slab.fill(0); // read over: the link has what it needs
  while (writes.length === 0) await Promise.resolve();
  assertEquals(all, [0, 0, 0, 5, 0, 80, 80, 80, 80]);
  writes[0](9);
  await link.close();
});

Deno.test("framed link sends in one piece what follows within a few turns of promises", async () => {
  await using pair = await unixPair();
  let pieces = 0;
  const counting: ByteConn = {
    read: (buffer) => pair.here.read(buffer),
    write: (bytes) => {
      pieces++;
      return pair.here.write(bytes);
    },
    close: () => pair.here.close(),
  };
  await using link = new FramedLink(counting, "here");
  await using far = new FramedLink(pair.there, "there");
  const arrivals = new Arrivals(far);
  // As a command and the end of its input: the second is sent by whoever was told of the first.
  const start = async () => {
    link.send(new Uint8Array([98]));
    return await Promise.resolve("started");
  };
  await start();
  link.send(new Uint8Array([96]));
  assertEquals(await arrivals.upTo(2), [new Uint8Array([98]), new Uint8Array([96])]);
  assertEquals(pieces, 1);
});
