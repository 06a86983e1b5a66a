/** What forwards lead to and from in the tests: servers on this machine, and clients that speak SOCKS. */
import { assertEquals } from "@std/assert";
import { Connection } from "../../lib/channel/connection.ts";
import { openLink } from "../../lib/link/open_link.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { Sshd } from "../support/sshd.ts";

/** A test that fails when it leaves a socket or anything under way; Deno no longer looks by itself. */
export function leakFree(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

export async function connectTo(server: Sshd): Promise<Connection> {
  const target = await resolveTarget("test", { configFile: server.configFile });
  return new Connection(await openLink(target, { prompter: noPrompter }));
}

/** A server on loopback or a Unix socket; it counts what it has open, and leaves nothing when it is disposed. */
export class TestServer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #sockets = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;
  readonly #errors: unknown[] = [];

  constructor(listener: Deno.Listener, serve: (socket: Deno.Conn) => Promise<void>) {
    this.#listener = listener;
    this.#serving = (async () => {
      const running: Promise<void>[] = [];
      for await (const socket of listener) {
        this.#sockets.add(socket);
        running.push(
          serve(socket).catch((error) => void this.#errors.push(error)).finally(() => {
            this.#sockets.delete(socket);
            closeQuietly(socket);
          }),
        );
      }
      await Promise.all(running);
    })();
  }

  static tcp(serve: (socket: Deno.Conn) => Promise<void>, hostname = "127.0.0.1"): TestServer {
    return new TestServer(Deno.listen({ hostname, port: 0 }), serve);
  }

  /** For any user of the machine: sshd may be another one. */
  static unix(path: string, serve: (socket: Deno.Conn) => Promise<void>): TestServer {
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o666);
    return new TestServer(listener, serve);
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) closeQuietly(socket);
    await this.#serving;
  }
}

/** Sends back what comes, then its EOF. */
export async function echo(socket: Deno.Conn): Promise<void> {
  await pump(socket, socket);
  await socket.closeWrite();
}

async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let length = await from.read(buffer); length !== null; length = await from.read(buffer)) {
    await writeAll(to, buffer.subarray(0, length));
  }
}

export async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await socket.write(bytes.subarray(sent));
}

/** Everything up to EOF. */
export async function readAll(socket: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(socket.readable).arrayBuffer());
}

export async function readExactly(socket: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let had = 0; had < length;) {
    const more = await socket.read(bytes.subarray(had));
    if (more === null) return bytes.subarray(0, had);
    had += more;
  }
  return bytes;
}

/** Bytes that no shift, loss or repetition leaves alike. */
export function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Sends `length` bytes to an echo, closes its side, and compares what comes back. Closes the socket. */
export async function assertEchoes(socket: Deno.Conn, length: number): Promise<void> {
  const sent = noise(length);
  const sending = writeAll(socket, sent).then(() => socket.closeWrite());
  const [back] = await Promise.all([readAll(socket), sending]);
  assertEquals([back.length, await sha256(back)], [length, await sha256(sent)]);
  closeQuietly(socket);
}

export function toPort(port: number | undefined): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: port as number });
}

/** Connects through a SOCKS listener as that version's clients do; returns the answer's code. */
export async function askSocks(
  socket: Deno.Conn,
  version: "4" | "4a" | "5" | "5-name",
  port: number,
  host = "127.0.0.1",
): Promise<number> {
  const portBytes = [port >> 8, port & 255];
  const name = [...new TextEncoder().encode(host)];
  const address = version.endsWith("a") || version.endsWith("name") ? [] : host.split(".").map(Number);
  if (version.startsWith("4")) {
    const request = version === "4"
      ? [4, 1, ...portBytes, ...address, 0]
      : [4, 1, ...portBytes, 0, 0, 0, 1, 0, ...name, 0];
    await writeAll(socket, Uint8Array.from(request));
    return (await readExactly(socket, 8))[1];
  }
  await writeAll(socket, Uint8Array.of(5, 1, 0));
  assertEquals([...await readExactly(socket, 2)], [5, 0]);
  const request = version === "5" ? [5, 1, 0, 1, ...address] : [5, 1, 0, 3, name.length, ...name];
  await writeAll(socket, Uint8Array.from([...request, ...portBytes]));
  return (await readExactly(socket, 10))[1];
}

export function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
