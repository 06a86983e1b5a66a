import { TargetError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import { parseDestination } from "./destination.ts";
import { type HostPattern, readHostPattern } from "./host_pattern_text.ts";
import { expandHostRange } from "./host_range.ts";
import { matchesPattern } from "./pattern.ts";

/** What the names in a pattern stand for. */
export interface HostNames {
  /** The hosts of a group; undefined where there is no such group. */
  group(name: string): Iterable<string> | undefined;
  /** Every group, for wildcards and for the nearest name. */
  groupNames(): Iterable<string>;
  /** Every host there is, for patterns that begin with `!` or `&`; undefined: nobody knows. */
  all(): Iterable<string> | undefined;
  /** Every host whose name is known, for wildcards. */
  known(): Iterable<string>;
  /** Where groups are looked up, for messages: the inventory's file; undefined where there is none. */
  readonly source?: string | undefined;
}

/** No groups, and no hosts but those that a pattern names. */
export const noNames: HostNames = {
  group: () => undefined,
  groupNames: () => [],
  all: () => undefined,
  known: () => [],
};

/** Hosts in order, each once, each with the outermost group that brought it; undefined: it was named itself. */
export type HostSet = Map<string, string | undefined>;

/**
 * The hosts that a pattern stands for, in the order written, each once.
 *
 * - `web1`, `deploy@db1:2222`, `web[01-20]`: a destination or a range of them; where there is a group of that
 *   name, the group.
 * - `@web`: the group, and nothing else. `web*`, `@web*`: every known host or group whose name matches.
 * - `a,b`: both. `a&b`: the hosts of `a` that are in `b` too. `a!b`, `a&!b`: the hosts of `a` that are not in
 *   `b`.
 * - `&` and `!` between two names bind tighter than the comma; behind a comma they are about everything
 *   before it: `web[01-20],db1,!web07` is all but web07, `web,db,&@berlin` those in berlin. Parentheses
 *   group.
 *
 * To the right of `&` and `!`, a name without user and port stands for the host whatever the user and port.
 *
 * @param start What a pattern that begins with `!` or `&` takes from; default: every host there is.
 * @throws {TargetError} "bad-host-pattern"
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals([...hostsOf("web[01-04],!web03", noNames).keys()], ["web01", "web02", "web04"]);
 * assertEquals([...hostsOf("web[1-9]&web[8-12]", noNames).keys()], ["web8", "web9"]);
 * ```
 */
export function hostsOf(
  pattern: string | HostPattern,
  names: HostNames,
  start?: ReadonlyMap<string, string | undefined>,
): HostSet {
  const read = typeof pattern === "string" ? readHostPattern(pattern) : pattern;
  const [first] = read.items;
  let set: HostSet = new Map();
  if (start !== undefined) set = new Map(start);
  else if (first && first.sign !== "+") {
    const all = names.all();
    if (all === undefined) {
      throw badPattern(
        read.text,
        `it begins with ${first.sign === "-" ? "!" : "&"}, and there is no inventory to begin with`,
        'name hosts before it: "web[01-20],!web07"',
      );
    }
    set = new Map([...all].map((host) => [host, undefined]));
  }
  for (const { sign, first, rest } of read.items) {
    let term = evaluate(first, names, read.text);
    for (const { sign, factor } of rest) term = narrow(term, sign, evaluate(factor, names, read.text));
    if (sign !== "+") set = narrow(set, sign, term);
    else {
      for (const [host, group] of term) if (!set.has(host)) set.set(host, group);
    }
  }
  return set;
}

type Factor = HostPattern["items"][number]["first"];

function evaluate(factor: Factor, names: HostNames, pattern: string): HostSet {
  if (typeof factor !== "string") return hostsOf(factor, names);
  const found: HostSet = new Map();
  const take = (hosts: Iterable<string>, group: string | undefined) => {
    for (const host of hosts) if (!found.has(host)) found.set(host, group);
  };
  if (factor.startsWith("@")) {
    for (const name of expandHostRange(factor.slice(1))) {
      const groups = isWildcard(name)
        ? [...names.groupNames()].filter((group) => matchesPattern(group, name))
        : [name];
      const hosts = groups.map((group) => [group, names.group(group)] as const);
      if (hosts.length === 0 || hosts.some(([, members]) => members === undefined)) {
        throw unknownGroup(name, names, pattern);
      }
      for (const [group, members] of hosts) take(members!, group);
    }
    return found;
  }
  const group = names.group(factor);
  if (group !== undefined) {
    take(group, factor);
    return found;
  }
  for (const name of expandHostRange(factor)) {
    if (!isWildcard(name)) {
      take([name], undefined);
      continue;
    }
    const all = [...names.known()];
    const matching = all.filter((host) => matchesPattern(host, name) || matchesPattern(nameOf(host), name));
    if (matching.length === 0) {
      const why = all.length === 0 ? "no host is known that it could match" : "it matches no known host";
      throw badPattern(pattern, `${JSON.stringify(name)}: ${why}`, "see carpool hosts @all and @ssh_config");
    }
    take(matching, undefined);
  }
  return found;
}

function isWildcard(name: string): boolean {
  return /[*?]/.test(name);
}

/** Those of `set` that `other` has too, or has not. */
function narrow(set: HostSet, sign: "-" | "&", other: HostSet): HostSet {
  const wanted = sign === "&";
  return new Map([...set].filter(([host]) => (other.has(host) || other.has(nameOf(host))) === wanted));
}

/** A destination's host without user and port, as `!web07` means it. */
export function nameOf(host: string): string {
  // Nearly every host is only a name: 100,000 of them need no parser.
  if (!/[@:]/.test(host)) return host;
  try {
    return parseDestination(host).alias;
  } catch {
    return host; // told by whoever uses it
  }
}

function unknownGroup(name: string, names: HostNames, pattern: string): TargetError {
  const { source } = names;
  const known = [...names.groupNames()];
  const nearest = nearestName(name, known);
  const why = source === undefined ? "there is no inventory file" : `${source} has no such group`;
  return badPattern(
    pattern,
    `@${name}: ${why}`,
    nearest !== undefined
      ? `did you mean @${nearest}?`
      : known.length > 0
      ? `known groups: ${known.slice(0, 20).join(", ")}`
      : "add groups to inventory.yaml",
  );
}

function badPattern(pattern: string, why: string, fix: string): TargetError {
  const shown = JSON.stringify(pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern);
  return new TargetError("bad-host-pattern", { what: "Cannot resolve the hosts", where: shown, why, fix });
}
