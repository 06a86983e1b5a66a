import { JobFileError, TargetError, UsageError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { nearestName } from "../base/nearest_name.ts";
import { dirname, join, resolve } from "../deps/node_path.ts";

const what = "Cannot use the inventory";

/** Groups of hosts by name; a member may be another group. */
export interface Inventory {
  /** The file, for messages; undefined where there is none. */
  readonly file: string | undefined;
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

/** No groups at all. */
export const emptyInventory: Inventory = { file: undefined, groups: new Map() };

/** Where an inventory may lie. */
export interface InventoryPlaces {
  /** The file the user named; it must exist. */
  readonly inventory?: string;
  /** `inventory.yaml` or `inventory.yml` beside this file is taken before the one in `cwd`. */
  readonly taskFile?: string;
  /** Default: the current directory. */
  readonly cwd?: string;
}

/**
 * Reads the inventory that the user named, or that lies beside the task file or in the current directory; an empty one
 * where there is none.
 *
 * @throws {JobFileError} naming line, column, what was found and what is allowed.
 */
export async function loadInventory(places: InventoryPlaces = {}): Promise<Inventory> {
  const cwd = places.cwd ?? Deno.cwd();
  const names = ["inventory.yaml", "inventory.yml"];
  const folders = [...(places.taskFile === undefined ? [] : [dirname(places.taskFile)]), "."];
  const candidates = places.inventory === undefined
    ? folders.flatMap((folder) => names.map((name) => join(folder, name)))
    : [places.inventory];
  for (const file of candidates) {
    let bytes: Uint8Array;
    try {
      bytes = await Deno.readFile(resolve(cwd, file));
    } catch (cause) {
      const missing = cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory;
      if (missing && places.inventory === undefined) continue;
      const why = missing ? "no such file" : cause instanceof Error ? cause.message : String(cause);
      throw new JobFileError({ what, where: file, why, cause });
    }
    const inventory = await readInventory(bytes, file, places.inventory !== undefined);
    if (inventory) return inventory;
  }
  return emptyInventory;
}

/** Undefined for a file that nobody named and that is not ours: other programs have an inventory.yaml too. */
async function readInventory(
  bytes: Uint8Array,
  file: string,
  named: boolean,
): Promise<Inventory | undefined> {
  const [{ readYaml }, { checkWith }, { inventorySchema }, { JobProblemsError }] = await Promise.all([
    import("./yaml_text.ts"),
    import("./issues.ts"),
    explainMissingPackage(() => import("./schema.ts")),
    import("./problems.ts"),
  ]);
  const { content, locate } = await readYaml(bytes, file, what);
  const keys = content !== null && typeof content === "object" ? Object.keys(content) : [];
  if (!named && !keys.some((key) => nearestName(key, ["groups"]))) return undefined;
  const keysAt = (path: readonly PropertyKey[]) => path.length === 0 ? ["groups"] : ["hosts"];
  const checked = checkWith(inventorySchema, content, [], locate, keysAt);
  if (!checked.ok) throw new JobProblemsError(what, checked.problems);
  const groups = new Map(Object.entries(checked.value.groups));
  for (const name of groups.keys()) {
    const cycle = findCycle(groups, name, []);
    if (cycle) {
      throw new JobProblemsError(what, [{
        ...locate(["groups", name], "key"),
        why: `the group ${JSON.stringify(name)} contains itself: ${cycle.join(" > ")}`,
        fix: "take one of them out",
      }]);
    }
  }
  return { file, groups };
}

function findCycle(
  groups: Inventory["groups"],
  name: string,
  above: readonly string[],
): readonly string[] | undefined {
  const trail = [...above, name];
  if (above.includes(name)) return trail;
  for (const member of (groups.get(name) ?? []).flatMap(splitItems)) {
    const group = member.replace(/^@/, "");
    // A group may hold a host of its own name: `db: [db]` means the host.
    if (member === name || !groups.has(group)) continue;
    const cycle = findCycle(groups, group, trail);
    if (cycle) return cycle;
  }
  return undefined;
}

/** A host of a run. */
export interface HostEntry {
  /** A destination as the user or the inventory wrote it, ranges expanded. */
  readonly host: string;
  /** The outermost group that brought it; undefined when it was named itself. */
  readonly group: string | undefined;
}

/**
 * What items like `web`, `@web`, `deploy@db1:2222`, `web[01-20]` or `web,db1` stand for: groups unfolded, ranges
 * expanded, in the order written, each host once. `@name` is a group and nothing else; a bare name is a group where
 * the inventory has one, a destination otherwise.
 *
 * @param expand Expands a range: `web[1-2]` to `web1`, `web2`.
 * @throws {UsageError} for an `@group` that is not there.
 */
export function resolveHosts(
  items: readonly string[],
  inventory: Inventory,
  expand: (pattern: string) => readonly string[],
): readonly HostEntry[] {
  const found = new Map<string, HostEntry>();
  const unfold = (item: string, group: string | undefined, inside: readonly string[]) => {
    const forced = item.startsWith("@");
    const name = forced ? item.slice(1) : item;
    const members = inside.includes(name) && !forced ? undefined : inventory.groups.get(name);
    if (members) {
      for (const member of members.flatMap(splitItems)) unfold(member, group ?? name, [...inside, name]);
      return;
    }
    if (forced) throw unknownGroup(name, inventory);
    for (const host of expand(item)) {
      if (!found.has(host)) found.set(host, { host, group });
    }
  };
  for (const item of items.flatMap(splitItems)) unfold(item, undefined, []);
  return [...found.values()];
}

function unknownGroup(name: string, inventory: Inventory): UsageError {
  const names = [...inventory.groups.keys()];
  const nearest = nearestName(name, names);
  return new UsageError({
    what: "Cannot resolve the hosts",
    where: `@${name}`,
    why: inventory.file ? `${inventory.file} has no such group` : "there is no inventory file",
    fix: nearest
      ? `did you mean @${nearest}?`
      : names.length > 0
      ? `known groups: ${names.join(", ")}`
      : "add groups to inventory.yaml",
  }, "bad-value");
}

/** Splits at commas outside brackets: `web[1-3,7],db1` is two items. */
export function splitItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let item = "";
  for (const c of text) {
    if (c === "[") depth++;
    if (c === "]") depth--;
    if (c === "," && depth <= 0) {
      items.push(item);
      item = "";
    } else item += c;
  }
  items.push(item);
  const trimmed = items.map((one) => one.trim()).filter((one) => one !== "");
  if (trimmed.length === 0) {
    throw new TargetError("bad-host-pattern", {
      what: "Cannot resolve the hosts",
      where: JSON.stringify(text),
      why: "it names no host",
    });
  }
  return trimmed;
}
