import { assertEquals, assertRejects } from "@std/assert";
import { TargetError } from "../../lib/base/errors.ts";
import { canonicalize, normalizeAddress } from "../../lib/target/canonicalize.ts";
import { applyOptions } from "../../lib/target/option_lines.ts";
import { Settings } from "../../lib/target/settings.ts";

/** Names with addresses, and what an alias stands for. */
function dns(names: string[], aliases: Record<string, string> = {}) {
  return {
    exists: (name: string) => Promise.resolve(names.includes(name.replace(/\.$/, ""))),
    canonicalName: (name: string) => Promise.resolve(aliases[name] ?? name),
  };
}

function settings(...configLines: string[]): Settings {
  const made = new Settings();
  applyOptions({ configLines }, made);
  return made;
}

Deno.test("canonicalisation tries the domains in turn", async () => {
  const wanted = settings("CanonicalizeHostname=yes", "CanonicalDomains=one.x two.x");
  assertEquals(await canonicalize("web", wanted, dns(["web.two.x"])), "web.two.x");
  assertEquals(await canonicalize("web", wanted, dns([])), "web");
  assertEquals(await canonicalize("a.b.c", wanted, dns(["a.b.c.one.x"])), "a.b.c", "too many dots");
  assertEquals(await canonicalize("web.", wanted, dns(["web"])), "web", "a final dot: complete already");
});

Deno.test("canonicalisation is left to whoever proxies, unless always", async () => {
  const lines = ["CanonicalDomains=one.x", "ProxyJump=gate"];
  const names = dns(["web.one.x"]);
  assertEquals(await canonicalize("web", settings("CanonicalizeHostname=yes", ...lines), names), "web");
  assertEquals(
    await canonicalize("web", settings("CanonicalizeHostname=always", ...lines), names),
    "web.one.x",
  );
  assertEquals(await canonicalize("web", settings(...lines), names), "web");
});

Deno.test("canonicalisation without a fallback refuses what no domain has", async () => {
  const strict = settings(
    "CanonicalizeHostname=yes",
    "CanonicalDomains=one.x",
    "CanonicalizeFallbackLocal=no",
  );
  await assertRejects(
    () => canonicalize("web", strict, dns([])),
    TargetError,
    "none of the CanonicalDomains",
  );
});

Deno.test("canonicalisation follows only the aliases that are permitted", async () => {
  const names = dns(["web.one.x"], { "web.one.x": "Host7.dc.x." });
  const lines = ["CanonicalizeHostname=yes", "CanonicalDomains=one.x"];
  const permitted = settings(...lines, "CanonicalizePermittedCNAMEs=*.one.x:*.dc.x");
  assertEquals(await canonicalize("web", permitted, names), "host7.dc.x");
  const other = settings(...lines, "CanonicalizePermittedCNAMEs=*.one.x:*.elsewhere");
  assertEquals(await canonicalize("web", other, names), "web.one.x");
});

Deno.test("addresses are written in one way", () => {
  const spellings: Record<string, string | undefined> = {
    "2001:DB8:0:0::0005": "2001:db8::5",
    "::1": "::1",
    "fe80::1%eth0": "fe80::1%eth0",
    "::ffff:192.0.2.1": "::ffff:192.0.2.1",
    "192.0.2.1": "192.0.2.1",
    "127.1": "127.0.0.1",
    "web1": undefined,
    "1.example": undefined,
    ":::": undefined,
  };
  for (const [typed, expected] of Object.entries(spellings)) {
    assertEquals(normalizeAddress(typed), expected, typed);
  }
});
