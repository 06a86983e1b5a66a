import { assertEquals, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { ProtocolError } from "../../lib/base/errors.ts";
import { Reader } from "../../lib/wire/reader.ts";
import {
  encodeExtended,
  encodeFsetstat,
  encodeHandleRequest,
  encodeInit,
  encodeOpen,
  encodePathRequest,
  encodeRead,
  encodeRename,
  encodeSymlink,
  FXP,
  readAttributes,
  writeAttributes,
  writePacket,
} from "../../lib/wire/sftp.ts";
import { decodeLimits, decodeReply, decodeSpace, decodeVersion } from "../../lib/wire/sftp_replies.ts";
import { Writer } from "../../lib/wire/writer.ts";
import * as peer from "./sftp_packets.ts";

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 200 });
const path = fc.string({ unit: "grapheme", maxLength: 60 });
const anyAttributes = fc.record({
  size: fc.option(fc.maxSafeNat(), { nil: undefined }),
  owner: fc.option(fc.record({ uid: uint32, gid: uint32 }), { nil: undefined }),
  permissions: fc.option(uint32, { nil: undefined }),
  times: fc.option(fc.record({ atime: uint32, mtime: uint32 }), { nil: undefined }),
}).map(({ size, owner, permissions, times }) => ({
  ...size === undefined ? {} : { size },
  ...owner,
  ...permissions === undefined ? {} : { permissions },
  ...times,
}));

/** A request as the server reads it; checks the length in front. */
function read(packet: Uint8Array): peer.Request {
  assertEquals(new Reader(packet).uint32(), packet.length - 4);
  return peer.readRequest(packet.subarray(4));
}

Deno.test("SFTP attributes survive the way there and back", () => {
  fc.assert(fc.property(anyAttributes, (attributes) => {
    const reader = new Reader(writeAttributes(new Writer(), attributes).finish());
    assertEquals(readAttributes(reader), attributes);
    assertEquals(reader.remaining, 0);
  }));
});

Deno.test("SFTP attributes skip extended ones", () => {
  const packet = new Writer().uint32(0x80000004).uint32(0o644).uint32(2)
    .utf8("a@x").utf8("1").utf8("b@x").utf8("").byte(9).finish();
  const reader = new Reader(packet);
  assertEquals(readAttributes(reader), { permissions: 0o644 });
  assertEquals(reader.byte(), 9);
});

Deno.test("an SFTP size that no number can hold is refused, not rounded", () => {
  const packet = new Writer().uint32(1).uint64(2n ** 53n).finish();
  assertThrows(() => readAttributes(new Reader(packet)), ProtocolError, "a file size of 9007199254740992");
});

Deno.test("SFTP requests read back as they were written", () => {
  assertEquals(encodeInit(), new Uint8Array([0, 0, 0, 5, 1, 0, 0, 0, 3]));
  fc.assert(fc.property(uint32, path, path, bytes, anyAttributes, (id, a, b, handle, attributes) => {
    const open = read(encodeOpen(id, a, 0x1a, attributes));
    assertEquals([open.type, open.id, open.body.utf8(), open.body.uint32()], [FXP.OPEN, id, a, 0x1a]);
    assertEquals(readAttributes(open.body), attributes);
    const close = read(encodeHandleRequest(FXP.CLOSE, id, handle));
    assertEquals([close.type, close.id, close.body.string()], [FXP.CLOSE, id, handle]);
    const lstat = read(encodePathRequest(FXP.LSTAT, id, a));
    assertEquals([lstat.type, lstat.id, lstat.body.utf8()], [FXP.LSTAT, id, a]);
    const rename = read(encodeRename(id, a, b));
    assertEquals([rename.type, rename.body.utf8(), rename.body.utf8()], [FXP.RENAME, a, b]);
    const symlink = read(encodeSymlink(id, a, b));
    assertEquals([symlink.type, symlink.body.utf8(), symlink.body.utf8()], [FXP.SYMLINK, a, b]);
    const set = read(encodeFsetstat(id, handle, attributes));
    assertEquals([set.type, set.body.string(), readAttributes(set.body)], [
      FXP.FSETSTAT,
      handle,
      attributes,
    ]);
    const extended = read(encodeExtended(id, "x@y", a, handle));
    assertEquals([extended.type, extended.body.utf8(), extended.body.utf8(), extended.body.string()], [
      FXP.EXTENDED,
      "x@y",
      a,
      handle,
    ]);
  }));
});

Deno.test("an SFTP READ and WRITE carry 64-bit offsets, and a WRITE shrinks to what was filled in", () => {
  fc.assert(
    fc.property(uint32, bytes, fc.maxSafeNat(), bytes, fc.nat(300), (id, handle, offset, data, spare) => {
      const get = read(encodeRead(id, handle, offset, 77));
      assertEquals([get.type, get.body.string(), get.body.uint64(), get.body.uint32()], [
        FXP.READ,
        handle,
        BigInt(offset),
        77,
      ]);
      const packet = writePacket(handle, offset, data.length + spare);
      packet.data.set(data);
      const put = read(packet.finish(id, data.length));
      assertEquals([put.type, put.id, put.body.string(), put.body.uint64(), put.body.string()], [
        FXP.WRITE,
        id,
        handle,
        BigInt(offset),
        data,
      ]);
      assertEquals(put.body.remaining, 0);
    }),
  );
});

const anyReply = fc.oneof(
  fc.tuple(uint32, uint32, fc.string()).map(([id, status, message]) => ({
    packet: peer.status(id, status, message),
    reply: { type: "status", id, status, message },
  })),
  fc.tuple(uint32, bytes).map(([id, handle]) => ({
    packet: peer.handle(id, handle),
    reply: { type: "handle", id, handle },
  })),
  fc.tuple(uint32, bytes).map(([id, data]) => ({
    packet: peer.data(id, data),
    reply: { type: "data", id, data },
  })),
  fc.tuple(uint32, anyAttributes).map(([id, attributes]) => ({
    packet: peer.attributes(id, attributes),
    reply: { type: "attributes", id, attributes },
  })),
  fc.tuple(uint32, fc.array(fc.record({ name: bytes, attributes: anyAttributes }), { maxLength: 5 }))
    .map(([id, names]) => ({ packet: peer.names(id, names), reply: { type: "names", id, names } })),
);

Deno.test("SFTP replies read as the server wrote them", () => {
  fc.assert(fc.property(anyReply, ({ packet, reply }) => {
    assertEquals(decodeReply(packet.subarray(4)) as unknown, reply);
  }));
});

Deno.test("a truncated SFTP reply is an error at every length", () => {
  fc.assert(
    fc.property(anyReply, fc.double({ min: 0, max: 0.999, noNaN: true }), ({ packet, reply }, part) => {
      const whole = packet.subarray(4);
      const length = Math.floor(whole.length * part);
      // A status without its texts is what old servers send, and nobody reads its language.
      if (reply.type === "status" && (length === 9 || length >= whole.length - 4)) return;
      assertThrows(() => decodeReply(whole.subarray(0, length)), ProtocolError);
    }),
  );
});

Deno.test("random bytes as an SFTP reply are a ProtocolError or a reply, nothing else", () => {
  const type = fc.constantFrom(FXP.STATUS, FXP.HANDLE, FXP.DATA, FXP.NAME, FXP.ATTRS, FXP.EXTENDED_REPLY, 99);
  fc.assert(fc.property(type, fc.uint8Array({ maxLength: 60 }), (type, body) => {
    try {
      decodeReply(new Uint8Array([type, ...body]));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }));
});

Deno.test("an SFTP handle longer than 256 bytes is refused", () => {
  assertThrows(
    () => decodeReply(peer.handle(1, new Uint8Array(257)).subarray(4)),
    ProtocolError,
    "257 bytes",
  );
});

Deno.test("an SFTP VERSION tells its extensions", () => {
  const { version, extensions } = decodeVersion(peer.version(3, ["limits@openssh.com"]).subarray(4));
  assertEquals([version, [...extensions]], [3, [["limits@openssh.com", "1"]]]);
  assertThrows(() => decodeVersion(peer.status(0, 0).subarray(4)), ProtocolError, "packet type 101");
});

Deno.test("SFTP limits and space read as numbers", () => {
  const limits = new Writer().uint64(262144n).uint64(261120n).uint64(2n ** 64n - 1n).uint64(0n).finish();
  assertEquals(decodeLimits(limits), {
    packetBytes: 262144,
    readBytes: 261120,
    writeBytes: 2 ** 64,
    openHandles: 0,
  });
  const space = peer.extended(1, [4096, 512, 100, 50, 40, 10, 5, 4, 0, 0, 255]);
  const reply = decodeReply(space.subarray(4));
  assertEquals(reply.type === "extended" && decodeSpace(reply.data), {
    freeBytes: 40 * 512,
    totalBytes: 100 * 512,
    freeFiles: 4,
  });
});
