import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fc } from "fast-check";
import { SOCKS_REPLY, SocksParser, socksReply, type SocksStep } from "../../../lib/channel/forward/socks.ts";

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const bytes = (...parts: (number | number[])[]) => Uint8Array.from(parts.flat());
const GREETING = [5, 1, 0];

/** What a client hears and how it ends, for these pieces. */
function feed(pieces: readonly Uint8Array[]): { last: SocksStep; heard: number[] } {
  const parser = new SocksParser();
  const heard: number[] = [];
  let last: SocksStep = { kind: "more" };
  for (const piece of pieces) {
    last = parser.push(piece);
    heard.push(...last.reply ?? []);
    if (last.kind !== "more") break;
  }
  return { last, heard };
}

const REQUESTS: [string, Uint8Array, { version: 4 | 5; host: string; port: number }][] = [
  ["IPv4", bytes(GREETING, 5, 1, 0, 1, 10, 0, 0, 7, 0x1f, 0x90), {
    version: 5,
    host: "10.0.0.7",
    port: 8080,
  }],
  [
    "a domain",
    bytes(GREETING, 5, 1, 0, 3, 5, ascii("db.lo"), 0, 80),
    { version: 5, host: "db.lo", port: 80 },
  ],
  [
    "IPv6",
    bytes(GREETING, 5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, new Array(11).fill(0), 1, 1, 0),
    { version: 5, host: "2001:db8::1", port: 256 },
  ],
  [
    "IPv4 in IPv6",
    bytes(GREETING, 5, 1, 0, 4, new Array(10).fill(0), 255, 255, 127, 0, 0, 1, 0, 22),
    { version: 5, host: "::ffff:127.0.0.1", port: 22 },
  ],
  ["SOCKS 4", bytes(4, 1, 0, 80, 127, 0, 0, 1, ascii("me"), 0), { version: 4, host: "127.0.0.1", port: 80 }],
  [
    "SOCKS 4a",
    bytes(4, 1, 0, 80, 0, 0, 0, 9, 0, ascii("db"), 0),
    { version: 4, host: "db", port: 80 },
  ],
];

for (const [name, request, target] of REQUESTS) {
  Deno.test(`SOCKS parser reads ${name}, whatever the pieces, and leaves what follows`, () => {
    const behind = ascii("GET /");
    fc.assert(fc.property(fc.array(fc.nat(request.length - 1), { maxLength: 6 }), (cuts: number[]) => {
      const ends = [...cuts.sort((a, b) => a - b), request.length];
      const pieces = ends.map((end, i) => request.subarray(ends[i - 1] ?? 0, end));
      pieces[pieces.length - 1] = bytes([...pieces[pieces.length - 1]], behind);
      const { last, heard } = feed(pieces);
      assert(last.kind === "request", last.kind);
      assertEquals(last.target, target);
      assertEquals(heard, target.version === 5 ? [5, 0] : []);
      assertEquals([...last.rest], behind);
    }));
  });
}

const REFUSALS: [string, Uint8Array, string, number[]][] = [
  ["a web browser's words", bytes(ascii("GET / HTTP/1.1\r\n")), "the first byte is 71", []],
  ["authentication", bytes(5, 1, 2), "insists on authentication", [5, 255]],
  ["no method at all", bytes(5, 0), "insists on authentication", [5, 255]],
  ["BIND", bytes(GREETING, 5, 2, 0), "command 2", [5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0]],
  ["UDP", bytes(GREETING, 5, 3), "command 3", [5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0]],
  ["an unknown address type", bytes(GREETING, 5, 1, 0, 2), "address type 2", [
    5,
    0,
    5,
    8,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
  ]],
  ["a change of language", bytes(GREETING, 4), "the request is not SOCKS 5", [5, 0]],
  ["an empty name", bytes(GREETING, 5, 1, 0, 3, 0), "not printable", [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0]],
  [
    "a name with a newline",
    bytes(GREETING, 5, 1, 0, 3, 3, ascii("a\nb"), 0, 80),
    "not printable",
    [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0],
  ],
  ["BIND of SOCKS 4", bytes(4, 2), "command 2", [0, 91, 0, 0, 0, 0, 0, 0]],
  [
    "a user name without end",
    bytes(4, 1, 0, 80, 127, 0, 0, 1, new Array(256).fill(65)),
    "more than 255 bytes",
    [0, 91, 0, 0, 0, 0, 0, 0],
  ],
];

for (const [name, said, why, answer] of REFUSALS) {
  Deno.test(`SOCKS parser refuses ${name}`, () => {
    for (const pieces of [[said], [...said].map((byte) => bytes(byte))]) {
      const { last, heard } = feed(pieces);
      assert(last.kind === "refused", last.kind);
      assertStringIncludes(last.why, why);
      assertEquals(heard, answer);
    }
  });
}

Deno.test("SOCKS parser settles within 520 bytes, whatever comes, and never throws", () => {
  const start = fc.constantFrom(bytes(), bytes(4, 1), bytes(GREETING, 5, 1, 0, 3, 255), bytes(5, 255));
  const noise = fc.uint8Array({ minLength: 521, maxLength: 600 });
  fc.assert(fc.property(start, noise, (head: Uint8Array, tail: Uint8Array) => {
    const { last } = feed([...head, ...tail].map((byte) => bytes(byte)));
    assert(last.kind !== "more");
  }));
});

Deno.test("SOCKS reply says granted or refused in the client's version", () => {
  assertEquals([...socksReply(4, SOCKS_REPLY.SUCCEEDED)], [0, 90, 0, 0, 0, 0, 0, 0]);
  assertEquals([...socksReply(4, SOCKS_REPLY.NOT_ALLOWED)], [0, 91, 0, 0, 0, 0, 0, 0]);
  assertEquals([...socksReply(5, SOCKS_REPLY.SUCCEEDED)], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  assertEquals([...socksReply(5, SOCKS_REPLY.NOT_ALLOWED)], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
});
