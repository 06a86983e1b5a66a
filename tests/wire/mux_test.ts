import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { ProtocolError } from "../../lib/base/errors.ts";
import * as mux from "../../lib/wire/mux.ts";
import { MUX, MUX_FORWARD, MuxFrames } from "../../lib/wire/mux.ts";

/** Bytes written as PROTOCOL.mux lays them out: numbers are uint32, texts are strings. */
function layout(...fields: (number | string)[]): Uint8Array {
  const bytes: number[] = [];
  for (const field of fields) {
    const text = typeof field === "string" ? new TextEncoder().encode(field) : undefined;
    const value = text?.length ?? field as number;
    bytes.push(value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255, ...text ?? []);
  }
  return new Uint8Array(bytes);
}

/** With the length before it. */
function packet(...fields: (number | string)[]): Uint8Array {
  const body = layout(...fields);
  return new Uint8Array([...layout(body.length), ...body]);
}

function takeOne(bytes: Uint8Array): mux.MuxPacket {
  const frames = new MuxFrames();
  frames.push(bytes);
  const taken = frames.take();
  assert(taken);
  assertEquals(frames.rest().length, 0);
  return taken;
}

Deno.test("mux encoders write the bytes that PROTOCOL.mux gives", () => {
  assertEquals(mux.encodeMuxHello(), packet(0x00000001, 4));
  assertEquals(mux.encodeMuxHello(["info"]), packet(0x00000001, 4, "info", "0"));
  assertEquals(mux.encodeMuxPlain(MUX.ALIVE_CHECK, 7), packet(0x10000004, 7));
  assertEquals(mux.encodeMuxPlain(MUX.TERMINATE, 7), packet(0x10000005, 7));
  assertEquals(mux.encodeMuxPlain(MUX.STOP_LISTENING, 7), packet(0x10000009, 7));
  assertEquals(mux.encodeMuxPlain(MUX.PROXY, 0xffffffff), packet(0x1000000f, 0xffffffff));
  assertEquals(mux.encodeMuxPlain(MUX.OK, 1), packet(0x80000001, 1));
  assertEquals(mux.encodeMuxPlain(MUX.PROXY_OK, 1), packet(0x8000000f, 1));
  assertEquals(mux.encodeMuxAlive(2, 4711), packet(0x80000005, 2, 4711));
  assertEquals(mux.encodeMuxRefusal(MUX.PERMISSION_DENIED, 3, "no"), packet(0x80000002, 3, "no"));
  assertEquals(mux.encodeMuxRefusal(MUX.FAILURE, 3, "ach"), packet(0x80000003, 3, "ach"));
  assertEquals(mux.encodeMuxRemotePort(5, 40000), packet(0x80000007, 5, 40000));
  assertEquals(mux.encodeMuxExtInfo(6, true, "ok"), packet(0x90000001, 6, 1, "ok"));
  assertEquals(mux.encodeMuxExtInfo(6, false, "?"), packet(0x90000001, 6, 0, "?"));
});

Deno.test("mux forwards are written and read as PROTOCOL.mux gives them, Unix sockets with port -2", () => {
  const tcp = {
    type: MUX_FORWARD.LOCAL,
    listen: { host: "", port: 8080 },
    connect: { host: "db", port: 5432 },
  };
  const open = mux.encodeMuxForward(MUX.OPEN_FORWARD, 9, tcp);
  assertEquals(open, packet(0x10000006, 9, 1, "", 8080, "db", 5432));
  const unix = { type: MUX_FORWARD.REMOTE, listen: { path: "/r" }, connect: { path: "/l" } };
  const close = mux.encodeMuxForward(MUX.CLOSE_FORWARD, 9, unix);
  assertEquals(close, packet(0x10000007, 9, 2, "/r", 0xfffffffe, "/l", 0xfffffffe));
  for (const [bytes, forward] of [[open, tcp], [close, unix]] as const) {
    const { body } = takeOne(bytes);
    body.uint32();
    assertEquals(mux.decodeMuxForward(body), forward);
  }
});

Deno.test("mux forward of a port over 65535 that is not -2 is refused", () => {
  const { body } = takeOne(packet(0x10000006, 1, 1, "h", 65536, "h", 1));
  body.uint32();
  assertThrows(() => mux.decodeMuxForward(body), ProtocolError, "65536");
});

Deno.test("mux hello gives its version and skips extensions it does not know", () => {
  const { type, body } = takeOne(packet(1, 4, "info", "0", "later@example.org", "some value"));
  assertEquals(type, MUX.HELLO);
  assertEquals(mux.decodeMuxHello(body), { version: 4, extensions: ["info", "later@example.org"] });
});

Deno.test("mux hello that breaks off in an extension is refused", () => {
  const { body } = takeOne(packet(1, 4, "info"));
  assertThrows(() => mux.decodeMuxHello(body), ProtocolError);
});

Deno.test("mux forwards survive a round trip", () => {
  const uint32 = fc.nat({ max: 0xffffffff });
  const endpoint = fc.oneof(
    fc.record({ host: fc.string({ unit: "grapheme" }), port: fc.nat({ max: 65535 }) }),
    fc.record({ path: fc.string({ unit: "grapheme" }) }),
  );
  fc.assert(fc.property(uint32, uint32, endpoint, endpoint, (id, type, listen, connect) => {
    const { type: message, body } = takeOne(
      mux.encodeMuxForward(MUX.OPEN_FORWARD, id, { type, listen, connect }),
    );
    assertEquals([message, body.uint32()], [MUX.OPEN_FORWARD, id]);
    assertEquals(mux.decodeMuxForward(body), { type, listen, connect });
    assertEquals(body.remaining, 0);
  }));
});

const SOME = [packet(1, 4), packet(0x10000004, 1), packet(0x80000003, 2, "why"), packet(0x8000000f, 3)];

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("mux frames come out whole wherever the stream is cut in two", () => {
  const stream = joined(SOME);
  for (let cut = 0; cut <= stream.length; cut++) {
    const frames = new MuxFrames();
    const taken: Uint8Array[] = [];
    // Once as two views of one buffer, as a socket is read; once as buffers of their own.
    const pieces = cut % 2 === 0
      ? [stream.subarray(0, cut), stream.subarray(cut)]
      : [stream.slice(0, cut), stream.slice(cut)];
    for (const piece of pieces) {
      frames.push(piece);
      for (let frame = frames.takeBytes(); frame; frame = frames.takeBytes()) taken.push(frame);
    }
    assertEquals(taken, SOME.map((bytes) => bytes.subarray(4)), `cut at ${cut}`);
  }
});

Deno.test("mux frames come out whole from any pieces, taken at any time", () => {
  const contents = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(
    fc.record({ length: fc.integer({ min: 1, max: 30 }), own: fc.boolean(), take: fc.boolean() }),
  );
  fc.assert(fc.property(contents, cuts, (bodies, pieces) => {
    const stream = joined(bodies.flatMap((body) => [layout(body.length), body]));
    const frames = new MuxFrames();
    const taken: Uint8Array[] = [];
    const takeAll = () => {
      for (let frame = frames.takeBytes(); frame; frame = frames.takeBytes()) taken.push(frame);
    };
    let at = 0;
    for (const { length, own, take } of pieces) {
      const piece = stream.subarray(at, at + length);
      frames.push(own ? piece.slice() : piece);
      at += piece.length;
      if (take) takeAll();
    }
    frames.push(stream.subarray(at));
    takeAll();
    assertEquals(taken, bodies.map((body) => Uint8Array.from(body)));
  }));
});

Deno.test("mux frames are views of what was read when they lie in one buffer", () => {
  const stream = joined(SOME);
  const frames = new MuxFrames();
  frames.push(stream.subarray(0, 10));
  frames.push(stream.subarray(10));
  for (let frame = frames.takeBytes(); frame; frame = frames.takeBytes()) {
    assert(frame.buffer === stream.buffer);
  }
});

Deno.test("mux frames gather a large packet that comes byte by byte without copying it each time", () => {
  // With a copy for each byte this would move 2 GB.
  const size = 64 * 1024;
  const frames = new MuxFrames();
  frames.push(layout(size));
  for (let i = 0; i < size; i++) {
    assertEquals(frames.takeBytes(), undefined);
    frames.push(new Uint8Array([i & 255]));
  }
  assertEquals(frames.takeBytes(), Uint8Array.from({ length: size }, (_, i) => i & 255));
});

Deno.test("mux frames allow a packet of 256 KiB and refuse a larger one as soon as its length is known", () => {
  const frames = new MuxFrames();
  frames.push(layout(mux.MUX_MAX_PACKET_BYTES));
  frames.push(new Uint8Array(mux.MUX_MAX_PACKET_BYTES));
  assertEquals(frames.takeBytes()?.length, mux.MUX_MAX_PACKET_BYTES);
  frames.push(layout(mux.MUX_MAX_PACKET_BYTES + 1).subarray(0, 3));
  assertEquals(frames.takeBytes(), undefined);
  frames.push(layout(mux.MUX_MAX_PACKET_BYTES + 1).subarray(3));
  const error = assertThrows(() => frames.takeBytes(), ProtocolError);
  assertEquals(error.code, "too-large");
});

Deno.test("mux frames skip bytes that are no packet, and hand over what is left", () => {
  const frames = new MuxFrames();
  frames.push(new Uint8Array([0]));
  assertEquals(frames.skip(3), false);
  frames.push(new Uint8Array([0]));
  assertEquals(frames.skip(3), false);
  frames.push(new Uint8Array([0, ...SOME[1], 1, 2]));
  assertEquals(frames.skip(3), true);
  assertEquals(frames.take()?.type, MUX.ALIVE_CHECK);
  frames.push(new Uint8Array([3]));
  assertEquals(frames.rest(), new Uint8Array([1, 2, 3]));
  assertEquals(frames.rest(), new Uint8Array(0));
  frames.push(SOME[0]);
  assertEquals(frames.take()?.type, MUX.HELLO);
});

Deno.test("mux decoders throw only ProtocolError on hostile bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    for (const decode of [mux.decodeMuxHello, mux.decodeMuxForward]) {
      const frames = new MuxFrames();
      frames.push(Uint8Array.from(bytes));
      try {
        const taken = frames.take();
        if (taken) decode(taken.body);
      } catch (error) {
        assert(error instanceof ProtocolError, `${error}`);
      }
    }
  }));
});

Deno.test("mux packet without a type is refused", () => {
  const frames = new MuxFrames();
  frames.push(new Uint8Array([0, 0, 0, 2, 1, 1]));
  assertThrows(() => frames.take(), ProtocolError);
});

Deno.test("a hello tells the round trip to those who know the word, and others skip it", () => {
  const { body } = takeOne(mux.encodeMuxHello(["info"], 0.3149));
  assertEquals(mux.decodeMuxHello(body), { version: 4, extensions: ["info", "rtt@carpool"], rttMs: 0.31 });
});
