import type { GroupMember, InventoryContent, InventorySettings } from "./inventory_content.ts";
import { circleIn } from "./inventory_groups.ts";
import type { DocumentPath, Locate } from "./issues.ts";
import { cannotUse } from "./load_inventory.ts";
import { describeValue, JobProblemsError, type Problem } from "./problems.ts";

interface Group {
  readonly members: GroupMember[];
  readonly vars: Record<string, unknown>;
  readonly options: Record<string, never>;
}

/** Groups and hosts in Ansible's way, as they come together from whatever they are written in. */
export class AnsibleInventory {
  readonly groups = new Map<string, Group>();
  readonly hosts = new Map<string, InventorySettings & { readonly vars: Record<string, unknown> }>();

  /** A group, made when it is first spoken of. */
  group(name: string): Group {
    let group = this.groups.get(name);
    if (!group) this.groups.set(name, group = { members: [], vars: {}, options: {} });
    return group;
  }

  /** A host, in no group yet. */
  host(name: string, vars: Readonly<Record<string, unknown>> = {}): void {
    const known = this.hosts.get(name);
    if (known) Object.assign(known.vars, vars);
    else this.hosts.set(name, { vars: { ...vars }, options: {} });
  }

  /** Puts a host into a group; in `all` and `ungrouped` it is anyway. */
  put(host: string, group: string, vars: Readonly<Record<string, unknown>> = {}): void {
    this.host(host, vars);
    const { members } = this.group(group);
    if (group !== "all" && group !== "ungrouped") members.push({ kind: "host", name: host });
  }

  nest(parent: string, child: string): void {
    this.group(child);
    const { members } = this.group(parent);
    if (parent !== "all") members.push({ kind: "group", name: child });
  }

  /** @throws {JobProblemsError} for a group that contains itself. */
  done(
    file: string,
    placeOf: (group: string) => Pick<Problem, "where" | "line" | "column">,
  ): InventoryContent {
    const circle = circleIn(this.groups);
    if (circle) {
      const why = `the group ${JSON.stringify(circle[0])} contains itself: ${circle.join(" > ")}`;
      throw new JobProblemsError(cannotUse, [{ ...placeOf(circle[0]!), why, fix: "take one of them out" }]);
    }
    this.groups.delete("ungrouped");
    return { file, groups: this.groups, hosts: this.hosts, isAnsible: true };
  }
}

/**
 * The hosts a range of Ansible's stands for: `web[01:20]`, `db[a:f]`, `web[1:9:2]`; several brackets, the
 * first counts slowest.
 *
 * @param fail Called with why a range cannot be read.
 */
export function expandAnsibleRange(text: string, fail: (why: string) => never): string[] {
  const open = text.indexOf("[");
  if (open < 0) return [text];
  const close = text.indexOf("]", open);
  if (close < 0) fail("a [ has no ] after it");
  const [head, tail] = [text.slice(0, open), text.slice(close + 1)];
  const bounds = text.slice(open + 1, close).split(":");
  const [from = "", to = "", step = "1"] = bounds;
  if (bounds.length < 2 || bounds.length > 3 || to === "") {
    fail(`${JSON.stringify(text.slice(open, close + 1))} is no range`);
  }
  const by = /^\d{1,9}$/.test(step) ? Number(step) : 0;
  if (by === 0) fail(`the step ${JSON.stringify(step)} is no whole number from 1`);
  const values = /^[A-Za-z]$/.test(from) && /^[A-Za-z]$/.test(to)
    ? letters(from, to, by, fail)
    : numbers(from || "0", to, by, fail);
  // Ansible itself has no limit; nobody means more.
  if (values.length > 100_000) fail("it stands for more than 100000 hosts");
  return values.flatMap((value) => {
    const host = head + value;
    return tail.includes("[") ? expandAnsibleRange(host + tail, fail) : [host + tail];
  });
}

function numbers(from: string, to: string, by: number, fail: (why: string) => never): string[] {
  if (!/^\d{1,9}$/.test(from) || !/^\d{1,9}$/.test(to)) {
    fail(`${from}:${to} is no range of numbers or letters`);
  }
  const padded = from.length > 1 && from.startsWith("0");
  if (padded && from.length !== to.length) fail(`${from}:${to} has ends of different length`);
  const width = padded ? from.length : 1;
  const count = Math.floor((Number(to) - Number(from)) / by) + 1;
  if (count > 100_000) fail("it stands for more than 100000 hosts");
  return Array.from(
    { length: Math.max(0, count) },
    (_, i) => String(Number(from) + i * by).padStart(width, "0"),
  );
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

function letters(from: string, to: string, by: number, fail: (why: string) => never): string[] {
  const [first, last] = [LETTERS.indexOf(from), LETTERS.indexOf(to)];
  if (first > last) fail(`the range ${from}:${to} runs backwards`);
  return [...LETTERS.slice(first, last + 1)].filter((_, i) => i % by === 0);
}

const KEYS = ["hosts", "children", "vars"];

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Whether this looks like one of Ansible's inventories in YAML: groups at the top, with hosts, children, vars. */
export function isAnsibleYaml(content: unknown): boolean {
  return isMap(content) && Object.keys(content).length > 0 &&
    Object.values(content).every((group) =>
      group === null || (isMap(group) && Object.keys(group).every((key) => KEYS.includes(key)))
    );
}

/** Reads one of Ansible's inventories in YAML. */
export function readAnsibleYaml(content: unknown, file: string, locate: Locate): InventoryContent {
  const made = new AnsibleInventory();
  const problems: Problem[] = [];
  const places = new Map<string, DocumentPath>();
  const tell = (path: DocumentPath, of: "value" | "key", why: string, fix: string) => {
    problems.push({ ...locate(path, of), why, fix });
  };
  const mapOf = (value: unknown, path: DocumentPath): Record<string, unknown> => {
    if (value === null || value === undefined) return {};
    if (isMap(value)) return value;
    tell(path, "value", `found ${describeValue(value)}`, "a map, or nothing, is allowed here");
    return {};
  };
  const group = (name: string, written: unknown, path: DocumentPath) => {
    if (!places.has(name)) places.set(name, path);
    const known = made.group(name);
    const { hosts, children, vars, ...others } = mapOf(written, path);
    for (const key of Object.keys(others)) {
      tell([...path, key], "key", `unknown key ${JSON.stringify(key)}`, `allowed here: ${KEYS.join(", ")}`);
    }
    Object.assign(known.vars, mapOf(vars, [...path, "vars"]));
    for (const [range, settings] of Object.entries(mapOf(hosts, [...path, "hosts"]))) {
      const at = [...path, "hosts", range];
      const fail = (why: string): never => {
        throw new JobProblemsError(cannotUse, [{
          ...locate(at, "key"),
          why,
          fix: "write ranges like web[01:20]",
        }]);
      };
      const { name: text, port } = splitPort(range);
      const vars = { ...(port === undefined ? {} : { ansible_port: port }), ...mapOf(settings, at) };
      for (const host of expandAnsibleRange(text, fail)) made.put(host, name, vars);
    }
    for (const [child, inner] of Object.entries(mapOf(children, [...path, "children"]))) {
      made.nest(name, child);
      group(child, inner, [...path, "children", child]);
    }
  };
  for (const [name, written] of Object.entries(content as Record<string, unknown>)) {
    group(name, written, [name]);
  }
  if (problems.length > 0) throw new JobProblemsError(cannotUse, problems);
  return made.done(file, (name) => locate(places.get(name) ?? [], "key"));
}

/** `web1:2222` as Ansible reads it: one colon outside brackets is a port's, `[::1]:22` an address with one. */
export function splitPort(text: string): { readonly name: string; readonly port: number | undefined } {
  const address = /^\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\](?::(\d+))?$/.exec(text);
  if (address) {
    return { name: address[1]!, port: address[2] === undefined ? undefined : Number(address[2]) };
  }
  const [, name, port] = /^((?:[^:@[\]]|\[[^\]]*\])+):(\d+)$/.exec(text) ?? [];
  return name === undefined ? { name: text, port: undefined } : { name, port: Number(port) };
}
