import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { concat } from "../../lib/base/bytes.ts";
import { StockRig } from "./stock_rig.ts";

/** Answers each connection with what it says, reversed, once it has said everything. */
class Mirror implements Disposable {
  readonly #listener: Deno.Listener;

  constructor(listener: Deno.Listener) {
    this.#listener = listener;
    this.#serve();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) {
      receiveAll(conn).then((said) => sendAll(conn, said.reverse())).finally(() => conn.close());
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

function tcpMirror(): Mirror {
  return new Mirror(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
}

/** A socket that everybody may use: sshd runs as somebody else. */
async function unixMirror(path: string): Promise<Mirror> {
  const mirror = new Mirror(Deno.listen({ transport: "unix", path }));
  await Deno.chmod(path, 0o777);
  return mirror;
}

async function receiveAll(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    parts.push(buffer.slice(0, n));
  }
  return concat(parts);
}

async function sendAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await conn.write(bytes.subarray(done));
  await conn.closeWrite();
}

/** Says 300 KB, more than fits one message, and gets it back reversed. */
async function assertCarries(conn: Deno.Conn): Promise<void> {
  const sent = new Uint8Array(300_000).map((_, i) => i * 7 >> 3);
  const [received] = await Promise.all([receiveAll(conn), sendAll(conn, sent)]);
  conn.close();
  assertEquals(received, sent.reverse());
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

const toPort = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });
const toPath = (path: string) => Deno.connect({ transport: "unix", path });

async function ask(rig: StockRig, command: "forward" | "cancel", option: string): Promise<string> {
  const { code, stdout, stderr } = await rig.stock(["-O", command, ...option.split(" "), "test"]);
  assertEquals(code, 0, stderr);
  return stdout.trim();
}

Deno.test("ssh -O forward and cancel open and end a local forward on a master of Carpool's", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  using mirror = tcpMirror();
  const port = freePort();
  const option = `-L 127.0.0.1:${port}:127.0.0.1:${mirror.port}`;
  await ask(rig, "forward", option);
  await Promise.all([1, 2, 3].map(async () => await assertCarries(await toPort(port))));
  await ask(rig, "forward", option); // the same again is no error, as in OpenSSH
  await ask(rig, "cancel", option);
  await assertRejects(() => toPort(port), Deno.errors.ConnectionRefused);
  const again = await rig.stock(["-O", "cancel", ...option.split(" "), "test"]);
  assertMatch(again.stderr, /no such forward/); // the client exits with 0 all the same
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("ssh -O forward and cancel open and end a remote forward, with a port of the server's choice", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  using mirror = tcpMirror();
  const port = Number(await ask(rig, "forward", `-R 127.0.0.1:0:127.0.0.1:${mirror.port}`));
  await assertCarries(await toPort(port));
  await ask(rig, "cancel", `-R 127.0.0.1:0:127.0.0.1:${mirror.port}`);
  await assertRejects(() => toPort(port), Deno.errors.ConnectionRefused);

  const fixed = freePort();
  const option = `-R 127.0.0.1:${fixed}:127.0.0.1:${mirror.port}`;
  await ask(rig, "forward", option);
  await assertCarries(await toPort(fixed));
  await ask(rig, "cancel", option);
  await assertRejects(() => toPort(fixed), Deno.errors.ConnectionRefused);
});

Deno.test("ssh -O forward says so when the server refuses a remote forward", async () => {
  await using rig = await StockRig.start({ config: ["AllowTcpForwarding no"] });
  await rig.openMaster();
  const { code, stderr } = await rig.stock(["-O", "forward", "-R", "0:127.0.0.1:1", "test"]);
  assertEquals(code, 255);
  assertMatch(stderr, /refused the forward/);
});

Deno.test("ssh -O forward -D speaks SOCKS 5 for a master of Carpool's", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  using mirror = tcpMirror();
  const port = freePort();
  await ask(rig, "forward", `-D 127.0.0.1:${port}`);
  const conn = await toPort(port);
  const exchange = async (bytes: number[], answerLength: number) => {
    await conn.write(Uint8Array.from(bytes));
    const answer = new Uint8Array(answerLength);
    for (let got = 0; got < answerLength;) got += await conn.read(answer.subarray(got)) ?? answerLength;
    return [...answer];
  };
  assertEquals(await exchange([5, 1, 0], 2), [5, 0]);
  const request = [5, 1, 0, 1, 127, 0, 0, 1, mirror.port >> 8, mirror.port & 0xff];
  assertEquals((await exchange(request, 10)).slice(0, 2), [5, 0]);
  await assertCarries(conn);
  await ask(rig, "cancel", `-D 127.0.0.1:${port}`);
  await assertRejects(() => toPort(port), Deno.errors.ConnectionRefused);
});

Deno.test("ssh -O forward carries Unix sockets both ways over a master of Carpool's", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  const there = join(rig.sshd.home, "there.sock");
  using _mirrorThere = await unixMirror(there);
  const here = join(rig.home.path, "here.sock");
  await ask(rig, "forward", `-L ${here}:${there}`);
  await assertCarries(await toPath(here));
  await ask(rig, "cancel", `-L ${here}:${there}`);
  await assertRejects(() => toPath(here));

  const local = join(rig.home.path, "local.sock");
  using _mirrorHere = await unixMirror(local);
  const remote = join(rig.sshd.home, "remote.sock");
  await ask(rig, "forward", `-R ${remote}:${local}`);
  await assertCarries(await toPath(remote));
  await ask(rig, "cancel", `-R ${remote}:${local}`);
  await assertRejects(() => toPath(remote));
  assertEquals(rig.sshd.connections(), 1);
});
