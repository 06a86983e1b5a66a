/** What every link promises (lib/channel/link.ts), as tests that each kind of link runs. */
import { assert, assertEquals } from "@std/assert";
import type { Link } from "../../lib/channel/link.ts";

/** A link under test with something at its other end. */
export interface LinkEnds extends AsyncDisposable {
  readonly link: Link;
  /** The other end, where that is a link too. */
  readonly far?: Link;
  /** Makes the other end hang up without a word. */
  cut(): void | Promise<void>;
}

export type MakeEnds = () => Promise<LinkEnds>;

/** Keeps what arrives, and waits for it. */
export class Arrivals {
  readonly payloads: Uint8Array[] = [];
  #wake: (() => void) | undefined;

  constructor(link: Link) {
    link.receive((payload) => {
      this.payloads.push(payload);
      this.#wake?.();
    });
    link.closed.then(() => this.#wake?.());
  }

  /** Resolves when `count` messages are here. */
  async upTo(count: number): Promise<Uint8Array[]> {
    while (this.payloads.length < count) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.payloads;
  }
}

function numbered(count: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, i) => new Uint8Array([80, i >>> 8, i & 255, ...new Array(i % 40).fill(i & 255)]),
  );
}

/** Bytes that differ from place to place, so that a shift or a hole shows. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7) & 255;
  bytes[0] = 80;
  return bytes;
}

/** For a link with anything at its other end. */
export function linkContract(name: string, make: MakeEnds): void {
  Deno.test(`${name} closes once, says how, and closing again changes nothing`, async () => {
    await using ends = await make();
    const info = { how: "closed", why: "the test is over" } as const;
    await Promise.all([ends.link.close(info), ends.link.close({ how: "failed", why: "too late" })]);
    await ends.link.close();
    assertEquals(await ends.link.closed, info);
  });

  Deno.test(`${name} says that it was lost when the other end hangs up, and closing it is then nothing`, async () => {
    await using ends = await make();
    ends.link.receive(() => {});
    await ends.cut();
    assertEquals((await ends.link.closed).how, "lost");
    await ends.link.close();
    assertEquals((await ends.link.closed).how, "lost");
  });

  Deno.test(`${name} drops what is sent after the end, holds nothing back and lets waiters go`, async () => {
    await using ends = await make();
    ends.link.receive(() => {});
    await ends.link.close();
    ends.link.send(new Uint8Array(1 << 20).fill(80));
    assertEquals(ends.link.queuedBytes, 0);
    await ends.link.drained();
  });

  Deno.test(`${name} lets those go who wait for room when it ends`, async () => {
    await using ends = await make();
    for (let i = 0; i < 400; i++) ends.link.send(new Uint8Array(30_000).fill(2)); // SSH_MSG_IGNORE where it matters
    const waiting = ends.link.drained();
    ends.link.close();
    await waiting;
    assertEquals(ends.link.queuedBytes, 0);
    await ends.link.close();
  });

  Deno.test(`${name} is closed by its dispose`, async () => {
    await using ends = await make();
    {
      await using link = ends.link;
      assert(link.where.length > 0);
    }
    assertEquals((await ends.link.closed).how, "closed");
  });
}

/** For a link whose other end is one too: what happens between the two. */
export function linkPairContract(name: string, make: () => Promise<LinkEnds & { readonly far: Link }>): void {
  linkContract(name, make);

  Deno.test(`${name} delivers whole messages in order, both ways`, async () => {
    await using ends = await make();
    const [here, there] = [new Arrivals(ends.link), new Arrivals(ends.far)];
    for (const payload of numbered(500)) ends.link.send(payload);
    for (const payload of numbered(300)) ends.far.send(payload);
    assertEquals(await there.upTo(500), numbered(500));
    assertEquals(await here.upTo(300), numbered(300));
  });

  Deno.test(`${name} delivers large messages whole, between small ones`, async () => {
    await using ends = await make();
    const there = new Arrivals(ends.far);
    const sizes = [1, 16_384, 3, 200_000, 262_143, 2, 32_768, 262_143, 1];
    for (const size of sizes) ends.link.send(pattern(size));
    const arrived = await there.upTo(sizes.length);
    assertEquals(arrived.map((payload) => payload.length), sizes);
    sizes.forEach((size, i) => assertEquals(arrived[i], pattern(size)));
  });

  Deno.test(`${name} delivers first what came before anybody listened`, async () => {
    await using ends = await make();
    const there = new Arrivals(ends.far);
    for (const payload of numbered(20)) ends.far.send(payload);
    ends.link.send(new Uint8Array([80]));
    await there.upTo(1);
    const here = new Arrivals(ends.link);
    ends.far.send(new Uint8Array([81]));
    assertEquals(await here.upTo(21), [...numbered(20), new Uint8Array([81])]);
  });

  Deno.test(`${name} counts what has not left, and says when there is room again`, async () => {
    await using ends = await make();
    await ends.link.drained();
    assertEquals(ends.link.queuedBytes, 0);
    for (let i = 0; i < 64; i++) ends.link.send(pattern(100_000));
    assert(ends.link.queuedBytes >= 5_000_000, `${ends.link.queuedBytes}`);
    let drained = false;
    const waiting = ends.link.drained().then(() => drained = true);
    await Promise.resolve();
    assertEquals(drained, false);
    const there = new Arrivals(ends.far); // only now does somebody take it
    await waiting;
    assert(ends.link.queuedBytes < 256 * 1024, `${ends.link.queuedBytes}`);
    await there.upTo(64);
  });

  Deno.test(`${name} delivers what was sent before it was closed`, async () => {
    await using ends = await make();
    const there = new Arrivals(ends.far);
    for (const payload of numbered(100)) ends.link.send(payload);
    await ends.link.close();
    assertEquals((await ends.far.closed).how, "lost");
    assertEquals(there.payloads, numbered(100));
  });

  Deno.test(`${name} delivers what the other end had sent, although it cannot be sent to any more`, async () => {
    await using ends = await make();
    const here = new Arrivals(ends.link);
    for (const payload of numbered(50)) ends.far.send(payload);
    const closing = ends.far.close();
    for (const payload of numbered(50)) ends.link.send(payload);
    await closing;
    assertEquals((await ends.link.closed).how, "lost");
    assertEquals(here.payloads, numbered(50));
  });

  Deno.test(`${name} gives each message to its handler to keep and to change`, async () => {
    await using ends = await make();
    const here = new Arrivals(ends.link);
    for (const payload of numbered(60)) ends.far.send(payload);
    await here.upTo(60);
    here.payloads[10].fill(255);
    assertEquals(here.payloads[9], numbered(60)[9]);
    assertEquals(here.payloads[11], numbered(60)[11]);
    for (const payload of numbered(60)) ends.far.send(payload);
    await here.upTo(120);
    assertEquals(here.payloads.slice(11, 60), numbered(60).slice(11));
  });

  Deno.test(`${name} can be closed by its own handler`, async () => {
    await using ends = await make();
    let count = 0;
    ends.link.receive(() => {
      count++;
      ends.link.close();
    });
    for (const payload of numbered(3)) ends.far.send(payload);
    assertEquals((await ends.link.closed).how, "closed");
    assert(count >= 1);
    assertEquals((await ends.far.closed).how, "lost");
  });
}
