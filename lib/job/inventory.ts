import { parseDestination } from "../target/destination.ts";
import { type HostNames, type HostSet, hostsOf, nameOf } from "../target/host_pattern.ts";
import type { TargetOptions } from "../target/target.ts";
import { ansibleOptions } from "./ansible_options.ts";
import {
  type HostVars,
  type InventoryContent,
  type InventorySettings,
  noSettings,
} from "./inventory_content.ts";
import { parentsOf } from "./inventory_groups.ts";

/** A host of a run. */
export interface HostEntry {
  /** A destination as the user or the inventory wrote it, ranges expanded. */
  readonly host: string;
  /** The outermost group that brought it; undefined when it was named itself. */
  readonly group: string | undefined;
  /** Every group it is in, the widest first; `all` is not told. */
  readonly groups?: readonly string[];
  /** Its variables: of its groups, the widest first, then its own. */
  readonly vars?: HostVars;
  /** How the inventory says to connect to it. */
  readonly options?: TargetOptions;
}

/** Groups of hosts, and what is known of each host. */
export class Inventory implements HostNames {
  /** The file, for messages; undefined where there is none. */
  readonly source: string | undefined;
  readonly #content: InventoryContent;
  /** Aliases of ssh_config: the group `@ssh_config`, and names for wildcards. */
  readonly #aliases: readonly string[];
  readonly #members = new Map<string, readonly string[]>();
  #all: readonly string[] | undefined;
  #isOurs: Set<string> | undefined;
  #groupsOfHost: Map<string, string[]> | undefined;

  constructor(content: InventoryContent, aliases: readonly string[] = []) {
    this.#content = content;
    this.#aliases = aliases;
    this.source = content.file;
  }

  /** Whether there is anything in it but aliases of ssh_config. */
  get isEmpty(): boolean {
    return this.#content.groups.size === 0 && this.#content.hosts.size === 0;
  }

  *groupNames(): Generator<string> {
    yield* this.#content.groups.keys();
    if (!this.isEmpty && !this.#content.groups.has("all")) yield "all";
    if (!this.#content.groups.has(SSH_CONFIG)) yield SSH_CONFIG;
  }

  group(name: string): readonly string[] | undefined {
    if (name === "all") return this.isEmpty ? undefined : this.#everyone();
    if (this.#content.groups.has(name)) return this.#membersOf(name, () => this.#everyone(), this.#members);
    if (name === "ungrouped" && this.#content.isAnsible) {
      return [...this.#content.hosts.keys()].filter((host) => !this.#groupsOf(host).length);
    }
    return name === SSH_CONFIG ? this.#aliases : undefined;
  }

  /** Every host of the inventory; undefined where there is none. */
  all(): readonly string[] | undefined {
    return this.isEmpty ? undefined : this.#everyone();
  }

  /** Every host of the inventory, then the aliases of ssh_config. */
  known(): readonly string[] {
    return [...new Set([...this.#everyone(), ...this.#aliases])];
  }

  /** What is known of a host. A typed user and port win over the inventory's. */
  entry(host: string, group: string | undefined): HostEntry {
    const { hosts, isAnsible, file } = this.#content;
    const name = hosts.has(host) || this.#groupsOf(host).length > 0 ? host : nameOf(host);
    const groups = this.#groupsOf(name);
    const settings = [
      this.#content.groups.get("all") ?? noSettings,
      ...groups.map((group) => this.#content.groups.get(group)!),
      hosts.get(name) ?? noSettings,
    ];
    this.#isOurs ??= new Set(this.#everyone());
    if (!this.#isOurs.has(name)) return { host, group };
    const [own, ...theirs] = settings.toReversed();
    const vars = merged([...theirs.reverse().map((one) => varsOf(one, isAnsible)), own!.vars]);
    const options: TargetOptions = isAnsible
      ? ansibleOptions(name, vars, file ?? "the inventory")
      : merged(settings.map((one) => one.options));
    if (name === host) return { host, group, groups, vars, options };
    const typed = parseDestination(host);
    const user = typed.user === undefined ? options.user : undefined;
    const port = typed.port === undefined ? options.port : undefined;
    return { host, group, groups, vars, options: { ...options, user, port } };
  }

  #everyone(): readonly string[] {
    if (this.#all !== undefined) return this.#all;
    const { groups, hosts, isAnsible } = this.#content;
    if (isAnsible) return this.#all = [...hosts.keys()];
    const found = new Set<string>();
    // A group may be made of all others (`!web1`): while all are being found, that adds nobody.
    const members = new Map<string, readonly string[]>();
    for (const name of [...(groups.has("all") ? ["all"] : []), ...groups.keys()]) {
      for (const host of this.#membersOf(name, () => [], members)) found.add(host);
    }
    for (const host of hosts.keys()) found.add(host);
    return this.#all = [...found];
  }

  #membersOf(
    name: string,
    everyone: () => readonly string[],
    known: Map<string, readonly string[]>,
  ): readonly string[] {
    const done = known.get(name);
    if (done !== undefined) return done;
    let found: HostSet = new Map();
    const names: HostNames = {
      source: this.source,
      all: everyone,
      known: () => [...everyone(), ...this.#aliases],
      groupNames: () => [...this.groupNames()].filter((other) => other !== name),
      group: (other) => {
        if (other === "all") return everyone();
        // A group may hold a host of its own name: `db: [db]` means the host.
        if (other === name) return undefined;
        if (!this.#content.groups.has(other)) return other === SSH_CONFIG ? this.#aliases : undefined;
        return this.#membersOf(other, everyone, known);
      },
    };
    const { members } = this.#content.groups.get(name)!;
    for (const [i, member] of members.entries()) {
      if (member.kind === "pattern") {
        found = hostsOf(member.text, names, i === 0 ? undefined : found);
      } else if (member.kind === "host") found.set(member.name, undefined);
      else for (const host of names.group(member.name) ?? []) found.set(host, undefined);
    }
    const hosts = [...found.keys()];
    known.set(name, hosts);
    return hosts;
  }

  /** The groups a host is in, the widest first. */
  #groupsOf(host: string): readonly string[] {
    if (this.#groupsOfHost === undefined) {
      this.#groupsOfHost = new Map();
      for (const name of this.#inOrder()) {
        for (const one of this.#membersOf(name, () => this.#everyone(), this.#members)) {
          const groups = this.#groupsOfHost.get(one);
          if (groups) groups.push(name);
          else this.#groupsOfHost.set(one, [name]);
        }
      }
    }
    return this.#groupsOfHost.get(host) ?? [];
  }

  /** Parents before children, so that a child's settings win; Ansible then goes by priority and name. */
  #inOrder(): readonly string[] {
    const { groups, isAnsible } = this.#content;
    const parents = parentsOf(groups);
    const depths = new Map<string, number>();
    const depth = (name: string): number => {
      let known = depths.get(name);
      if (known === undefined) {
        known = 1 + Math.max(0, ...[...parents.get(name) ?? []].map(depth));
        depths.set(name, known);
      }
      return known;
    };
    const names = [...groups.keys()].filter((name) => name !== "all" && !(isAnsible && name === "ungrouped"));
    const priority = (name: string) => {
      const value = isAnsible ? Number(groups.get(name)!.vars.ansible_group_priority ?? 1) : 1;
      return Number.isFinite(value) ? value : 1;
    };
    const byName = (a: string, b: string) => isAnsible ? (a < b ? -1 : a > b ? 1 : 0) : 0;
    return names.sort((a, b) => depth(a) - depth(b) || priority(a) - priority(b) || byName(a, b));
  }
}

/** The group of the aliases in ssh_config. */
const SSH_CONFIG = "ssh_config";

/** A group's variables; Ansible has one that is about the group alone. */
function varsOf({ vars }: InventorySettings, isAnsible: boolean): HostVars {
  if (!isAnsible || !("ansible_group_priority" in vars)) return vars;
  const { ansible_group_priority: _, ...others } = vars;
  return others;
}

/** The last that says something wins. Not `Object.assign`: a variable may be called `__proto__`. */
function merged(all: readonly object[]): Record<string, unknown> {
  return Object.fromEntries(all.flatMap((one) => Object.entries(one)));
}
