/**
 * The insides of ssh2 1.17.0 that `ssh2_link.ts` takes hold of, named once, and checked before they are used: ssh2
 * does transport, key exchange, host keys and authentication, and we want the raw connection messages (80–127).
 */
import { LinkError } from "../base/errors.ts";

/** Of `lib/protocol/Protocol.js`. */
export interface Ssh2Protocol {
  /** Gets each decrypted payload; read anew by each decipher, so that a wrap survives rekeying. */
  _onPayload(payload: Uint8Array): unknown;
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(payloadSize: number): Uint8Array;
      finalize(packet: Uint8Array): Uint8Array;
    };
  };
  readonly _cipher: { encrypt(packet: Uint8Array): void };
  /** Set while a key exchange is under way: packets then wait in `_queue`. */
  readonly _kexinit: unknown;
  _queue: Uint8Array[] | undefined;
  rekey(): void;
  /** Asks for a service (RFC 4253 §10). */
  service(name: string): void;
  /** Offers a public key, with a signature where there is somebody to sign (RFC 4252 §7). */
  authPK(...args: unknown[]): void;
}

/** Of `lib/client.js`. */
export interface Ssh2Client {
  readonly _protocol: Ssh2Protocol;
  emit(event: string, ...args: unknown[]): boolean;
  on(event: string, listener: (...args: never[]) => void): this;
  once(event: string, listener: (...args: never[]) => void): this;
  connect(options: Record<string, unknown>): this;
  end(): this;
  destroy(): this;
}

/** Fails with words, at the start, when another ssh2 got in. */
export function assertShapes(client: Ssh2Client, where: string): Ssh2Protocol {
  const protocol = client._protocol;
  const missing = [
    ["_protocol._onPayload", protocol?._onPayload],
    ["_protocol.rekey", protocol?.rekey],
    ["_protocol.service", protocol?.service],
    ["_protocol.authPK", protocol?.authPK],
    ["_protocol._packetRW.write.alloc", protocol?._packetRW?.write?.alloc],
    ["_protocol._packetRW.write.finalize", protocol?._packetRW?.write?.finalize],
    ["_protocol._cipher.encrypt", protocol?._cipher?.encrypt],
  ].filter(([, value]) => typeof value !== "function").map(([name]) => name);
  if (missing.length > 0) {
    throw new LinkError("incompatible", {
      what: "Cannot use this version of ssh2",
      where,
      why: `it lacks ${missing.join(", ")}`,
      fix: "Carpool is made for exactly ssh2 1.17.0: remove overrides of its version",
      outcome: "not-started",
    });
  }
  return protocol;
}
