import type { FindHostsOptions } from "../job/find_hosts.ts";
import type { CommandLine, OptionSpec } from "./arguments.ts";

/** Options of every command that works on hosts: where groups come from, and which of the hosts are meant. */
export const hostOptionSpecs: readonly OptionSpec[] = [
  { name: "inventory", kind: "text" },
  { name: "limit", kind: "list" },
  { name: "exclude", kind: "list" },
];

/** The lines about them for a command's help. */
export const hostOptionHelp = `\
  --inventory FILE       instead of inventory.yaml: YAML, Ansible's INI or JSON, a program; or ssh_config
  --limit PATTERN        only those of the hosts that it names too; --exclude PATTERN: none of them`;

/** What the options say, as options of `findHosts`. */
export function hostOptionsOf(
  line: CommandLine,
): Pick<FindHostsOptions, "inventory" | "limit" | "exclude"> {
  const [limit, exclude] = [line.list("limit"), line.list("exclude")];
  return {
    inventory: line.text("inventory"),
    limit: limit.length > 0 ? limit : undefined,
    exclude: exclude.length > 0 ? exclude : undefined,
  };
}
