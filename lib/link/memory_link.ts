import type { CloseInfo, Link } from "../channel/link.ts";

/**
 * Two links joined back to back, in memory: what one sends, the other receives. For tests and examples.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const [here, there] = memoryLinkPair();
 * const arrived = new Promise((resolve) => there.receive(resolve));
 * here.send(new Uint8Array([80, 1]));
 * assertEquals(await arrived, new Uint8Array([80, 1]));
 * await here.close();
 * assertEquals((await there.closed).how, "lost");
 * ```
 */
export function memoryLinkPair(where = "memory"): [MemoryLink, MemoryLink] {
  const a = new MemoryLink(where);
  const b = new MemoryLink(where);
  a.join(b);
  b.join(a);
  return [a, b];
}

/** One end of {@linkcode memoryLinkPair}. Messages travel in the microtask queue: never inside `send`. */
export class MemoryLink implements Link {
  readonly where: string;
  readonly closed: Promise<CloseInfo>;
  readonly #resolveClosed: (info: CloseInfo) => void;
  #peer: MemoryLink | undefined;
  #handler: ((payload: Uint8Array) => void) | undefined;
  #arrived: Uint8Array[] = [];
  #delivering = false;
  #ended = false;
  #queuedBytes = 0;
  #drained: (() => void)[] = [];

  constructor(where: string) {
    this.where = where;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** Names the other end; done by {@linkcode memoryLinkPair}. */
  join(peer: MemoryLink): void {
    this.#peer = peer;
  }

  get queuedBytes(): number {
    return this.#ended ? 0 : this.#queuedBytes;
  }

  drained(): Promise<void> {
    if (this.#queuedBytes === 0 || this.#ended) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  send(payload: Uint8Array): void {
    if (this.#ended) return;
    this.#queuedBytes += payload.length;
    this.#peer?.arrive(payload);
  }

  /** Takes a message from the other end. */
  arrive(payload: Uint8Array): void {
    if (this.#ended) return;
    this.#arrived.push(payload);
    this.#schedule();
  }

  receive(handler: (payload: Uint8Array) => void): void {
    this.#handler = handler;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#delivering || this.#handler === undefined || this.#arrived.length === 0) return;
    this.#delivering = true;
    queueMicrotask(() => {
      this.#delivering = false;
      const arrived = this.#arrived;
      this.#arrived = [];
      for (const payload of arrived) {
        this.#peer?.left(payload.length);
        this.#handler?.(payload);
      }
      this.#schedule();
    });
  }

  /** The other end has taken `bytes`. */
  left(bytes: number): void {
    this.#queuedBytes -= bytes;
    if (this.#queuedBytes === 0) { for (const resolve of this.#drained.splice(0)) resolve(); }
  }

  close(info: CloseInfo = { how: "closed", why: "closed by this side" }): Promise<void> {
    this.#end(info);
    this.#peer?.hangUp();
    return Promise.resolve();
  }

  /** The other end is gone. */
  hangUp(): void {
    // What was sent before the end still arrives.
    queueMicrotask(() => this.#end({ how: "lost", why: "the other side closed the connection" }));
  }

  #end(info: CloseInfo): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const resolve of this.#drained.splice(0)) resolve();
    this.#resolveClosed(info);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
