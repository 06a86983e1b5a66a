import { assertEquals, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { CarpoolError, ProtocolError } from "../../lib/base/errors.ts";
import * as m from "../../lib/wire/messages.ts";
import { Reader } from "../../lib/wire/reader.ts";
import * as s from "../../lib/wire/session_requests.ts";
import { Writer } from "../../lib/wire/writer.ts";

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 64 });
const text = fc.string({ maxLength: 32, unit: "binary" });

Deno.test("writer and reader are each other's inverse for every type of RFC 4251", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 255 }),
    fc.boolean(),
    uint32,
    fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    bytes,
    text,
    (byte, flag, number, big, data, words) => {
      const message = new Writer(1).byte(byte).boolean(flag).uint32(number).uint64(big).string(data).utf8(
        words,
      )
        .bytes(data).finish();
      const reader = new Reader(message);
      assertEquals(reader.byte(), byte);
      assertEquals(reader.boolean(), flag);
      assertEquals(reader.uint32(), number);
      assertEquals(reader.uint64(), big);
      assertEquals(reader.string(), data);
      assertEquals(reader.utf8(), words);
      assertEquals(reader.rest(), data);
      assertEquals(reader.remaining, 0);
    },
  ));
});

Deno.test("writer refuses what is not a uint32", () => {
  for (const value of [-1, 0x100000000, 1.5, NaN]) {
    assertThrows(() => new Writer().uint32(value), ProtocolError);
  }
});

Deno.test("reader refuses a text field that is not UTF-8", () => {
  assertThrows(() => new Reader(new Uint8Array([0, 0, 0, 1, 0xff])).utf8(), ProtocolError, "not UTF-8");
});

Deno.test("messages come back as they were sent", () => {
  fc.assert(fc.property(uint32, uint32, uint32, uint32, bytes, fc.boolean(), (a, b, c, d, data, flag) => {
    assertEquals(
      m.decodeChannelOpen(
        m.encodeChannelOpen({ type: "session", sender: a, window: b, maxPacket: c, data }),
      ),
      { type: "session", sender: a, window: b, maxPacket: c, data },
    );
    assertEquals(
      m.decodeChannelOpenConfirmation(
        m.encodeChannelOpenConfirmation({ recipient: a, sender: b, window: c, maxPacket: d }),
      ),
      { recipient: a, sender: b, window: c, maxPacket: d },
    );
    assertEquals(
      m.decodeChannelOpenFailure(m.encodeChannelOpenFailure({ recipient: a, reason: b, description: "no" })),
      { recipient: a, reason: b, description: "no" },
    );
    assertEquals(m.decodeWindowAdjust(m.encodeWindowAdjust(a, b)), { recipient: a, bytes: b });
    assertEquals(m.decodeChannelData(m.encodeChannelData(a, data)), { recipient: a, data });
    assertEquals(m.decodeChannelExtendedData(m.encodeChannelExtendedData(a, 1, data)), {
      recipient: a,
      type: 1,
      data,
    });
    assertEquals(m.decodeChannelRequest(m.encodeChannelRequest(a, "exec", flag, data)), {
      recipient: a,
      type: "exec",
      wantReply: flag,
      data,
    });
    assertEquals(m.decodeGlobalRequest(m.encodeGlobalRequest("tcpip-forward", flag, data)), {
      name: "tcpip-forward",
      wantReply: flag,
      data,
    });
    for (
      const message of [m.encodeChannelEof(a), m.encodeChannelClose(a), m.encodeChannelReply(a, flag)]
    ) assertEquals(m.recipientOf(message), a);
  }));
});

Deno.test("session requests come back as they were sent", () => {
  assertEquals(s.decodeExitStatus(s.encodeExitStatus(255)), 255);
  const signal = new Writer().utf8("TERM").boolean(true).utf8("bye").utf8("").finish();
  assertEquals(s.decodeExitSignal(signal), { signal: "TERM", coreDumped: true, message: "bye" });
});

Deno.test("an exit-signal without message and language, as some servers send it, is read", () => {
  const signal = new Writer().utf8("KILL").boolean(false).finish();
  assertEquals(s.decodeExitSignal(signal), { signal: "KILL", coreDumped: false, message: "" });
});

Deno.test("exec request has the bytes that RFC 4254 §6.5 gives it", () => {
  const payload = m.encodeChannelRequest(1, "exec", true, s.encodeStringRequest("ls"));
  const hex = [...payload].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(hex, "62" + "00000001" + "00000004" + "65786563" + "01" + "00000002" + "6c73");
});

Deno.test("decoders never fail on hostile bytes with anything but a CarpoolError", () => {
  const decoders: ((payload: Uint8Array) => unknown)[] = [
    m.decodeChannelOpen,
    m.decodeChannelOpenConfirmation,
    m.decodeChannelOpenFailure,
    m.decodeWindowAdjust,
    m.decodeChannelData,
    m.decodeChannelExtendedData,
    m.decodeChannelRequest,
    m.decodeGlobalRequest,
    m.recipientOf,
    s.decodeExitSignal,
    s.decodeExitStatus,
  ];
  fc.assert(
    fc.property(bytes, (payload) => {
      for (const decode of decoders) {
        try {
          decode(payload);
        } catch (error) {
          if (!(error instanceof CarpoolError)) throw error;
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("every truncation of a message is told as truncated", () => {
  const whole = m.encodeChannelOpen({ type: "session", sender: 1, window: 2, maxPacket: 3 });
  for (let length = 1; length < whole.length; length++) {
    assertThrows(() => m.decodeChannelOpen(whole.subarray(0, length)), ProtocolError);
  }
});
