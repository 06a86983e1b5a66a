import { assert, assertEquals } from "@std/assert";
import * as mux from "../../lib/wire/mux.ts";
import { MUX, MUX_FORWARD } from "../../lib/wire/mux.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { Arrivals } from "../link/contract.ts";
import { FakeMaster, noSuchForward, RawClient } from "./fake_master.ts";

const HELLO = mux.encodeMuxHello();
const alive = (id: number) => mux.encodeMuxPlain(MUX.ALIVE_CHECK, id);

function packet(body: Writer): Uint8Array {
  return new Writer().string(body.finish()).finish();
}

/** NEW_SESSION as a stock client sends it. */
function newSession(id: number): Uint8Array {
  const body = new Writer().uint32(MUX.NEW_SESSION).uint32(id).utf8("");
  for (const flag of [0, 0, 0, 0]) body.uint32(flag);
  return packet(body.uint32(0xffffffff).utf8("xterm").utf8("uname").utf8("LANG=C"));
}

async function greeted(master = new FakeMaster()): Promise<RawClient> {
  const client = await RawClient.connect(master);
  await client.send(HELLO);
  await client.next();
  return client;
}

async function assertClosed(client: RawClient): Promise<void> {
  assertEquals(await client.next(), undefined);
  await client.served;
}

Deno.test("control session greets with version 4 and the info extension, before it is greeted", async () => {
  await using client = await RawClient.connect();
  const hello = await client.next();
  assertEquals(hello?.type, MUX.HELLO);
  assertEquals(mux.decodeMuxHello(hello!.body), { version: 4, extensions: ["info"] });
});

Deno.test("control session takes a hello with extensions it does not know", async () => {
  await using client = await RawClient.connect();
  await client.send(mux.encodeMuxHello(["info", "later@example.org"]), alive(3));
  await client.next();
  assertEquals((await client.answer(MUX.ALIVE, 3)).body.uint32(), 4711);
});

for (
  const [what, message] of Object.entries({
    "another version": packet(new Writer().uint32(MUX.HELLO).uint32(5)),
    "a hello that breaks off": packet(new Writer().uint32(MUX.HELLO)),
    "a hello whose extension breaks off": packet(new Writer().uint32(MUX.HELLO).uint32(4).utf8("info")),
    "a request before any hello": alive(1),
    "a packet without a type": new Uint8Array([0, 0, 0, 1, 0]),
    "a packet over the limit": new Writer().uint32(mux.MUX_MAX_PACKET_BYTES + 1).finish(),
    "HTTP": new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
  })
) {
  Deno.test(`control session hangs up on ${what}`, async () => {
    await using client = await RawClient.connect();
    await client.next();
    await client.send(message);
    await assertClosed(client);
    assertEquals([client.master.exits, client.master.stops, client.master.boarded.length], [0, 0, 0]);
  });
}

Deno.test("control session hangs up on a second hello", async () => {
  await using client = await greeted();
  await client.send(HELLO);
  await assertClosed(client);
});

Deno.test("control session answers what it does not know with FAILURE and stays", async () => {
  await using client = await greeted();
  await client.send(mux.encodeMuxPlain(0x10000077, 5), alive(6));
  assertEquals((await client.answer(MUX.FAILURE, 5)).body.text(), "unsupported request");
  await client.answer(MUX.ALIVE, 6);
});

Deno.test("control session refuses a session and drains its descriptors, wherever the bytes are split", async () => {
  const stream = new Uint8Array([...newSession(8), 0, 0, 0, ...alive(9)]);
  for (let cut = 1; cut < stream.length; cut++) {
    await using client = await greeted();
    await client.send(stream.subarray(0, cut));
    // The first part must have been read before the second comes, or nothing is split.
    await new Promise((resolve) => setTimeout(resolve, 0));
    await client.send(stream.subarray(cut));
    const why = (await client.answer(MUX.FAILURE, 8)).body.text();
    assert(why.includes("ssh -O proxy"), why);
    assertEquals((await client.answer(MUX.ALIVE, 9)).body.uint32(), 4711, `split at ${cut}`);
  }
});

Deno.test("control session answers a session request only when its descriptors are here", async () => {
  await using client = await greeted();
  await client.send(newSession(8), new Uint8Array(2));
  const answer = client.answer(MUX.FAILURE, 8);
  let answered = false;
  answer.then(() => answered = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(answered, false);
  await client.send(new Uint8Array(1));
  await answer;
});

Deno.test("control session refuses a stdio forward and drains its two descriptors", async () => {
  await using client = await greeted();
  const request = new Writer().uint32(MUX.NEW_STDIO_FORWARD).uint32(8).utf8("").utf8("db").uint32(5432);
  await client.send(packet(request), new Uint8Array(2), alive(9));
  const why = (await client.answer(MUX.FAILURE, 8)).body.text();
  assert(why.includes("stdio forwards"), why);
  await client.answer(MUX.ALIVE, 9);
});

Deno.test("control session opens and closes forwards, with the port where one was allocated", async () => {
  const master = new FakeMaster();
  await using client = await greeted(master);
  const forward = { type: MUX_FORWARD.REMOTE, listen: { host: "", port: 0 }, connect: { path: "/s" } };
  await client.send(mux.encodeMuxForward(MUX.OPEN_FORWARD, 1, forward));
  await client.answer(MUX.OK, 1);
  master.forwardResult = 40000;
  await client.send(mux.encodeMuxForward(MUX.OPEN_FORWARD, 2, forward));
  assertEquals((await client.answer(MUX.REMOTE_PORT, 2)).body.uint32(), 40000);
  await client.send(mux.encodeMuxForward(MUX.CLOSE_FORWARD, 3, forward));
  await client.answer(MUX.OK, 3);
  assertEquals(master.forwards, [
    { kind: "open", forward },
    { kind: "open", forward },
    { kind: "close", forward },
  ]);
  master.forwardResult = noSuchForward;
  for (const type of [MUX.OPEN_FORWARD, MUX.CLOSE_FORWARD] as const) {
    await client.send(mux.encodeMuxForward(type, 4, forward));
    assertEquals((await client.answer(MUX.FAILURE, 4)).body.text(), "the port is taken");
  }
  await client.send(alive(5));
  await client.answer(MUX.ALIVE, 5);
});

Deno.test("control session tells about connection and channels, and says what it cannot tell", async () => {
  const master = new FakeMaster();
  await using client = await greeted(master);
  const ask = (id: number, kind: string) => packet(new Writer().uint32(MUX.EXT_INFO).uint32(id).utf8(kind));
  for (
    const [kind, status, text] of [
      ["connection", 1, "connection: text\r\n"],
      ["channels", 1, "channels: text\r\n"],
      ["weather", 0, "info request type not supported"],
    ] as const
  ) {
    await client.send(ask(7, kind));
    const { body } = await client.answer(MUX.EXT_INFO_REPLY, 7);
    assertEquals([body.uint32(), body.text(), body.remaining], [status, text, 0]);
  }
  master.infoText = "€".repeat(200_000); // more than a packet holds
  await client.send(ask(8, "channels"));
  assertEquals((await client.answer(MUX.EXT_INFO_REPLY, 8)).body.uint32(), 1);
});

Deno.test("control session stops listening and stays; on terminate it answers, exits and hangs up", async () => {
  await using client = await greeted();
  await client.send(
    mux.encodeMuxPlain(MUX.STOP_LISTENING, 1),
    alive(2),
    mux.encodeMuxPlain(MUX.TERMINATE, 3),
  );
  await client.answer(MUX.OK, 1);
  await client.answer(MUX.ALIVE, 2);
  await client.answer(MUX.OK, 3);
  await assertClosed(client);
  assertEquals([client.master.stops, client.master.exits], [1, 1]);
});

Deno.test("control session exits although the client that asked for it does not wait for the answer", async () => {
  await using client = await greeted();
  await client.send(mux.encodeMuxPlain(MUX.TERMINATE, 3));
  client.conn.close();
  await client.served;
  assertEquals(client.master.exits, 1);
});

Deno.test("control session hands the socket over with the messages that came right behind the request", async () => {
  const frame = (...payload: number[]) => [0, 0, 0, payload.length + 1, 0, ...payload];
  await using client = await greeted();
  const behind = new Uint8Array([...frame(90, 1, 2), ...frame(98, 3), ...frame(97, 5, 6, 7).slice(0, 6)]);
  await client.send(mux.encodeMuxPlain(MUX.PROXY, 4), behind);
  await client.answer(MUX.PROXY_OK, 4);
  await client.served;
  const link = await client.master.passenger();
  assertEquals(link.where, "tester@fake:22");
  const arrivals = new Arrivals(link);
  await client.send(new Uint8Array(frame(97, 5, 6, 7).slice(6)));
  assertEquals(await arrivals.upTo(3), [
    new Uint8Array([90, 1, 2]),
    new Uint8Array([98, 3]),
    new Uint8Array([97, 5, 6, 7]),
  ]);
  link.send(new Uint8Array([91, 9]));
  const buffer = new Uint8Array(20);
  assertEquals(buffer.subarray(0, (await client.conn.read(buffer))!), new Uint8Array(frame(91, 9)));
  client.conn.close();
  assertEquals(await link.closed, { how: "lost", why: "the passenger has left", error: undefined });
});

Deno.test("control session forgets a client that vanishes, wherever it stood", async () => {
  const stream = new Uint8Array([...HELLO, ...alive(1), ...newSession(2), 0, 0]);
  for (let cut = 0; cut <= stream.length; cut += 3) {
    await using client = await RawClient.connect();
    await client.send(stream.subarray(0, cut));
    client.conn.close();
    await client.served; // without a fault
  }
});

Deno.test("control session answers many requests of one write in their order", async () => {
  await using client = await greeted();
  const ids = Array.from({ length: 200 }, (_, i) => i);
  await client.send(...ids.map(alive));
  for (const id of ids) await client.answer(MUX.ALIVE, id);
});
