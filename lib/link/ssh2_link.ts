import { nextTick } from "node:process";
import { setImmediate } from "node:timers";
import { LinkError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { abortable } from "../deps/std_async.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import { checkHostKey, hostKeyAlgorithms } from "../target/known_hosts.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { algorithmsFor, HOST_KEY_ALGORITHMS } from "./algorithms.ts";
import type { Carrier } from "./dial.ts";
import { createAuthentication } from "./ssh2_auth.ts";
import { authenticateEarly } from "./ssh2_early_auth.ts";
import { assertShapes, type Ssh2Client, type Ssh2Protocol } from "./ssh2_shapes.ts";

/** RFC 4253 §9: new keys after a gigabyte or an hour, whichever comes first. ssh2 does neither by itself. */
const REKEY_BYTES = 1024 ** 3;
const REKEY_MS = 60 * 60 * 1000;

/** The handshake must be over by then, unless connectTimeout says otherwise; time spent asking a person is not counted. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

/** Messages of the connection protocol (RFC 4250 §4.1.2). */
const FIRST_CONNECTION_MESSAGE = 80;

export interface Ssh2LinkOptions {
  readonly prompter: Prompter;
  readonly signal?: AbortSignal;
  /** Called when keys have been exchanged for the first time and the host key was accepted. */
  readonly onHandshake?: (agreed: AgreedAlgorithms) => void;
}

/** What both sides agreed on in the key exchange. */
export interface AgreedAlgorithms {
  readonly kex: string;
  readonly hostKey: string;
  readonly cipher: string;
}

/** Loads what connecting needs: for who measures connecting alone, or has something to wait for meanwhile. */
export async function loadSsh2(): Promise<void> {
  await explainMissingPackage(() => import("../deps/ssh2.ts"));
}

/**
 * Does the SSH handshake over a carrier with ssh2 (transport, key exchange, host key, authentication) and gives the
 * authenticated connection as a {@linkcode Link}. Throws `LinkError` or `HostKeyError`; the carrier is closed then.
 */
export async function openSsh2Link(
  target: Target,
  carrier: Carrier,
  options: Ssh2LinkOptions,
): Promise<Link> {
  const { ssh2 } = await explainMissingPackage(() => import("../deps/ssh2.ts"));
  const { prompter, signal } = options;
  const client: Ssh2Client = new ssh2.Client();
  gatherWrites(carrier);
  const handshake = new Handshake(target, client);
  let verifiedKey: Uint8Array | undefined;
  try {
    signal?.throwIfAborted();
    const authentication = await createAuthentication(target, prompter, { signal });
    const known = await hostKeyAlgorithms(target, HOST_KEY_ALGORITHMS);
    handshake.describeAuthFailure = (cause) => authentication.failure(cause);
    client.on("banner", (message: string) => prompter.notice(message));
    client.connect({
      sock: carrier,
      username: target.user,
      algorithms: algorithmsFor(target, known),
      authHandler: authentication.authHandler,
      readyTimeout: 0, // ours, below: it must not run while a person is thinking
      keepaliveInterval: 0, // ours, above the link
      hostVerifier: (key: Uint8Array, verify: (accepted: boolean) => void) => {
        // New keys for a connection that lives: it must be the same host, and the answer must come at once. While ssh2
        // waits for one it takes the exchange for over and lets messages out under the old keys; sshd then hangs up.
        if (verifiedKey !== undefined) return sameBytes(key, verifiedKey);
        handshake.pauseDeadline();
        // The answer must come in a task of its own: Deno runs promise reactions inside some synchronous crypto
        // calls, and ssh2 is then in the middle of finishing this very exchange and never goes on.
        const answer = (accepted: boolean) => setImmediate(() => verify(accepted));
        const offered = new Uint8Array(key);
        checkHostKey(target, offered, prompter).then(() => {
          verifiedKey = offered;
          handshake.startDeadline();
          answer(true);
        }, (error) => {
          handshake.failure = error;
          answer(false);
        });
        return undefined;
      },
    });
    const protocol = assertShapes(client, target.where);
    authentication.attach(client);
    authenticateEarly(protocol, (error) => client.emit("error", error));
    const link = new Ssh2Link(target, client, carrier, protocol);
    handshake.startDeadline();
    client.on("handshake", () => handshake.pauseDeadline()); // from here on people and agents take their time
    client.once("handshake", (agreed: { kex: string; serverHostKey: string; cs: { cipher: string } }) => {
      options.onHandshake?.({ kex: agreed.kex, hostKey: agreed.serverHostKey, cipher: agreed.cs.cipher });
    });
    await (signal ? abortable(handshake.ready, signal) : handshake.ready);
    link.goLive();
    return link;
  } catch (error) {
    handshake.abandon();
    carrier.destroy();
    throw signal?.aborted ? signal.reason : error;
  }
}

/**
 * What is written in one turn leaves in one piece. ssh2 writes each packet in three, without Nagle's algorithm each would
 * be a system call, a segment on the wire and a turn of the server's; and packets come in twos and threes.
 */
function gatherWrites(carrier: Carrier): void {
  const write = carrier.write;
  let gathering = false;
  carrier.write = function (this: Carrier, ...args: unknown[]) {
    if (!gathering) {
      gathering = true;
      carrier.cork();
      nextTick(() => {
        gathering = false;
        carrier.uncork();
      });
    }
    return Reflect.apply(write, this, args);
  } as typeof carrier.write;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** The part of a link's life before it is one: what may go wrong, in the right words, and the deadline. */
class Handshake {
  readonly ready: Promise<void>;
  /** Set where we know better than ssh2 why it will fail. */
  failure: unknown;
  describeAuthFailure: (cause: Error) => LinkError = (cause) => this.#failed(cause);
  readonly #target: Target;
  readonly #reject: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shaken = false;

  constructor(target: Target, client: Ssh2Client) {
    this.#target = target;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#reject = reject;
    promise.catch(() => {}); // always awaited in the end, perhaps not yet when it fails
    client.once("ready", resolve);
    client.once("handshake", () => this.#shaken = true);
    // One failure can be told several times over (error, end, close): the first words count.
    const fail = (error: Error) =>
      reject(this.failure ?? (this.#shaken ? this.describeAuthFailure(error) : this.#failed(error)));
    client.on("error", fail);
    client.on("close", () => fail(new Error("the server closed the connection")));
    client.on("end", () => fail(new Error("the server closed the connection")));
  }

  startDeadline(): void {
    const ms = this.#target.connectTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#reject(
        new LinkError("timeout", {
          what: "Cannot connect",
          where: this.#target.where,
          why: `the SSH handshake did not finish within ${ms / 1000} s`,
          fix: "check that an SSH server listens there, or raise connectTimeout",
          outcome: "not-started",
        }),
      );
    }, ms);
  }

  pauseDeadline(): void {
    clearTimeout(this.#timer);
  }

  abandon(): void {
    clearTimeout(this.#timer);
  }

  #failed(cause: Error): LinkError {
    if (cause instanceof LinkError) return cause; // a carrier that knew
    const during = this.#shaken ? "during authentication" : "during the SSH handshake";
    return new LinkError(this.#shaken ? "auth-failed" : "handshake-failed", {
      what: "Cannot connect",
      where: this.#target.where,
      why: `${cause.message} (${during})`,
      fix: this.#shaken
        ? undefined
        : "check that an SSH server listens there and shares an algorithm with us",
      cause,
      outcome: "not-started",
    });
  }
}

/** An authenticated ssh2 client as a pipe of connection messages. */
class Ssh2Link implements Link {
  readonly where: string;
  readonly closed: Promise<CloseInfo>;
  readonly #client: Ssh2Client;
  readonly #carrier: Carrier;
  readonly #protocol: Ssh2Protocol;
  readonly #resolveClosed: (info: CloseInfo) => void;
  readonly #rekeyBytes: number;
  readonly #rekeyTimer: ReturnType<typeof setInterval>;
  readonly #drainWaiters: (() => void)[] = [];
  readonly #early: Uint8Array[] = [];
  #handler: ((payload: Uint8Array) => void) | undefined;
  #live = false;
  #ended = false;
  #lastError: Error | undefined;
  #bytesUnderKey = 0;

  constructor(target: Target, client: Ssh2Client, carrier: Carrier, protocol: Ssh2Protocol) {
    this.where = target.where;
    this.#client = client;
    this.#carrier = carrier;
    this.#protocol = protocol;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#rekeyBytes = target.rekeyLimitBytes ?? REKEY_BYTES;
    this.#rekeyTimer = setInterval(() => this.#rekey(), target.rekeyLimitMs ?? REKEY_MS);
    Deno.unrefTimer(this.#rekeyTimer as unknown as number);
    const original = protocol._onPayload;
    protocol._onPayload = (payload) => {
      // Everything of the connection protocol is ours once we are in; transport and authentication stay with ssh2.
      if (this.#live && payload[0] >= FIRST_CONNECTION_MESSAGE) return this.#arrive(payload);
      // A server may send hostkeys-00@openssh.com right behind USERAUTH_SUCCESS, before `ready` has reached us.
      if (payload[0] >= FIRST_CONNECTION_MESSAGE) return void this.#early.push(new Uint8Array(payload));
      return original(payload);
    };
    client.on("error", (error: Error) => this.#lastError ??= error);
    client.on("close", () => this.#end({ how: "lost", why: this.#reason(), error: this.#lastError }));
    client.on("end", () => this.#end({ how: "lost", why: this.#reason(), error: this.#lastError }));
    carrier.on("drain", () => this.#drained());
    client.on("handshake", () => this.#drained()); // new keys: what waited for them has left
  }

  /** Authentication is over: messages flow. */
  goLive(): void {
    this.#live = true;
  }

  #reason(): string {
    return this.#lastError?.message ?? "the server closed the connection";
  }

  get queuedBytes(): number {
    if (this.#ended) return 0;
    // While keys are being exchanged nothing may leave but the exchange itself.
    const waiting = this.#protocol._queue?.reduce((sum, packet) => sum + packet.length, 0) ?? 0;
    return this.#carrier.writableLength + waiting;
  }

  drained(): Promise<void> {
    // `drain` comes only after a write that was told to wait.
    const { _kexinit, _queue } = this.#protocol;
    const rekeying = _kexinit !== undefined || (_queue !== undefined && _queue.length > 0);
    if (this.#ended || !(rekeying || this.#carrier.writableNeedDrain)) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  #drained(): void {
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  send(payload: Uint8Array): void {
    if (this.#ended) return;
    const protocol = this.#protocol;
    const writer = protocol._packetRW.write;
    const packet = writer.alloc(payload.length);
    packet.set(payload, writer.allocStart);
    const finished = writer.finalize(packet);
    if (protocol._kexinit !== undefined) (protocol._queue ??= []).push(finished);
    else protocol._cipher.encrypt(finished);
    this.#count(payload.length);
  }

  receive(handler: (payload: Uint8Array) => void): void {
    this.#handler = handler;
    for (const payload of this.#early.splice(0)) handler(payload);
  }

  #arrive(buffer: Uint8Array): void {
    // ssh2 gives Buffers, whose slice() and JSON differ from a Uint8Array's: none gets past here.
    const payload = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.#count(payload.length);
    if (this.#handler) this.#handler(payload);
    else this.#early.push(payload);
  }

  #count(bytes: number): void {
    this.#bytesUnderKey += bytes;
    if (this.#bytesUnderKey >= this.#rekeyBytes) this.#rekey();
  }

  #rekey(): void {
    this.#bytesUnderKey = 0;
    if (!this.#ended && this.#protocol._kexinit === undefined) this.#protocol.rekey();
  }

  async close(info: CloseInfo = { how: "closed", why: "closed by this side" }): Promise<void> {
    if (!this.#ended) {
      this.#end(info);
      this.#client.end();
      // A peer that never closes its side must not keep us.
      await new Promise<void>((resolve) => {
        if (this.#carrier.destroyed) return resolve();
        const timer = setTimeout(() => this.#carrier.destroy(), 500);
        this.#carrier.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #end(info: CloseInfo): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#rekeyTimer);
    this.#drained();
    this.#resolveClosed(info);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
