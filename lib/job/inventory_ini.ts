import { nearestName } from "../base/nearest_name.ts";
import type { InventoryContent } from "./inventory_content.ts";
import { AnsibleInventory, expandAnsibleRange, splitPort } from "./inventory_ansible.ts";
import { decodeInventory } from "./inventory_json.ts";
import { cannotUse } from "./load_inventory.ts";
import { JobProblemsError, type Problem } from "./problems.ts";
import { readPythonLiteral } from "./python_literal.ts";
import { splitShellWords } from "./shell_words.ts";

// No library's INI: a line here is a host with variables, a child or an assignment, by the section it stands
// in, and values are Python literals or text.

const SECTION = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/;

const STATES = ["hosts", "children", "vars"];

/**
 * Reads one of Ansible's inventories in INI, as `ansible-inventory` of Ansible 2.14 does.
 *
 * @throws {JobProblemsError} with everything that is wrong, each with its line and column.
 */
export function readIniInventory(bytes: Uint8Array, file: string): InventoryContent {
  const made = new AnsibleInventory();
  const problems: Problem[] = [];
  // deno-lint-ignore no-control-regex -- the ends of lines that Python knows
  const lines = decodeInventory(bytes, file).split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  /** Where a group is declared, and where it is only spoken of. */
  const declared = new Map<string, number>();
  const mentions: {
    readonly name: string;
    readonly line: number;
    readonly column: number;
    readonly of: string;
  }[] = [];
  let group = "ungrouped";
  let state = "hosts";
  for (const [index, whole] of lines.entries()) {
    const line = whole.trim();
    if (line === "" || /^[#;]/.test(line)) continue;
    const column = whole.indexOf(line) + 1;
    const at = { where: `${file}:${index + 1}:${column}`, line: index + 1, column };
    const tell = (why: string, fix: string) => void problems.push({ ...at, why, fix });
    const section = SECTION.exec(line);
    if (section) {
      [, group, state = "hosts"] = section as unknown as [string, string, string | undefined];
      if (!STATES.includes(state)) {
        const near = nearestName(state, STATES);
        tell(
          `the section [${group}:${state}] is of no known kind`,
          near
            ? `did you mean [${group}:${near}]?`
            : `allowed: [${group}], [${group}:children], [${group}:vars]`,
        );
        state = "unknown";
      } else if (state === "vars") mentions.push({ ...at, name: group, of: `${group}:vars` });
      else if (!declared.has(group)) declared.set(group, index);
      made.group(group);
      continue;
    }
    if (line.startsWith("[") && line.endsWith("]") && !/^\[[^\]]*:[^\]]*:/.test(line)) {
      tell(
        `${JSON.stringify(line)} is no section`,
        "write [group], [group:children] or [group:vars], without blanks",
      );
      continue;
    }
    if (state === "hosts") hostLine(line, group, made, tell);
    else if (state === "vars") {
      const [, name, value] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
      if (name === undefined) {
        tell(`found ${JSON.stringify(line)} in a section of variables`, "name=value is allowed");
      } else made.group(group).vars[name.trim()] = valueOf(value!.trim());
    } else if (state === "children") {
      const [, child] = /^([^:\]\s]+)\s*(?:#.*)?$/.exec(line) ?? [];
      if (child === undefined) {
        tell(`found ${JSON.stringify(line)} among the children`, "the name of a group is allowed");
      } else {
        mentions.push({ ...at, name: child, of: `${group}:children` });
        made.nest(group, child);
      }
    }
  }
  for (const { name, line, column, of } of mentions) {
    if (declared.has(name) || name === "all" || name === "ungrouped") continue;
    const nearest = nearestName(name, [...declared.keys()]);
    problems.push({
      where: `${file}:${line}:${column}`,
      line,
      column,
      why: `[${of}] speaks of the group ${JSON.stringify(name)}, which is not there`,
      fix: nearest ? `did you mean ${nearest}?` : `give it a section: [${name}]`,
    });
  }
  if (problems.length > 0) throw new JobProblemsError(cannotUse, problems);
  return made.done(file, (name) => {
    const line = (declared.get(name) ?? 0) + 1;
    return { where: `${file}:${line}:1`, line, column: 1 };
  });
}

function hostLine(
  line: string,
  group: string,
  made: AnsibleInventory,
  tell: (why: string, fix: string) => void,
): void {
  const words = splitShellWords(line, { comments: true });
  if (words === undefined) return tell("a quote is not closed", "close it");
  const [pattern = "", ...assignments] = words;
  const vars: Record<string, unknown> = {};
  for (const word of assignments) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    if (name === undefined) {
      return tell(`found ${JSON.stringify(word)} behind a host`, "name=value is allowed; one host to a line");
    }
    vars[name] = valueOf(value!);
  }
  if (pattern.endsWith(":")) {
    return tell(
      `the host ${JSON.stringify(pattern)} ends with a colon`,
      "a port may follow it, as in web1:2222",
    );
  }
  if (pattern === "---") return tell("found ---, which begins a YAML file", "give the file the ending .yaml");
  const { name, port } = splitPort(pattern);
  if (port !== undefined) vars.ansible_port ??= port;
  class Bad extends Error {}
  try {
    const hosts = expandAnsibleRange(name, (why) => {
      throw new Bad(why);
    });
    for (const host of hosts) made.put(host, group, vars);
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    tell(`the host ${JSON.stringify(pattern)}: ${error.message}`, "write ranges like web[01:20] or db[a:f]");
  }
}

function valueOf(text: string): unknown {
  const literal = readPythonLiteral(text);
  return literal === undefined ? text : literal.value;
}
