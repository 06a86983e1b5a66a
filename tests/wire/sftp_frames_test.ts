import { assertEquals, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MAX_SFTP_PACKET_BYTES, SftpFrames } from "../../lib/wire/sftp_frames.ts";
import { framed } from "./sftp_packets.ts";

Deno.test("SFTP packets come out whole however the stream is cut", () => {
  const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(packets, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }), (bodies, cuts) => {
      const stream = new Uint8Array(bodies.flatMap((body) => [...framed(body)]));
      const frames = new SftpFrames();
      const out: Uint8Array[] = [];
      let offset = 0;
      for (const cut of [...cuts, stream.length]) {
        out.push(...[...frames.push(stream.slice(offset, offset + cut))].map((packet) => packet.slice()));
        offset += cut;
      }
      assertEquals(out, bodies);
      assertEquals(frames.atBoundary, true);
    }),
  );
});

Deno.test("an SFTP packet longer than allowed, or without a type, is refused", () => {
  const length = (n: number) => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
  const after = (bytes: number[]) => () => [
    ...new SftpFrames().push(new Uint8Array([0, 0, 0, 1, 2, ...bytes])),
  ];
  assertThrows(after(length(MAX_SFTP_PACKET_BYTES + 1)), ProtocolError, "a packet of 262145 bytes");
  assertThrows(after(length(0)), ProtocolError, "a packet of 0 bytes");
});

Deno.test("text where SFTP should begin is shown, with what to do about it", () => {
  const greeting = new TextEncoder().encode("Welcome to web1!\nToday is Friday");
  assertThrows(
    () => [...new SftpFrames().push(greeting)],
    ProtocolError,
    'the host sent text where the first packet was due: "Welcome to web1!"; keep its shell start-up files silent',
  );
});
