import { JobFileError } from "../base/errors.ts";
import type { InventoryContent } from "./inventory_content.ts";
import { AnsibleInventory } from "./inventory_ansible.ts";
import { jsonMistakeAt } from "./json_place.ts";
import { cannotUse } from "./load_inventory.ts";
import { describeValue } from "./problems.ts";

/** What `ansible-inventory --list` prints for 10,000 hosts with their facts is a few dozen megabytes. */
const MAX_BYTES = 256 * 1024 ** 2;

/** The text of an inventory file. */
export function decodeInventory(bytes: Uint8Array, file: string): string {
  if (bytes.byteLength > MAX_BYTES) {
    throw bad(
      file,
      `it has ${bytes.byteLength} bytes, more than the ${MAX_BYTES} allowed`,
      "is it the right file?",
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw bad(file, "it is not UTF-8 text", "save it as UTF-8", cause);
  }
}

/** An inventory in JSON, and whether it has the variables of its hosts in it. */
export interface JsonInventory {
  readonly made: AnsibleInventory;
  /** False: whoever prints it must be asked for each host (`--host NAME`). */
  readonly hasHostVars: boolean;
}

/**
 * Reads an inventory in JSON: what `ansible-inventory --list` and dynamic inventories of Ansible print, or a
 * plain list of hosts (`["web1", "web2"]`).
 *
 * @throws {JobFileError} naming the place and what is allowed there.
 */
export function readJsonInventory(bytes: Uint8Array, file: string): InventoryContent {
  return readJson(decodeInventory(bytes, file), file).made.done(
    file,
    (group) => ({ where: `${file}: ${group}` }),
  );
}

/** {@linkcode readJsonInventory} of a text, unfinished. */
export function readJson(text: string, file: string): JsonInventory {
  const made = new AnsibleInventory();
  const content = parse(text, file);
  if (Array.isArray(content)) {
    for (const [i, host] of content.entries()) made.host(nameOf(host, `[${i}]`, file));
    return { made, hasHostVars: true };
  }
  if (!isMap(content)) {
    throw bad(file, `found ${describeValue(content)}`, "a map of groups, or a list of hosts, is allowed");
  }
  for (const [name, written] of Object.entries(content)) {
    if (name !== "_meta") readGroup(name, written, made, file);
  }
  const meta = content._meta ?? {};
  const hostVars = isMap(meta) ? meta.hostvars : undefined;
  if (hostVars === undefined) return { made, hasHostVars: false };
  if (!isMap(hostVars)) throw wrong("_meta.hostvars", hostVars, "a map of hosts to their variables", file);
  // Hosts that are in no group stand here alone.
  for (const [host, vars] of Object.entries(hostVars)) {
    if (!isMap(vars)) throw wrong(`_meta.hostvars.${host}`, vars, "a map of variables", file);
    made.host(host, vars);
  }
  return { made, hasHostVars: true };
}

function readGroup(name: string, written: unknown, made: AnsibleInventory, file: string): void {
  made.group(name);
  const group = Array.isArray(written) ? { hosts: written } : written;
  if (!isMap(group)) throw wrong(name, group, "a list of hosts, or a map with hosts, children, vars", file);
  const { hosts = [], children = [], vars = {} } = group;
  if (!["hosts", "children", "vars"].some((key) => key in group) && Object.keys(group).length > 0) {
    // A host of the group's own name with these variables: an old short form of Ansible's.
    made.put(name, name);
    Object.assign(made.group(name).vars, group);
    return;
  }
  if (!Array.isArray(hosts)) throw wrong(`${name}.hosts`, hosts, "a list of hosts", file);
  if (!Array.isArray(children)) throw wrong(`${name}.children`, children, "a list of groups", file);
  if (!isMap(vars)) throw wrong(`${name}.vars`, vars, "a map of variables", file);
  for (const [i, host] of hosts.entries()) made.put(nameOf(host, `${name}.hosts[${i}]`, file), name);
  for (const [i, child] of children.entries()) made.nest(name, nameOf(child, `${name}.children[${i}]`, file));
  Object.assign(made.group(name).vars, vars);
}

function nameOf(value: unknown, where: string, file: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw wrong(where, value, "a name", file);
}

/** JSON, with the line and column of what is wrong with it. */
function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const offset = jsonMistakeAt(text);
    const before = text.slice(0, offset).split("\n");
    const [line, column] = [before.length, before.at(-1)!.length + 1];
    const why = message
      .replace(/ (in JSON )?at position.*$/s, "").replace(/, (\.\.\.)?".*is not valid JSON$/s, "");
    throw new JobFileError({
      what: cannotUse,
      where: `${file}:${line}:${column}`,
      why: text.trim() === "" ? "it is empty" : `it is no JSON: ${why}`,
      fix: "a map of groups, or a list of hosts, is allowed",
      line,
      column,
      cause,
    });
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function wrong(where: string, found: unknown, allowed: string, file: string): JobFileError {
  return bad(`${file}: ${where}`, `found ${describeValue(found)}`, `${allowed} is allowed`);
}

function bad(where: string, why: string, fix: string, cause?: unknown): JobFileError {
  return new JobFileError({ what: cannotUse, where, why, fix, cause });
}
