import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { UsageError } from "../../../lib/base/errors.ts";
import type { Endpoint, ForwardKind, ForwardSpec } from "../../../lib/channel/forward/forward_spec.ts";
import { formatForward, parseForward } from "../../../lib/channel/forward/forward_text.ts";

const tcp = (host: string, port: number): Endpoint => ({ host, port });
const unix = (path: string): Endpoint => ({ path });

Deno.test("parseForward reads every form that ssh(1) knows", () => {
  const cases: [ForwardKind, string, Endpoint, Endpoint?][] = [
    ["local", "8080:db:5432", tcp("", 8080), tcp("db", 5432)],
    ["local", " 8080:db:5432 ", tcp("", 8080), tcp("db", 5432)],
    ["local", "127.0.0.2:8080:db:5432", tcp("127.0.0.2", 8080), tcp("db", 5432)],
    ["local", ":8080:db:5432", tcp("*", 8080), tcp("db", 5432)],
    ["local", "*:8080:db:5432", tcp("*", 8080), tcp("db", 5432)],
    ["local", "localhost:8080:db:5432", tcp("localhost", 8080), tcp("db", 5432)],
    ["local", "[::1]:8080:[fe80::2]:5432", tcp("::1", 8080), tcp("fe80::2", 5432)],
    ["local", "8080:[::1]:5432", tcp("", 8080), tcp("::1", 5432)],
    ["local", "8080:/run/app.sock", tcp("", 8080), unix("/run/app.sock")],
    ["local", "127.0.0.2:8080:/run/app.sock", tcp("127.0.0.2", 8080), unix("/run/app.sock")],
    ["local", "/l.sock:db:5432", unix("/l.sock"), tcp("db", 5432)],
    ["local", "/l.sock:/r.sock", unix("/l.sock"), unix("/r.sock")],
    ["local", "[/l:1.sock]:/r\\:2.sock", unix("/l:1.sock"), unix("/r:2.sock")],
    ["remote", "0:localhost:80", tcp("", 0), tcp("localhost", 80)],
    ["remote", "*:9000:localhost:80", tcp("*", 9000), tcp("localhost", 80)],
    ["remote", "/r.sock:/l.sock", unix("/r.sock"), unix("/l.sock")],
    ["remote", "1080", tcp("", 1080)],
    ["remote", "127.0.0.1:1080", tcp("127.0.0.1", 1080)],
    ["remote", "/socks", unix("/socks")],
    ["dynamic", "1080", tcp("", 1080)],
    ["dynamic", "[::1]:1080", tcp("::1", 1080)],
    ["dynamic", ":1080", tcp("*", 1080)],
  ];
  for (const [kind, text, listen, connect] of cases) {
    const expected: ForwardSpec = connect ? { kind, listen, connect } : { kind, listen };
    assertEquals(parseForward(kind, text), expected, `${kind} ${text}`);
  }
});

Deno.test("parseForward refuses what ssh(1) would, in four parts", () => {
  const cases: [ForwardKind, string, string][] = [
    ["local", "", "do not make a forward"],
    ["local", "8080", "1 part of that kind"],
    ["local", "a:8080", "2 parts of that kind"],
    ["local", "/l.sock", "do not make a forward"],
    ["local", "1:2:3:4:5", "5 parts of that kind"],
    ["local", "x:db:80", "x is not a port"],
    ["local", "80:db:0", "0 is not a port (1 to 65535)"],
    ["local", "80::5", "the host to connect to is empty"],
    ["local", "99999:db:80", "99999 is not a port"],
    ["local", "[::1:80:db:5", "a bracket is not closed"],
    ["local", "80:db:5\\", "a backslash has nothing behind it"],
    ["local", "80:/r.sock:5", "do not make a forward"],
    ["remote", "", "a port is missing"],
    ["dynamic", "80:db:5", "3 parts of that kind"],
    ["dynamic", "80:/x", "do not make a forward"],
  ];
  for (const [kind, text, why] of cases) {
    const error = assertThrows(() => parseForward(kind, text), UsageError);
    assertStringIncludes(error.why ?? "", why, `${kind} ${text}`);
    const letter = `-${kind[0].toUpperCase()}`;
    assertEquals([error.what, error.where], ["Cannot read the forward", `${letter} ${text}`]);
    assertStringIncludes(error.fix ?? "", `write ${letter} `);
  }
});

Deno.test("parseForward reads what formatForward writes", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  const host = fc.constantFrom("db", "10.0.0.1", "::1", "localhost", "a.b-c.example");
  const path = fc.stringMatching(/^\/[a-z./_-]{0,20}$/).map(unix);
  const listen = fc.oneof(
    fc.tuple(fc.oneof(host, fc.constantFrom("", "*")), port).map(([h, p]) => tcp(h, p)),
    path,
  );
  const connect = fc.oneof(fc.tuple(host, port).map(([h, p]) => tcp(h, p)), path);
  const spec = fc.oneof(
    fc.record({ kind: fc.constantFrom("local" as const, "remote" as const), listen, connect }),
    fc.record({ kind: fc.constantFrom("remote" as const, "dynamic" as const), listen }),
  );
  fc.assert(fc.property(spec, (wanted: ForwardSpec) => {
    assertEquals(parseForward(wanted.kind, formatForward(wanted).slice(3)), wanted);
  }));
});

Deno.test("parseForward throws nothing but UsageError, whatever the text", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("local", "remote", "dynamic"),
      fc.string(),
      (kind: ForwardKind, text: string) => {
        try {
          parseForward(kind, text);
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
        }
      },
    ),
  );
});
