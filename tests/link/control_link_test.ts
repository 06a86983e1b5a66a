import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MasterError } from "../../lib/base/errors.ts";
import { ControlClient, openControlLink } from "../../lib/link/control_link.ts";
import { openEagerLink } from "../../lib/link/eager_link.ts";
import * as mux from "../../lib/wire/mux.ts";
import { MUX } from "../../lib/wire/mux.ts";
import { Arrivals } from "./contract.ts";
import { closeQuietly } from "./unix_pair.ts";

/** Small, so that tests of wedged masters are quick; a live one in this process answers in far less. */
const SOON = { deadlineMs: 150 };
const HELLO = mux.encodeMuxHello();

/** Somebody who listens at a control socket and writes what a test says to each client, whatever it asks. */
async function listening(...says: Uint8Array[]) {
  const dir = await Deno.makeTempDir({ prefix: "cp-" });
  const path = join(dir, "m");
  const listener = Deno.listen({ transport: "unix", path });
  const conns: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      for (const bytes of says) await conn.write(bytes).catch(() => {}); // the client may have left
    }
  })();
  return {
    path,
    conns,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      for (const conn of conns) closeQuietly(conn);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function assertMasterError(promise: Promise<unknown>, code: string, why: string): Promise<void> {
  const error = await assertRejects(() => promise, MasterError);
  assertEquals([error.code, error.outcome], [code, "not-started"], error.message);
  assert(error.message.includes(why), error.message);
}

Deno.test("control link is gone where there is no socket, nobody listens, or an ordinary file lies", async () => {
  const dir = await Deno.makeTempDir({ prefix: "cp-" });
  await assertMasterError(openControlLink(join(dir, "m"), "w", SOON), "gone", "no such socket");
  // A second name, for Deno removes the first: as a crash leaves it.
  const listener = Deno.listen({ transport: "unix", path: join(dir, "first") });
  await Deno.link(join(dir, "first"), join(dir, "m"));
  listener.close();
  assert((await Deno.lstat(join(dir, "m"))).isSocket);
  await assertMasterError(openControlLink(join(dir, "m"), "w", SOON), "gone", "nobody listens");
  await Deno.writeTextFile(join(dir, "file"), "");
  await assertMasterError(openControlLink(join(dir, "file"), "w", SOON), "gone", "nobody listens");
  await Deno.remove(dir, { recursive: true });
});

Deno.test("control link says that a path is too long", async () => {
  await assertMasterError(openControlLink(`/tmp/${"x".repeat(120)}`, "w", SOON), "bad-path", "too long");
});

Deno.test("control link calls a master wedged that accepts and says nothing", async () => {
  await using silent = await listening();
  await assertMasterError(openControlLink(silent.path, "w", SOON), "wedged", "0.15 s");
});

Deno.test("control link calls a master wedged that greets and then says nothing", async () => {
  await using silent = await listening(HELLO);
  await assertMasterError(openControlLink(silent.path, "w", SOON), "wedged", "0.15 s");
  using client = await ControlClient.connect(silent.path, SOON);
  await assertMasterError(client.alive(), "wedged", "0.15 s");
});

Deno.test("control link's deadline is for the whole answer, however its bytes trickle in", async () => {
  await using trickling = await listening(new Uint8Array([0, 0, 0, 200]));
  const opening = openControlLink(trickling.path, "w", SOON);
  const trickle = setInterval(() => trickling.conns[0]?.write(new Uint8Array([0])).catch(() => {}), 10);
  await assertMasterError(opening, "wedged", "0.15 s");
  clearInterval(trickle);
});

Deno.test("control link is gone when the master hangs up before it has answered", async () => {
  for (const says of [[], [HELLO], [HELLO, mux.encodeMuxPlain(MUX.PROXY_OK, 0).subarray(0, 7)]]) {
    await using leaving = await listening(...says);
    const opening = openControlLink(leaving.path, "w", { deadlineMs: 20_000 });
    const rejected = assertMasterError(opening, "gone", "it closed the connection");
    await until(() => leaving.conns.length > 0);
    leaving.conns[0].close();
    await rejected;
  }
});

const REFUSALS: Record<string, { says: Uint8Array[]; why: string }> = {
  "another version": { says: [packet(1, 5)], why: "version 5" },
  "no hello": { says: [mux.encodeMuxPlain(MUX.OK, 0)], why: "0x80000001" },
  "a hello that breaks off": { says: [packet(1)], why: "does not speak OpenSSH's mux protocol" },
  "another protocol": { says: [new TextEncoder().encode("SSH-2.0-OpenSSH_9.2\r\n")], why: "does not speak" },
  "a failure": { says: [HELLO, mux.encodeMuxRefusal(MUX.FAILURE, 0, "not today")], why: "not today" },
  "permission denied": { says: [HELLO, mux.encodeMuxRefusal(MUX.PERMISSION_DENIED, 0, "no")], why: "no" },
  "another request's answer": {
    says: [HELLO, mux.encodeMuxPlain(MUX.PROXY_OK, 7)],
    why: "request 7 instead of 0",
  },
  "something else than proxy": { says: [HELLO, mux.encodeMuxPlain(MUX.OK, 0)], why: "proxy mode" },
  "an answer without a number": { says: [HELLO, packet(MUX.PROXY_OK)], why: "does not speak" },
};

function packet(...fields: number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * fields.length);
  const view = new DataView(bytes.buffer);
  [4 * fields.length, ...fields].forEach((field, i) => view.setUint32(4 * i, field));
  return bytes;
}

for (const [what, { says, why }] of Object.entries(REFUSALS)) {
  Deno.test(`control link is refused, saying why, by a master that answers with ${what}`, async () => {
    await using refusing = await listening(...says);
    await assertMasterError(openControlLink(refusing.path, "w", { deadlineMs: 20_000 }), "refused", why);
  });
}

Deno.test("control client refuses an answer to alive that is none", async () => {
  await using wrong = await listening(HELLO, mux.encodeMuxPlain(MUX.OK, 0));
  using client = await ControlClient.connect(wrong.path);
  await assertMasterError(client.alive(), "refused", "0x80000001");
});

Deno.test("control client asks one thing after another on one connection", async () => {
  await using master = await listening(HELLO, mux.encodeMuxAlive(0, 1), mux.encodeMuxAlive(1, 2));
  using client = await ControlClient.connect(master.path);
  assertEquals([await client.alive(), await client.alive()], [1, 2]);
});

Deno.test("control link delivers messages that came in one piece with the answer", async () => {
  const behind = new Uint8Array([0, 0, 0, 3, 0, 80, 1, 0, 0, 0, 3]);
  const all = new Uint8Array([...HELLO, ...mux.encodeMuxPlain(MUX.PROXY_OK, 0), ...behind]);
  await using master = await listening(all);
  await using link = await openControlLink(master.path, "tester@peer:22");
  assertEquals(link.where, "tester@peer:22");
  const arrivals = new Arrivals(link);
  await master.conns[0].write(new Uint8Array([0, 81, 2]));
  assertEquals(await arrivals.upTo(2), [new Uint8Array([80, 1]), new Uint8Array([81, 2])]);
});

Deno.test("control link sends hello and request in one write", async () => {
  await using master = await listening(HELLO, mux.encodeMuxPlain(MUX.PROXY_OK, 0));
  await using _link = await openControlLink(master.path, "w");
  const buffer = new Uint8Array(100);
  const count = (await master.conns[0].read(buffer))!;
  assertEquals(buffer.subarray(0, count), new Uint8Array([...HELLO, ...mux.encodeMuxPlain(MUX.PROXY, 0)]));
});

Deno.test("eager link sends hello, request and what is sent at once in one write", async () => {
  await using master = await listening(HELLO, mux.encodeMuxPlain(MUX.PROXY_OK, 0));
  await using link = await openEagerLink(master.path, "tester@peer:22");
  assertEquals(link.where, "tester@peer:22");
  link.send(new Uint8Array([90, 1]));
  link.send(new Uint8Array([80]));
  await until(() => master.conns.length > 0);
  const buffer = new Uint8Array(100);
  const count = (await master.conns[0].read(buffer))!;
  const frames = [0, 0, 0, 3, 0, 90, 1, 0, 0, 0, 2, 0, 80];
  const sent = [...HELLO, ...mux.encodeMuxPlain(MUX.PROXY, 0), ...frames];
  assertEquals(buffer.subarray(0, count), new Uint8Array(sent));
  assertEquals(link.queuedBytes, 0);
  link.send(new Uint8Array([81]));
  assertEquals(await master.conns[0].read(buffer), 6); // the hello is not said twice
});

Deno.test("eager link delivers what came with the answer, and what comes behind it, in order", async () => {
  const large = new Uint8Array(40_000).fill(7);
  const behind = [new Uint8Array([0, 0, 0x9c, 0x42, 0, 94]), large];
  const all = [HELLO, mux.encodeMuxPlain(MUX.PROXY_OK, 0), new Uint8Array([0, 0, 0, 2, 0, 91]), ...behind];
  await using master = await listening(new Uint8Array(all.flatMap((bytes) => [...bytes])));
  await using link = await openEagerLink(master.path, "w");
  const arrivals = new Arrivals(link);
  assertEquals((await arrivals.upTo(2)).map((message) => message.length), [1, 40_001]);
  await master.conns[0].write(new Uint8Array([0, 0, 0, 3, 0, 81, 2]));
  assertEquals((await arrivals.upTo(3))[2], new Uint8Array([81, 2]));
});

Deno.test("eager link says that nobody listens as a control link does", async () => {
  await assertMasterError(openEagerLink("/nowhere/m", "w", SOON), "gone", "no such socket");
});

for (const [what, { says, why }] of Object.entries(REFUSALS)) {
  Deno.test(`eager link fails, saying why, on a master that answers with ${what}`, async () => {
    await using refusing = await listening(...says);
    await using link = await openEagerLink(refusing.path, "w", { deadlineMs: 20_000 });
    const { how, error } = await link.closed;
    assertEquals(how, "failed");
    await assertMasterError(Promise.reject(error), "refused", why);
  });
}

Deno.test("eager link fails on a master that says nothing, or hangs up", async () => {
  await using silent = await listening();
  const link = await openEagerLink(silent.path, "w", SOON);
  await assertMasterError(Promise.reject((await link.closed).error), "wedged", "0.15 s");
  const left = await openEagerLink(silent.path, "w", { deadlineMs: 20_000 });
  await until(() => silent.conns.length > 1);
  silent.conns[1].close();
  await assertMasterError(Promise.reject((await left.closed).error), "gone", "it closed the connection");
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}
