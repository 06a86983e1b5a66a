import { TargetError } from "../base/errors.ts";
import { parseAddress } from "./local_network.ts";
import { matchHostList } from "./pattern.ts";
import type { Settings } from "./settings.ts";

/** Who knows names. */
export interface NameResolver {
  /** Whether the name has an address; a final dot marks it as complete. */
  exists(name: string): Promise<boolean>;
  /** The name that an alias in DNS stands for; the name itself without one. */
  canonicalName(name: string): Promise<string>;
}

/**
 * Applies CanonicalizeHostname: tries the CanonicalDomains, then follows the aliases that
 * CanonicalizePermittedCNAMEs permits. `host` is in lower case and no address.
 */
export async function canonicalize(
  host: string,
  settings: Settings,
  resolver: NameResolver = systemResolver,
): Promise<string> {
  const mode = settings.value("CanonicalizeHostname") ?? "no";
  const direct = noneOrUnset(settings, "ProxyCommand") && noneOrUnset(settings, "ProxyJump");
  // Whoever proxies resolves the name; we would only guess.
  const wanted = mode === "always" || (mode === "yes" && direct);
  const found = wanted ? await findInDomains(host, settings, resolver) : undefined;
  if (mode === "no" || !(direct || mode === "always")) return found ?? host;
  return await followAlias(found ?? host, settings, resolver);
}

async function findInDomains(
  host: string,
  settings: Settings,
  resolver: NameResolver,
): Promise<string | undefined> {
  if (host.endsWith(".")) {
    if (await resolver.exists(host)) return host.slice(0, -1);
  } else {
    if (host.split(".").length - 1 > settings.number("CanonicalizeMaxDots", 1)) return undefined;
    for (const domain of settings.get("CanonicalDomains")?.values ?? []) {
      if (domain.toLowerCase() === "none") break;
      const full = `${host}.${domain.toLowerCase().replace(/\.$/, "")}`;
      if (await resolver.exists(`${full}.`)) return full;
    }
  }
  if (settings.flag("CanonicalizeFallbackLocal", true)) return undefined;
  throw new TargetError("bad-destination", {
    what: "Cannot use the destination",
    where: host,
    why: "none of the CanonicalDomains has it, and CanonicalizeFallbackLocal is no",
    fix: "check the name, or add its domain to CanonicalDomains",
  });
}

async function followAlias(host: string, settings: Settings, resolver: NameResolver): Promise<string> {
  const rules = (settings.get("CanonicalizePermittedCNAMEs")?.values ?? []).filter((rule) => rule !== "none");
  if (rules.length === 0) return host;
  const name = (await resolver.canonicalName(host)).replace(/\.$/, "").toLowerCase();
  const permitted = rules.some((rule) => {
    const [sources, targets] = rule === "*" ? ["*", "*"] : rule.split(":");
    return matchHostList(host, sources) === "yes" && matchHostList(name, targets ?? "") === "yes";
  });
  return permitted && name !== "" ? name : host;
}

function noneOrUnset(settings: Settings, name: string): boolean {
  return (settings.value(name) ?? "none").toLowerCase() === "none";
}

const systemResolver: NameResolver = {
  async exists(name) {
    const { lookup } = await import("node:dns/promises");
    return await lookup(name).then(() => true, () => false);
  },
  async canonicalName(name) {
    // A chain of aliases ends somewhere; one that does not is no reason to hang.
    for (let steps = 0; steps < 8; steps++) {
      const [next] = await Deno.resolveDns(name, "CNAME").catch(() => []);
      if (next === undefined) break;
      name = next;
    }
    return name;
  },
};

/** An address in its canonical spelling; undefined for a name. */
export function normalizeAddress(host: string): string | undefined {
  const [base, zone] = host.split("%");
  const bytes = parseAddress(base);
  if (bytes === undefined) return shortIpv4(host);
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  const canonical = mapped
    ? `::ffff:${bytes.slice(12).join(".")}`
    : URL.parse(`http://[${base}]/`)!.hostname.slice(1, -1);
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

/** `127.1` and the like, which resolvers take for addresses too: the last number fills what is left. */
function shortIpv4(host: string): string | undefined {
  if (!/^\d{1,10}(\.\d{1,10}){0,3}$/.test(host)) return undefined;
  return URL.parse(`http://${host}/`)?.hostname;
}
