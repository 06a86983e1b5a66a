/**
 * The server's side of SOCKS 5 (RFC 1928: no authentication, CONNECT), 4 and 4a, as bytes. No I/O.
 */

/** Where a client wants to be connected to. */
export interface SocksTarget {
  readonly version: 4 | 5;
  readonly host: string;
  readonly port: number;
}

/** What to do after some bytes: send `reply` if there is one, and go on as `kind` says. */
export type SocksStep =
  | { readonly kind: "more"; readonly reply?: Uint8Array }
  /** `rest` came behind the request: it is for the target. */
  | {
    readonly kind: "request";
    readonly reply?: Uint8Array;
    readonly target: SocksTarget;
    readonly rest: Uint8Array;
  }
  /** `why` in words; close after the reply. */
  | { readonly kind: "refused"; readonly reply?: Uint8Array; readonly why: string };

/** How a request ended, in SOCKS 5's numbers (RFC 1928 §6). */
export const SOCKS_REPLY = {
  SUCCEEDED: 0,
  GENERAL_FAILURE: 1,
  NOT_ALLOWED: 2,
  HOST_UNREACHABLE: 4,
  CONNECTION_REFUSED: 5,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_NOT_SUPPORTED: 8,
} as const;

const CONNECT = 1;
const NO_AUTHENTICATION = 0;
const NO_ACCEPTABLE_METHOD = 0xff;
/** SOCKS 4's user name has no limit of its own; a domain has that of SOCKS 5. */
const MAX_TEXT_BYTES = 255;

/** The answer to a request. The bound address is not known here, so it is 0.0.0.0:0, as OpenSSH has it. */
export function socksReply(version: 4 | 5, code: number): Uint8Array<ArrayBuffer> {
  // SOCKS 4: byte 0 · byte 90 (granted) or 91 · uint16 port · uint32 address
  if (version === 4) return Uint8Array.of(0, code === SOCKS_REPLY.SUCCEEDED ? 90 : 91, 0, 0, 0, 0, 0, 0);
  // SOCKS 5: byte 5 · byte code · byte 0 · byte 1 (IPv4) · uint32 address · uint16 port
  return Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** More bytes are needed. */
const INCOMPLETE = Symbol("incomplete");

class Refusal {
  constructor(readonly why: string, readonly reply?: Uint8Array) {}
}

/**
 * Takes what a client says, whatever the pieces it comes in, up to its request. Never holds more than the 520 bytes
 * of the longest request beyond the last piece.
 */
export class SocksParser {
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #greeted = false;

  push(chunk: Uint8Array): SocksStep {
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
    let reply: Uint8Array | undefined;
    try {
      this.#offset = 0;
      let version = this.#byte();
      if (version !== 4 && version !== 5) throw new Refusal(`the first byte is ${version}, neither 4 nor 5`);
      if (version === 5 && !this.#greeted) {
        this.#greeting();
        reply = Uint8Array.of(5, NO_AUTHENTICATION);
        this.#greeted = true;
        this.#bytes = this.#bytes.subarray(this.#offset);
        this.#offset = 0;
        version = this.#byte();
      }
      if (this.#greeted && version !== 5) throw new Refusal("the request is not SOCKS 5");
      const target = version === 5 ? this.#request5() : this.#request4();
      return { kind: "request", reply, target, rest: this.#bytes.subarray(this.#offset) };
    } catch (thrown) {
      if (thrown === INCOMPLETE) return { kind: "more", reply };
      if (!(thrown instanceof Refusal)) throw thrown;
      const last = thrown.reply ?? new Uint8Array(0);
      return { kind: "refused", why: thrown.why, reply: reply ? Uint8Array.of(...reply, ...last) : last };
    }
  }

  /** `byte 5 · byte count · methods` (RFC 1928 §3) */
  #greeting(): void {
    const methods = this.#take(this.#byte());
    if (!methods.includes(NO_AUTHENTICATION)) {
      const reply = Uint8Array.of(5, NO_ACCEPTABLE_METHOD);
      throw new Refusal("the client insists on authentication", reply);
    }
  }

  /** `byte 5 · byte command · byte 0 · byte address type · address · uint16 port` (RFC 1928 §4) */
  #request5(): SocksTarget {
    const command = this.#byte();
    if (command !== CONNECT) this.#refuse5(SOCKS_REPLY.COMMAND_NOT_SUPPORTED, `command ${command}`);
    this.#byte();
    const type = this.#byte();
    const host = type === 1
      ? ipv4(this.#take(4))
      : type === 3
      ? this.#domain(this.#take(this.#byte()), 5)
      : type === 4
      ? ipv6(this.#take(16))
      : this.#refuse5(SOCKS_REPLY.ADDRESS_NOT_SUPPORTED, `address type ${type}`);
    return { version: 5, host, port: this.#port() };
  }

  #refuse5(code: number, what: string): never {
    throw new Refusal(`${what} is not supported`, socksReply(5, code));
  }

  /** `byte 4 · byte command · uint16 port · uint32 address · user · byte 0`; 4a: address 0.0.0.x, then `domain · byte 0` */
  #request4(): SocksTarget {
    const command = this.#byte();
    if (command !== CONNECT) {
      throw new Refusal(`command ${command} is not supported`, socksReply(4, SOCKS_REPLY.GENERAL_FAILURE));
    }
    const port = this.#port();
    const address = this.#take(4);
    this.#untilZero();
    const named = address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0;
    return { version: 4, host: named ? this.#domain(this.#untilZero(), 4) : ipv4(address), port };
  }

  #domain(bytes: Uint8Array, version: 4 | 5): string {
    // Letters, digits and marks: names in other scripts come as punycode. Anything else is meant to confuse somebody.
    if (bytes.length === 0 || bytes.some((byte) => byte <= 0x20 || byte >= 0x7f)) {
      throw new Refusal("the host name is not printable", socksReply(version, SOCKS_REPLY.GENERAL_FAILURE));
    }
    return String.fromCharCode(...bytes);
  }

  #byte(): number {
    return this.#take(1)[0];
  }

  #port(): number {
    const [high, low] = this.#take(2);
    return high << 8 | low;
  }

  #take(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw INCOMPLETE;
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  #untilZero(): Uint8Array {
    const zero = this.#bytes.indexOf(0, this.#offset);
    const length = (zero < 0 ? this.#bytes.length : zero) - this.#offset;
    if (length > MAX_TEXT_BYTES) {
      const reply = socksReply(4, SOCKS_REPLY.GENERAL_FAILURE);
      throw new Refusal(`a text of more than ${MAX_TEXT_BYTES} bytes`, reply);
    }
    if (zero < 0) throw INCOMPLETE;
    return this.#take(length + 1).subarray(0, length);
  }
}

function ipv4(bytes: Uint8Array): string {
  return bytes.join(".");
}

/** As inet_ntop(3) writes it: sshd compares PermitOpen as text. */
function ipv6(bytes: Uint8Array): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  if (mapped) return `::ffff:${ipv4(bytes.subarray(12))}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8 | bytes[2 * i + 1]).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
