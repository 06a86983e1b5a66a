import { namesIn, readHostPattern } from "../target/host_pattern_text.ts";
import { expandHostRange } from "../target/host_range.ts";
import { matchesPattern } from "../target/pattern.ts";
import type { GroupMember, InventoryContent } from "./inventory_content.ts";

type Groups = InventoryContent["groups"];

/** The groups that hold each group, directly; `all` holds everyone anyway. */
export function parentsOf(groups: Groups): ReadonlyMap<string, ReadonlySet<string>> {
  const parents = new Map<string, Set<string>>();
  for (const [name, { members }] of groups) {
    if (name === "all") continue;
    for (const child of members.flatMap((member) => [...groupsNamedBy(member, name, groups)])) {
      const known = parents.get(child);
      if (known) known.add(name);
      else parents.set(child, new Set([name]));
    }
  }
  return parents;
}

/** A way from a group back to itself: `a > b > a`; undefined where there is none. */
export function circleIn(groups: Groups): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, above: readonly string[]): readonly string[] | undefined => {
    const start = above.indexOf(name);
    if (start >= 0) return [...above.slice(start), name];
    if (done.has(name)) return undefined;
    for (const member of groups.get(name)?.members ?? []) {
      for (const child of groupsNamedBy(member, name, groups)) {
        const circle = visit(child, [...above, name]);
        if (circle) return circle;
      }
    }
    done.add(name);
    return undefined;
  };
  for (const name of groups.keys()) {
    const circle = visit(name, []);
    if (circle) return circle;
  }
  return undefined;
}

/** The groups that a member of the group `self` names; `all` is never told: it is everyone, not what names it. */
function* groupsNamedBy(member: GroupMember, self: string, groups: Groups): Generator<string> {
  if (member.kind === "host") return;
  if (member.kind === "group") {
    if (member.name !== "all") yield member.name;
    return;
  }
  for (const name of namesIn(readHostPattern(member.text))) {
    if (!name.startsWith("@")) {
      // A group may hold a host of its own name: `db: [db]` means the host.
      if (name !== self && name !== "all" && groups.has(name)) yield name;
      continue;
    }
    for (const one of expandHostRange(name.slice(1))) {
      if (/[*?]/.test(one)) {
        for (const group of groups.keys()) {
          if (group !== self && group !== "all" && matchesPattern(group, one)) yield group;
        }
      } else if (one !== "all" && groups.has(one)) yield one;
    }
  }
}
