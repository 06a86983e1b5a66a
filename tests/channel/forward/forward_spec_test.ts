import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import { type ForwardRequest, forwardSpec } from "../../../lib/channel/forward/forward_spec.ts";

Deno.test("forwardSpec reads ports, addresses and paths", () => {
  const cases: [ForwardRequest, unknown][] = [
    [{ local: 8080, to: "db:5432" }, ["local", { host: "", port: 8080 }, { host: "db", port: 5432 }]],
    [{ local: "8080", to: 80 }, ["local", { host: "", port: 8080 }, { host: "localhost", port: 80 }]],
    [{ local: 0, to: "80" }, ["local", { host: "", port: 0 }, { host: "localhost", port: 80 }]],
    [{ local: "127.0.0.5:1", to: "[::1]:2" }, [
      "local",
      { host: "127.0.0.5", port: 1 },
      { host: "::1", port: 2 },
    ]],
    [{ local: "*:1", to: "/run/x" }, ["local", { host: "*", port: 1 }, { path: "/run/x" }]],
    [{ local: ":1", to: "a:2" }, ["local", { host: "*", port: 1 }, { host: "a", port: 2 }]],
    [{ local: "./l:1", to: "/r" }, ["local", { path: "./l:1" }, { path: "/r" }]],
    [{ remote: 0, to: "localhost:3000" }, [
      "remote",
      { host: "", port: 0 },
      { host: "localhost", port: 3000 },
    ]],
    [{ remote: "[::]:1080" }, ["remote", { host: "::", port: 1080 }, undefined]],
    [{ dynamic: 1080 }, ["dynamic", { host: "", port: 1080 }, undefined]],
  ];
  for (const [request, expected] of cases) {
    const { kind, listen, connect } = forwardSpec(request);
    assertEquals([kind, listen, connect], expected as never);
  }
});

Deno.test("forwardSpec refuses what is no forward, and shows it", () => {
  const cases: [unknown, string][] = [
    [{}, "neither local, remote nor dynamic is given"],
    [{ local: 1, dynamic: 2, to: "a:1" }, "both local and dynamic are given"],
    [{ local: 1 }, "where it leads is missing"],
    [{ dynamic: 1, to: "a:1" }, "a dynamic forward has no end of its own"],
    [{ local: 65536, to: "a:1" }, "65536 is not a port (0 to 65535)"],
    [{ local: -1, to: "a:1" }, "-1 is not a port"],
    [{ local: 1.5, to: "a:1" }, "1.5 is not a port"],
    [{ local: NaN, to: "a:1" }, "NaN is not a port"],
    [{ local: null, to: "a:1" }, "null is neither a number nor a string"],
    [{ local: 1, to: "a:0" }, "0 is not a port (1 to 65535)"],
    [{ local: 1, to: "a:" }, "a port is missing"],
    [{ local: 1, to: ":5" }, "the host to connect to is empty"],
    [{ local: "::1:80", to: "a:1" }, "an IPv6 address goes in brackets"],
    [{ local: 1, to: "a\n:1" }, "a host name cannot hold spaces or control characters"],
    [{ local: 1, to: "/" + "x".repeat(107) }, "at most 107 bytes, this one has 108"],
    [{ local: 1, to: "/a\0b" }, "a path cannot hold a zero byte"],
  ];
  for (const [request, why] of cases) {
    const error = assertThrows(() => forwardSpec(request as ForwardRequest), UsageError);
    assertStringIncludes(error.why ?? "", why);
    assertEquals([error.code, error.what], ["bad-value", "Cannot read the forward"]);
    assertStringIncludes(error.fix ?? "", "write {");
  }
});
