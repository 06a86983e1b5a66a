import { UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import { parseDestination } from "../target/destination.ts";
import { type HostSet, hostsOf, nameOf } from "../target/host_pattern.ts";
import { namesIn, readHostPattern } from "../target/host_pattern_text.ts";
import type { TargetOptions } from "../target/target.ts";
import { type InventoryContent, noSettings } from "./inventory_content.ts";
import { type HostEntry, Inventory } from "./inventory.ts";
import { type InventoryPlaces, loadInventory } from "./load_inventory.ts";

/** Where groups come from, and which of the hosts are meant. */
export interface FindHostsOptions extends InventoryPlaces {
  /** Only those of the hosts that this pattern names, too. */
  readonly limit?: string | readonly string[];
  /** None of those that this pattern names. */
  readonly exclude?: string | readonly string[];
  /** The ssh_config whose aliases `@ssh_config` and wildcards know; default: the user's and the system's. */
  readonly configFile?: string;
}

/**
 * The hosts that patterns (groups, destinations, ranges, `&`, `!`) stand for, in the order written, each
 * once, with what the inventory says of each; several patterns are one, with commas between.
 *
 * @throws {CarpoolError} for a pattern or an inventory that cannot be used, and for a pattern that no host matches.
 */
export async function findHosts(
  items: string | readonly string[],
  options: FindHostsOptions = {},
): Promise<readonly HostEntry[]> {
  const pattern = joined(items);
  const [limit, exclude] = [options.limit, options.exclude].map((one) =>
    one === undefined ? "" : joined(one)
  );
  const found = await loadInventory(options);
  // Nobody was named, which is for the caller to judge; an empty name is a mistake.
  if (items.length === 0 && typeof items !== "string") return [];
  const aliases = await aliasesFor([pattern, limit!, exclude!], found, options);
  const isConfig = found.file === "ssh_config" && found.hosts.size === 0;
  const content = isConfig ? { ...found, hosts: new Map(aliases.map((host) => [host, noSettings])) } : found;
  const inventory = new Inventory(content, aliases);
  let set: HostSet = hostsOf(pattern, inventory);
  const all = set;
  if (limit !== "") {
    refuseUnknown("--limit", limit!, all, inventory);
    set = hostsOf(`&(${limit})`, inventory, set);
  }
  if (exclude !== "") {
    refuseUnknown("--exclude", exclude!, all, inventory);
    set = hostsOf(`!(${exclude})`, inventory, set);
  }
  if (all.size === 0) {
    throw new UsageError({
      what: "Cannot resolve the hosts",
      where: pattern,
      why: "it matches no host",
      fix: "carpool hosts shows what each part of a pattern names",
    }, "bad-value");
  }
  if (set.size === 0) {
    throw new UsageError({
      what: "Cannot resolve the hosts",
      where: [...(limit ? [`--limit ${limit}`] : []), ...(exclude ? [`--exclude ${exclude}`] : [])].join(" "),
      why: all.size === 1 ? `${pattern} is not left` : `none of the ${all.size} hosts of ${pattern} is left`,
      fix: "see carpool hosts with the same pattern",
    }, "bad-value");
  }
  const hosts = [...set].map(([host, group]) => inventory.entry(host, group));
  // A name that cannot be one is a mistake to be told before anything is contacted, not an unreachable host.
  for (const { host } of hosts) parseDestination(host);
  return hosts;
}

/** Options of `connect` for a host: what was given here wins over what the inventory says. */
export function optionsFor<Options extends TargetOptions>(entry: HostEntry, options: Options): Options {
  if (entry.options === undefined) return options;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const merged = { ...entry.options, ...Object.fromEntries(given) } as Options;
  const lines = [...options.configLines ?? [], ...entry.options.configLines ?? []];
  return lines.length > 0 ? { ...merged, configLines: lines } : merged;
}

function joined(items: string | readonly string[]): string {
  return typeof items === "string" ? items : items.join(",");
}

/** ssh_config is read only where somebody asks for what is in it. */
async function aliasesFor(
  patterns: readonly string[],
  content: InventoryContent,
  options: FindHostsOptions,
): Promise<readonly string[]> {
  const members = [...content.groups.values()].flatMap((group) => group.members);
  const texts = [
    ...patterns,
    ...members.flatMap((one) => one.kind === "pattern" ? [one.text] : one.kind === "group" ? [one.name] : []),
  ];
  if (content.file !== "ssh_config" && !texts.some((text) => /[*?]|ssh_config/.test(text))) return [];
  const { sshAliases } = await import("../target/ssh_aliases.ts");
  return await sshAliases(options);
}

/** A typing mistake in what is to be left out would be a host that is not. */
function refuseUnknown(option: string, pattern: string, hosts: HostSet, inventory: Inventory): void {
  const known = new Set([...hosts.keys(), ...inventory.known()].flatMap((host) => [host, nameOf(host)]));
  for (const name of namesIn(readHostPattern(pattern))) {
    if (/^@|[*?[]/.test(name) || known.has(name) || inventory.group(name) !== undefined) continue;
    const nearest = nearestName(name, [...known, ...inventory.groupNames()]);
    throw new UsageError({
      what: "Cannot resolve the hosts",
      where: `${option} ${pattern}`,
      why: `${JSON.stringify(name)} is neither among the hosts nor in the inventory`,
      fix: nearest ? `did you mean ${nearest}?` : undefined,
    }, "bad-value");
  }
}
