import { FramedLink } from "../../lib/link/framed_link.ts";
import type { ByteConn } from "../../lib/link/slab_reader.ts";
import * as m from "../../lib/wire/messages.ts";

/** One end of a pipe in memory, shaped like a Unix socket. */
class PipeEnd implements ByteConn {
  peer!: PipeEnd;
  readonly #arrived: Uint8Array[] = [];
  #waiting: (() => void) | undefined;

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#arrived.length === 0) await new Promise<void>((resolve) => this.#waiting = resolve);
    const first = this.#arrived[0];
    const count = Math.min(first.length, buffer.length);
    buffer.set(first.subarray(0, count));
    if (count < first.length) this.#arrived[0] = first.subarray(count);
    else this.#arrived.shift();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.peer.#arrived.push(bytes.slice());
    this.peer.#waiting?.();
    this.peer.#waiting = undefined;
    return Promise.resolve(bytes.length);
  }

  close(): void {}
}

const [a, b] = [new PipeEnd(), new PipeEnd()];
a.peer = b;
b.peer = a;
const [near, far] = [new FramedLink(a, "near"), new FramedLink(b, "far")];
near.receive((payload) => arrived(payload));
far.receive((payload) => far.send(payload));
let arrived: (payload: Uint8Array) => void = () => {};

const adjust = m.encodeWindowAdjust(7, 1024);
const data = m.encodeChannelData(7, new Uint8Array(32 * 1024));

async function echo(payload: Uint8Array, times: number): Promise<void> {
  let left = times;
  const all = new Promise<void>((resolve) => arrived = () => --left === 0 && resolve());
  for (let i = 0; i < times; i++) near.send(payload);
  await all;
}

Deno.bench("framed link: one small message there and back", { group: "small", baseline: true }, async () => {
  await echo(adjust, 1);
});

Deno.bench("framed link: 64 small messages there and back", { group: "small" }, async () => {
  await echo(adjust, 64);
});

Deno.bench("framed link: 2 MiB of data there and back", { group: "data" }, async () => {
  await echo(data, 64);
});
