import { CarpoolError, TargetError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { nearestName } from "../base/nearest_name.ts";
import { namesIn, readHostPattern } from "../target/host_pattern_text.ts";
import { expandHostRange } from "../target/host_range.ts";
import type {
  GroupMember,
  InventoryContent,
  InventoryGroup,
  InventorySettings,
} from "./inventory_content.ts";
import { circleIn } from "./inventory_groups.ts";
import type { WrittenGroup, WrittenSettings } from "./inventory_schema.ts";
import type { DocumentPath, Locate } from "./issues.ts";
import { cannotUse } from "./load_inventory.ts";
import type { Problem } from "./problems.ts";

const TOP = ["groups", "hosts", "vars"];

/**
 * Reads an inventory in YAML: Carpool's own, or one of Ansible's; undefined for one that nobody named and
 * that is not ours.
 *
 * @throws {JobProblemsError} with everything that is wrong, each with its line and column.
 */
export async function readYamlInventory(
  bytes: Uint8Array,
  file: string,
  named: boolean,
): Promise<InventoryContent | undefined> {
  const [{ readYaml }, { checkWith }, { inventorySchema, optionNames }, { JobProblemsError }] = await Promise
    .all([
      import("./yaml_text.ts"),
      import("./issues.ts"),
      explainMissingPackage(() => import("./inventory_schema.ts")),
      import("./problems.ts"),
    ]);
  const { content, locate } = await readYaml(bytes, file, cannotUse);
  const keys = content !== null && typeof content === "object" ? Object.keys(content) : [];
  const isOurs = keys.some((key) => TOP.includes(key) || nearestName(key, ["groups"]) !== undefined);
  if (!named && !isOurs) return undefined;
  if (!isOurs) {
    const { isAnsibleYaml, readAnsibleYaml } = await import("./inventory_ansible.ts");
    if (isAnsibleYaml(content)) return readAnsibleYaml(content, file, locate);
  }
  const keysAt = (path: DocumentPath): readonly string[] => {
    if (path.length === 0) return TOP;
    const parent = path.at(-2);
    return parent === "hosts"
      ? [...optionNames, "vars"]
      : parent === "groups" || parent === "children"
      ? ["hosts", "children", "vars", ...optionNames]
      : [];
  };
  const checked = checkWith(inventorySchema, content, [], locate, keysAt);
  if (!checked.ok) throw new JobProblemsError(cannotUse, checked.problems);
  const made = new Making(locate);
  for (const [name, group] of Object.entries(checked.value.groups ?? {})) {
    made.group(name, group, ["groups", name]);
  }
  if (checked.value.hosts) made.hosts(checked.value.hosts, ["hosts"]);
  if (checked.value.vars) {
    const all = made.groups.get("all");
    const vars = { ...checked.value.vars, ...all?.vars };
    made.groups.set("all", { members: [], options: {}, ...all, vars });
  }
  made.check();
  if (made.problems.length > 0) throw new JobProblemsError(cannotUse, made.problems);
  return { file, groups: made.groups, hosts: made.settings, isAnsible: false };
}

/** Groups and hosts as they come together from what is written. */
class Making {
  readonly groups = new Map<string, InventoryGroup>();
  readonly settings = new Map<string, InventorySettings>();
  readonly problems: Problem[] = [];
  readonly #places = new Map<string, DocumentPath>();
  /** Groups that are named, and where. */
  readonly #named: { readonly name: string; readonly path: DocumentPath }[] = [];
  readonly #locate: Locate;

  constructor(locate: Locate) {
    this.#locate = locate;
  }

  group(name: string, written: WrittenGroup, path: DocumentPath): void {
    if (this.groups.has(name)) {
      const first = this.#locate(this.#places.get(name)!, "key").where;
      const fix = `the first is at ${first}; name it under children, and define it once`;
      return this.#tell(path, "key", `the group ${JSON.stringify(name)} for the second time`, fix);
    }
    this.#places.set(name, path);
    const members: GroupMember[] = [];
    // In the file's order: a group before those inside it.
    this.groups.set(name, { members, vars: {}, options: {} });
    if (written === null) return;
    if (typeof written === "string" || Array.isArray(written)) {
      members.push(...this.#patterns(written, path));
      return;
    }
    const { hosts, children, ...settings } = written;
    if (hosts !== undefined) {
      if (typeof hosts === "string" || Array.isArray(hosts)) {
        members.push(...this.#patterns(hosts, [...path, "hosts"]));
      } else {
        const names = this.hosts(hosts, [...path, "hosts"]);
        members.push(...names.map((name) => ({ kind: "host", name }) as const));
      }
    }
    const named = typeof children === "string" ? [children] : children ?? [];
    if (Array.isArray(named)) {
      for (const [i, child] of named.entries()) {
        const name = child.replace(/^@/, "");
        const at = typeof children === "string" ? [...path, "children"] : [...path, "children", i];
        this.#named.push({ name, path: at });
        members.push({ kind: "group", name });
      }
    } else {
      for (const [child, inner] of Object.entries(named)) {
        members.push({ kind: "group", name: child });
        this.group(child, inner as WrittenGroup, [...path, "children", child]);
      }
    }
    this.groups.set(name, { members, ...settingsOf(settings) });
  }

  /** Hosts with settings of their own; the names they expand to. */
  hosts(written: Readonly<Record<string, WrittenSettings | null>>, path: DocumentPath): string[] {
    return Object.entries(written).flatMap(([range, settings]) => {
      const names = this.#trying([...path, range], "key", () => {
        refuseAllButHosts(range);
        return expandHostRange(range);
      }) ?? [];
      const { vars, options } = settingsOf(settings ?? {});
      for (const name of names) {
        const known = this.settings.get(name);
        this.settings.set(name, {
          vars: { ...known?.vars, ...vars },
          options: { ...known?.options, ...options },
        });
      }
      return names;
    });
  }

  /** What can only be seen once everything is there. */
  check(): void {
    for (const { name, path } of this.#named) {
      if (this.groups.has(name) || name === "all" || name === "ssh_config" || /[*?]/.test(name)) continue;
      const nearest = nearestName(name, [...this.groups.keys()]);
      const fix = nearest
        ? `did you mean ${nearest}?`
        : `known groups: ${[...this.groups.keys()].join(", ")}`;
      this.#tell(path, "value", `there is no group ${JSON.stringify(name)}`, fix);
    }
    if (this.problems.length > 0) return;
    const circle = circleIn(this.groups);
    if (circle) {
      const why = `the group ${JSON.stringify(circle[0])} contains itself: ${circle.join(" > ")}`;
      this.#tell(this.#places.get(circle[0]!) ?? [], "key", why, "take one of them out");
    }
  }

  #patterns(written: string | readonly string[], path: DocumentPath): GroupMember[] {
    const items = typeof written === "string" ? [written] : written;
    for (const [i, item] of items.entries()) {
      const at = typeof written === "string" ? path : [...path, i];
      this.#trying(at, "value", () => {
        for (const name of namesIn(readHostPattern(item))) {
          const names = expandHostRange(name.replace(/^@/, ""));
          if (name.startsWith("@")) this.#named.push(...names.map((name) => ({ name, path: at })));
        }
      });
    }
    return items.length === 0 ? [] : [{ kind: "pattern", text: items.join(",") }];
  }

  #trying<Value>(path: DocumentPath, of: "value" | "key", work: () => Value): Value | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof CarpoolError)) throw error;
      this.#tell(path, of, [error.where, error.why].filter(Boolean).join(": "), error.fix);
      return undefined;
    }
  }

  #tell(path: DocumentPath, of: "value" | "key", why: string, fix: string | undefined): void {
    this.problems.push({ ...this.#locate(path, of), why, fix });
  }
}

function settingsOf({ vars = {}, ...options }: WrittenSettings): InventorySettings {
  return { vars, options };
}

/** Where settings are given, the key is a host or a range of them. */
function refuseAllButHosts(range: string): void {
  if (!range.startsWith("@") && !/[,&!()*?]/.test(range.replace(/\[[^\]]*\]/g, ""))) return;
  throw new TargetError("bad-host-pattern", {
    what: cannotUse,
    why: `found ${JSON.stringify(range)}, where settings are given to a host or a range`,
    fix: "allowed here: web1, web[01-20]; settings of a group stand in the group",
  });
}
