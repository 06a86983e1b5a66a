import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { setImmediate } from "node:timers";
import { LinkError, UsageError } from "../../lib/base/errors.ts";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { FakeClock } from "./fake_clock.ts";
import { echo, TcpClient, TcpServer } from "./tcp_peers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

for (const rttMs of [0, 20]) {
  Deno.test(`emulated link counts a ping-pong of 10 as 11 round trips at an RTT of ${rttMs} ms`, async () => {
    await using server = await TcpServer.start(echo);
    await using link = await emulateLink({ to: server.address, rttMs });
    await using client = await TcpClient.connect(link);
    for (let i = 0; i < 10; i++) {
      client.socket.write("ping");
      assertEquals(text(await client.take(4)), "ping");
    }
    assertEquals(link.counters(), {
      connections: 1,
      roundTrips: 11,
      bytesUp: 40,
      bytesDown: 40,
      chunksUp: 10,
      chunksDown: 10,
    });
    using mark = link.mark();
    client.socket.write("ping");
    await client.take(4);
    assertEquals([mark.counters().roundTrips, mark.counters().connections], [1, 0]);
  });
}

Deno.test("emulated link keeps every byte in its place under jitter, loss and a narrow, shared wire", async () => {
  await using server = await TcpServer.start(echo);
  await using link = await emulateLink({
    to: server.address,
    rttMs: 4,
    jitterMs: 6,
    bandwidthBytesPerSecond: 8_000_000,
    queueBytes: 20_000,
    windowBytes: 100_000,
    loss: { rate: 0.002, stallMs: 10 },
    seed: 7,
  });
  const exchange = async () => {
    await using client = await TcpClient.connect(link);
    const sent = new Uint8Array(600_000);
    for (let i = 0; i < sent.length; i += 50_000) crypto.getRandomValues(sent.subarray(i, i + 50_000));
    client.socket.end(sent);
    const received = await client.take(sent.length + 1);
    assertEquals(received.length, sent.length);
    assert(received.every((byte, index) => byte === sent[index]));
  };
  await Promise.all([exchange(), exchange(), exchange()]);
  assertEquals([link.counters().bytesUp, link.counters().bytesDown], [1_800_000, 1_800_000]);
});

Deno.test("emulated link lets two connections share its bandwidth evenly, counted in bytes", async () => {
  const clock = new FakeClock();
  const chunk = new Uint8Array(64 * 1024);
  // Each fills its socket for as long as it is taken.
  await using server = await TcpServer.start((socket) => {
    const fill = () => {
      while (!socket.destroyed && socket.write(chunk));
      socket.once("drain", fill);
    };
    fill();
  });
  await using link = await emulateLink({
    to: server.address,
    rttMs: 100,
    bandwidthBytesPerSecond: 1_000_000,
    queueBytes: 20_000,
    clock,
  });
  await using one = await TcpClient.connect(link);
  await using two = await TcpClient.connect(link);
  // Time moves on only when the sockets have had turns to take all that the moment allows.
  for (let atMs = 0; atMs <= 700; atMs += 2) {
    clock.advanceTo(atMs);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  // The server's first byte leaves after 50 ms, when the SYN is there, and the last one here left 50 ms ago.
  const { bytesDown } = link.counters();
  assert(bytesDown > 400_000 && bytesDown <= 600_000, String(bytesDown));
  const share = one.receivedBytes / (one.receivedBytes + two.receivedBytes);
  // Exactly half is shown without sockets, in shared_wire_test.ts: here the kernel has a say in whose turn it is.
  assert(share > 0.33 && share < 0.67, String(share));
});

Deno.test("emulated link lets connections to two servers share one line: bandwidth, counters and a cut", async () => {
  const clock = new FakeClock();
  const chunk = new Uint8Array(64 * 1024);
  const flood = (
    socket: { destroyed: boolean; write(bytes: Uint8Array): boolean; once: CallableFunction },
  ) => {
    const fill = () => {
      while (!socket.destroyed && socket.write(chunk));
      socket.once("drain", fill);
    };
    fill();
  };
  await using first = await TcpServer.start(flood);
  await using second = await TcpServer.start(flood);
  await using link = await emulateLink({
    to: first.address,
    rttMs: 100,
    bandwidthBytesPerSecond: 1_000_000,
    queueBytes: 20_000,
    clock,
  });
  const other = await link.open({ to: second.address, listen: { hostname: "127.0.0.2" } });
  assertEquals(other.hostname, "127.0.0.2");
  await using one = await TcpClient.connect(link);
  await using two = await TcpClient.connect(other);
  const until = async (endMs: number) => {
    for (let atMs = clock.now(); atMs <= endMs; atMs += 2) {
      clock.advanceTo(atMs);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await until(700);
  assertEquals([first.accepted, second.accepted, link.counters().connections], [1, 1, 2]);
  // What one of them could have had alone is all that both have together.
  assert(link.counters().bytesDown > 400_000 && link.counters().bytesDown <= 600_000);
  const share = one.receivedBytes / (one.receivedBytes + two.receivedBytes);
  assert(share > 0.33 && share < 0.67, String(share));
  link.cut();
  const atCut = link.counters().bytesDown;
  await until(1000);
  assertEquals(link.counters().bytesDown, atCut);
});

Deno.test("emulated link answers a ping-pong no sooner than its round trip, with jitter too", async () => {
  const clock = new FakeClock();
  await using server = await TcpServer.start(echo);
  await using link = await emulateLink({ to: server.address, rttMs: 80, jitterMs: 10, seed: 3, clock });
  await using client = await TcpClient.connect(link);
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const step = async (endMs: number, done: () => boolean) => {
    for (let atMs = clock.now(); atMs <= endMs && !done(); atMs++) {
      clock.advanceTo(atMs);
      await turns();
    }
  };
  await step(200, () => link.counters().connections === 1 && server.accepted === 1);
  for (let i = 1; i <= 5; i++) {
    await step(clock.now() + 200, () => false); // nothing of before is under way
    const sentAtMs = clock.now();
    client.socket.write("x");
    await turns();
    await step(sentAtMs + 2000, () => client.receivedBytes === i);
    const tookMs = clock.now() - sentAtMs;
    assertEquals(client.receivedBytes, i);
    // Later is the kernel's doing, which knows nothing of this clock; the delays' upper bound is in delays_test.ts.
    assert(tookMs >= 79, String(tookMs));
  }
});

Deno.test("emulated link passes the end of one direction on while the other stays open", async () => {
  let heard = "";
  await using server = await TcpServer.start((socket) => {
    socket.on("data", (bytes) => heard += text(bytes));
    socket.once("end", () => socket.end("and you"));
  });
  await using link = await emulateLink({ to: server.address, rttMs: 2 });
  await using client = await TcpClient.connect(link);
  client.socket.end("bye");
  assertEquals(text(await client.take(100)), "and you");
  assertEquals([heard, await client.closed], ["bye", undefined]);
});

Deno.test("emulated link passes a reset on, in both directions", async () => {
  const codes: Promise<string | undefined>[] = [];
  await using server = await TcpServer.start((socket) => {
    codes.push(
      new Promise((resolve) =>
        socket.once("error", (error: Error & { code?: string }) => resolve(error.code))
      ),
    );
    socket.on("data", (bytes) => text(bytes) === "reset me" ? socket.resetAndDestroy() : socket.write(bytes));
  });
  await using link = await emulateLink({ to: server.address, rttMs: 2 });
  await using refused = await TcpClient.connect(link);
  refused.socket.write("reset me");
  assertEquals(await refused.closed, "ECONNRESET");
  await using refusing = await TcpClient.connect(link);
  refusing.socket.write("x");
  await refusing.take(1);
  refusing.socket.resetAndDestroy();
  assertEquals(await codes[1], "ECONNRESET");
});

Deno.test("emulated link resets all its connections when told, and takes new ones", async () => {
  await using server = await TcpServer.start(echo);
  await using link = await emulateLink({ to: server.address, rttMs: 2 });
  await using one = await TcpClient.connect(link);
  await using two = await TcpClient.connect(link);
  one.socket.write("1");
  two.socket.write("2");
  await Promise.all([one.take(1), two.take(1)]);
  await link.reset();
  assertEquals([await one.closed, await two.closed, link.openConnections], ["ECONNRESET", "ECONNRESET", 0]);
  await using three = await TcpClient.connect(link);
  three.socket.write("3");
  assertEquals(text(await three.take(1)), "3");
});

Deno.test("emulated link resets its client when the server refuses", async () => {
  const server = await TcpServer.start(echo);
  const to = server.address;
  await server[Symbol.asyncDispose]();
  await using link = await emulateLink({ to, rttMs: 2 });
  await using client = await TcpClient.connect(link);
  assertEquals(await client.closed, "ECONNRESET");
});

Deno.test("emulated link is silent while cut, ends nothing, and goes on when healed", async () => {
  await using server = await TcpServer.start(echo);
  await using link = await emulateLink({ to: server.address, rttMs: 2 });
  await using client = await TcpClient.connect(link);
  client.socket.write("before");
  assertEquals(text(await client.take(6)), "before");
  link.cut();
  client.socket.write("during");
  // Another link, with ten times the delay, is the clock: what went through it had all the time in the world.
  await using other = await emulateLink({ to: server.address, rttMs: 20 });
  await using witness = await TcpClient.connect(other);
  witness.socket.write("x");
  await witness.take(1);
  assertEquals([client.receivedBytes, link.counters().bytesUp, link.openConnections], [0, 6, 1]);
  await using late = await TcpClient.connect(link);
  late.socket.write("late");
  const accepted = server.accepted;
  link.heal();
  assertEquals(text(await client.take(6)), "during");
  assertEquals(text(await late.take(4)), "late");
  assertEquals(server.accepted, accepted + 1);
});

Deno.test("emulated link stops reading from a sender whose receiver does not read", async () => {
  let written = 0;
  const stalled = Promise.withResolvers<void>();
  const total = 64 * 1024 * 1024;
  await using server = await TcpServer.start((socket) => {
    const chunk = new Uint8Array(256 * 1024);
    const fill = () => {
      while (written < total) {
        written += chunk.length;
        if (!socket.write(chunk)) return void socket.once("drain", fill);
      }
      socket.end();
    };
    fill();
  });
  await using link = await emulateLink({ to: server.address, rttMs: 2, windowBytes: 1_000_000 });
  await using client = await TcpClient.connect(link);
  client.socket.pause();
  let before = -1;
  const watch = setInterval(() => {
    if (written > 0 && written === before) stalled.resolve();
    before = written;
  }, 100);
  await stalled.promise;
  clearInterval(watch);
  assert(written < total, "nothing held the sender up");
  client.socket.resume();
  assertEquals((await client.take(total + 1)).length, total);
});

Deno.test("emulated link leaves nothing open when it is disposed, also while cut and in the handshake", async () => {
  await using server = await TcpServer.start(echo);
  const clients: TcpClient[] = [];
  {
    await using link = await emulateLink({ to: server.address, rttMs: 2 });
    clients.push(await TcpClient.connect(link));
    clients[0].socket.write("x");
    await clients[0].take(1);
    link.cut();
    clients.push(await TcpClient.connect(link));
    await link[Symbol.asyncDispose]();
  }
  {
    await using slow = await emulateLink({ to: server.address, rttMs: 60_000 });
    clients.push(await TcpClient.connect(slow));
  }
  for (const client of clients) {
    assertEquals((await client.take(1)).length, 0);
    await client[Symbol.asyncDispose]();
  }
});

Deno.test("emulated link refuses numbers that describe no link, and an address that is taken", async () => {
  const to = { hostname: "127.0.0.1", port: 9 };
  for (
    const [options, name] of [
      [{ rttMs: -1 }, "rttMs"],
      [{ rttMs: NaN }, "rttMs"],
      [{ rttMs: 1, jitterMs: Infinity }, "jitterMs"],
      [{ rttMs: 1, bandwidthBytesPerSecond: 0 }, "bandwidthBytesPerSecond"],
      [{ rttMs: 1, queueBytes: -5 }, "queueBytes"],
      [{ rttMs: 1, loss: { rate: 2 } }, "loss.rate"],
    ] as const
  ) {
    const error = await assertRejects(() => emulateLink({ to, ...options }), UsageError);
    assertStringIncludes(error.message, name);
  }
  await using link = await emulateLink({ to, rttMs: 1, listen: { hostname: "127.0.3.4" } });
  assertEquals(link.hostname, "127.0.3.4");
  const taken = { hostname: link.hostname, port: link.port };
  const error = await assertRejects(() => emulateLink({ to, rttMs: 1, listen: taken }), LinkError);
  assertStringIncludes(error.message, `127.0.3.4:${link.port}`);
});
