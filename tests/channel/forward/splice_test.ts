import { assert, assertEquals } from "@std/assert";
import { ChannelBytes } from "../../../lib/channel/forward/channel_bytes.ts";
import { type LocalSocket, splice } from "../../../lib/channel/forward/splice.ts";
import * as m from "../../../lib/wire/messages.ts";
import { Peer } from "../peer.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A socket whose other end is the test: it gives what to read, and takes what is written when it likes. */
class FakeSocket implements LocalSocket {
  closed = 0;
  writeClosed = false;
  reads = 0;
  readonly written: string[] = [];
  #reading: PromiseWithResolvers<Uint8Array | null> | undefined;
  #readable: (Uint8Array | null | Error)[] = [];
  #stalled: PromiseWithResolvers<void> | undefined;
  #writeError: Error | undefined;

  async read(into: Uint8Array): Promise<number | null> {
    this.reads++;
    if (this.closed) throw new Deno.errors.BadResource();
    const next = this.#readable.shift();
    if (next instanceof Error) throw next;
    const bytes = next ?? (next === null ? null : await (this.#reading = Promise.withResolvers()).promise);
    if (bytes === null) return null;
    into.set(bytes);
    return bytes.length;
  }

  /** What the other end sends; null is its EOF, an error a reset. */
  feed(...items: (Uint8Array | null | Error)[]): void {
    for (const item of items) {
      const reading = this.#reading;
      this.#reading = undefined;
      if (reading === undefined) this.#readable.push(item);
      else if (item instanceof Error) reading.reject(item);
      else reading.resolve(item);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#stalled?.promise;
    if (this.closed) throw new Deno.errors.BadResource();
    if (this.#writeError) throw this.#writeError;
    const some = bytes.subarray(0, 5); // a socket may take only a part
    this.written.push(decode(some));
    return some.length;
  }

  stall(): void {
    this.#stalled = Promise.withResolvers();
  }

  resume(): void {
    this.#stalled?.resolve();
    this.#stalled = undefined;
  }

  failWrites(): void {
    this.#writeError = new Deno.errors.BrokenPipe();
  }

  closeWrite(): Promise<void> {
    this.writeClosed = true;
    return Promise.resolve();
  }

  close(): void {
    this.closed++;
    if (this.closed > 1) throw new Deno.errors.BadResource();
    this.#reading?.reject(new Deno.errors.Interrupted());
    this.resume();
  }
}

async function joined(options: { window?: number; receiveWindow?: number; first?: Uint8Array } = {}) {
  const peer = new Peer();
  const opening = peer.connection.open("direct-tcpip", { window: options.receiveWindow });
  const { sender } = await peer.confirm({ window: options.window });
  const socket = new FakeSocket();
  const stop = new AbortController();
  const channel = await opening;
  const done = splice(socket, new ChannelBytes(channel), { signal: stop.signal, first: options.first });
  return { peer, channel, sender, socket, stop, done };
}

async function dataFrom(peer: Peer): Promise<string> {
  return decode(m.decodeChannelData(await peer.next(m.MSG.CHANNEL_DATA)).data);
}

Deno.test("splice passes bytes both ways, and each EOF on its own", async () => {
  const { peer, sender, socket, done } = await joined({ first: encode("first") });
  assertEquals(await dataFrom(peer), "first");
  socket.feed(encode("question"), null);
  assertEquals(await dataFrom(peer), "question");
  await peer.next(m.MSG.CHANNEL_EOF);
  assertEquals([socket.closed, socket.writeClosed], [0, false]);
  peer.send(m.encodeChannelData(sender, encode("long answer")));
  peer.send(m.encodeChannelEof(sender));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  peer.send(m.encodeChannelClose(sender));
  await done;
  assertEquals(socket.written.join(""), "long answer");
  assertEquals([socket.closed > 0, socket.writeClosed], [true, true]);
  assertEquals(peer.connection.channelCount, 0);
});

Deno.test("splice keeps sending when the server's EOF came first", async () => {
  const { peer, sender, socket, done } = await joined();
  peer.send(m.encodeChannelEof(sender));
  await peer.settle();
  assertEquals([socket.writeClosed, socket.closed], [true, 0]);
  socket.feed(encode("still here"), null);
  assertEquals(await dataFrom(peer), "still here");
  await peer.next(m.MSG.CHANNEL_EOF);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await done;
});

Deno.test("splice gives no window back while the socket takes nothing", async () => {
  const { peer, sender, socket, stop, done } = await joined({ receiveWindow: 100 });
  socket.stall();
  for (let i = 0; i < 10; i++) peer.send(m.encodeChannelData(sender, encode("0123456789")));
  await peer.settle();
  assertEquals(peer.pending, 0);
  socket.resume();
  // All of it is granted anew, in halves of the window.
  let granted = 0;
  while (granted < 100) granted += m.decodeWindowAdjust(await peer.next(m.MSG.CHANNEL_WINDOW_ADJUST)).bytes;
  assertEquals([granted, socket.written.join("").length], [100, 100]);
  stop.abort();
  await done;
});

Deno.test("splice reads the socket no further than the peer's window lets it send", async () => {
  const { peer, sender, socket, stop, done } = await joined({ window: 4 });
  socket.feed(encode("abcdef"), encode("ghi"));
  assertEquals(await dataFrom(peer), "abcd");
  await peer.settle();
  assertEquals(socket.reads, 1);
  peer.send(m.encodeWindowAdjust(sender, 100));
  assertEquals(await dataFrom(peer), "ef");
  assertEquals(await dataFrom(peer), "ghi");
  stop.abort();
  await done;
});

Deno.test("splice delivers what came before the server closed the channel, then closes the socket", async () => {
  const { peer, sender, socket, done } = await joined();
  socket.stall();
  peer.send(m.encodeChannelData(sender, encode("the last words")));
  peer.send(m.encodeChannelClose(sender));
  await peer.next(m.MSG.CHANNEL_CLOSE);
  socket.feed(encode("into the void")); // cannot be sent any more: must not cost the last words
  await peer.settle();
  assertEquals(socket.closed, 0);
  socket.resume();
  await done;
  assertEquals(socket.written.join(""), "the last words");
  assert(socket.closed > 0);
});

Deno.test("splice closes the channel when the socket is reset", async () => {
  const { peer, socket, done } = await joined();
  socket.feed(new Deno.errors.ConnectionReset());
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await done;
  assert(socket.closed > 0);
});

Deno.test("splice still sends what a socket says that reads no more, and never blocks the server", async () => {
  const { peer, sender, socket, done } = await joined({ receiveWindow: 10 });
  socket.failWrites();
  peer.send(m.encodeChannelData(sender, encode("0123456789")));
  await peer.next(m.MSG.CHANNEL_WINDOW_ADJUST);
  peer.send(m.encodeChannelData(sender, encode("0123456789")));
  await peer.next(m.MSG.CHANNEL_WINDOW_ADJUST);
  socket.feed(encode("upload"), null);
  assertEquals(await dataFrom(peer), "upload");
  await peer.next(m.MSG.CHANNEL_EOF);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  await done;
});

Deno.test("splice ends at once when told to, without the peer's consent", async () => {
  const { peer, socket, stop, done } = await joined();
  stop.abort();
  await done;
  await peer.next(m.MSG.CHANNEL_CLOSE);
  assert(socket.closed > 0);
});

Deno.test("splice ends when the link does", async () => {
  const { peer, socket, done } = await joined();
  await peer.hangUp();
  await done;
  assert(socket.closed > 0);
});

Deno.test("splice ignores extended data and gives its window back", async () => {
  const { peer, sender, socket, stop, done } = await joined({ receiveWindow: 10 });
  peer.send(m.encodeChannelExtendedData(sender, 1, encode("0123456789")));
  await peer.next(m.MSG.CHANNEL_WINDOW_ADJUST);
  assertEquals(socket.written, []);
  stop.abort();
  await done;
});
