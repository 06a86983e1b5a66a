/** A spare that nobody has used for this long is closed: a server's memory is not ours to keep. */
export const SPARE_UNUSED_MS = 60_000;

/**
 * After a refusal, spares rest for so long; eight times as long after the next. Many commands that end at once are the
 * usual cause: for a moment sshd counts them beside the spares that take their place.
 */
export const SECOND_CHANCE_MS = 1000;

/** Refusals after which no more are asked for. */
const CHANCES = 4;

/** What a pool needs from whoever opens its spares. */
export interface SpareKeeping<T> {
  /** Starts to open one; {@linkcode SparePool.arrived} or {@linkcode SparePool.gone} must follow. */
  open(): T;
  close(spare: T): void;
  /** Whether the session limit has room for one more. */
  hasRoom(): boolean;
}

export interface SparePoolOptions {
  /** Most spares at a time, however much they are used; 0: none. */
  readonly most: number;
  /** Milliseconds; default {@linkcode SPARE_UNUSED_MS}. */
  readonly unusedMs?: number;
  /**
   * Whether a refusal may have had another cause than that the server wants none: sshd counts sessions that are over
   * until it has reaped them, and at its limit refuses everything. Then spares rest, and are tried again; else, and when
   * they were refused time and again, there are no more. Default false.
   */
  readonly forgives?: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/**
 * Sessions opened ahead of need, so that a command costs one round trip instead of two. One at first; one more with each
 * time that none was there, one less with each that nobody used. A server that refuses or closes them is not asked for
 * more, see {@linkcode SparePoolOptions.forgives}.
 *
 * It decides how many and how long. `T` is whatever a spare is: the pool never looks into it.
 */
export class SparePool<T> {
  readonly #keeping: SpareKeeping<T>;
  readonly #most: number;
  readonly #unusedMs: number;
  /** Oldest first. */
  readonly #ready: { readonly spare: T; readonly since: number }[] = [];
  readonly #opening = new Set<T>();
  #wanted = 1;
  #ended = false;
  readonly #forgives: boolean;
  readonly #now: () => number;
  #refusals = 0;
  #restsUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(keeping: SpareKeeping<T>, options: SparePoolOptions) {
    this.#keeping = keeping;
    this.#most = options.most;
    this.#unusedMs = options.unusedMs ?? SPARE_UNUSED_MS;
    this.#forgives = options.forgives ?? false;
    this.#now = options.now ?? (() => performance.now());
    if (this.#most < 1) this.#ended = true;
  }

  /** Spares that are there, and on their way. */
  get count(): number {
    return this.#ready.length + this.#opening.size;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  /** One that is there, else one on its way, which is sooner there than a new one; it is the caller's from now on. */
  take(): T | undefined {
    if (this.#ended) return undefined;
    const ready = this.#ready.pop(); // the freshest: the oldest is the one to drop
    if (ready !== undefined) {
      this.#refusals = 0; // the server does let spares be
      return ready.spare;
    }
    const [opening] = this.#opening;
    this.#wanted = Math.min(this.#most, this.#wanted + 1);
    if (opening !== undefined) this.#opening.delete(opening);
    return opening;
  }

  /** Opens what is missing, as far as there is room. */
  refill(): void {
    if (this.#now() < this.#restsUntil) return;
    while (!this.#ended && this.count < this.#wanted && this.#keeping.hasRoom()) {
      this.#opening.add(this.#keeping.open());
    }
  }

  /** The server has confirmed it. Whether it is in the pool now: not when it was taken on its way, or the pool is closed. */
  arrived(spare: T): boolean {
    if (!this.#opening.delete(spare)) return false;
    this.giveBack(spare);
    return true;
  }

  /** Whoever took it did not need it. */
  giveBack(spare: T): void {
    if (this.#ended) return this.#keeping.close(spare);
    this.#ready.push({ spare, since: performance.now() });
    this.#arm();
  }

  /** It is over. Where it was in the pool, the server has closed it: there will be none for now. */
  gone(spare: T): void {
    const at = this.#ready.findIndex((one) => one.spare === spare);
    if (at < 0) return;
    this.#ready.splice(at, 1);
    this.#rest();
  }

  /** The server has refused one, be it in the pool or taken on its way: there will be none for now. */
  refused(spare: T): void {
    this.#opening.delete(spare);
    this.#rest();
  }

  #rest(): void {
    if (this.#ended) return;
    if (!this.#forgives || ++this.#refusals >= CHANCES) return this.end();
    this.#restsUntil = this.#now() + SECOND_CHANCE_MS * 8 ** (this.#refusals - 1);
    this.#wanted = 1;
  }

  /** Closes the oldest, to make room; whether there was one. */
  dropOne(): boolean {
    const oldest = this.#ready.shift();
    if (oldest !== undefined) this.#keeping.close(oldest.spare);
    return oldest !== undefined;
  }

  /** Closes all, for good. Those on their way are the opener's to close, when they arrive. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#opening.clear();
    while (this.dropOne());
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#ready.length === 0) return;
    const dueMs = this.#ready[0].since + this.#unusedMs - performance.now();
    const timer = setTimeout(() => {
      this.#timer = undefined;
      while (this.#ready.length > 0 && performance.now() - this.#ready[0].since >= this.#unusedMs - 1) {
        this.dropOne();
        this.#wanted = Math.max(1, this.#wanted - 1);
      }
      this.#arm();
    }, Math.max(0, dueMs));
    // A program that has nothing else to do may end; ids are numbers in Deno whatever the types say.
    Deno.unrefTimer(timer as unknown as number);
    this.#timer = timer;
  }
}
