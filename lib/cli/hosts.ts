import { findHosts, optionsFor } from "../job/find_hosts.ts";
import type { HostEntry } from "../job/inventory.ts";
import { table } from "../report/table.ts";
import { resolveTarget } from "../target/resolve.ts";
import type { TargetOptions } from "../target/target.ts";
import { helpSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool hosts [options] <pattern…>: what groups, aliases, ranges and inventories come to; contacts nobody

A pattern is a destination, a range web[01-20] (steps [01-20:2], letters [a-c], lists [1,3,7-9]), a group
@web (or web), a name with * and ?, all, or @ssh_config; a,b is both, a&b what is in both, a!b what is in
a and not in b. & and ! between two names come before the comma; behind a comma they are about all that
stands before it. ( ) group.

${hostOptionHelp}
  --output FORMAT        auto, lines, or json (with groups, variables and connection options)

${targetOptionHelp}

Examples:
  carpool hosts 'web[01-20],!web07' 'db[1-3]' deploy@gate:2222
  carpool hosts '@web&@berlin' --inventory hosts.ini --output json
  carpool hosts all --inventory ./from_the_cloud.py
`;

const HEADS = ["name", "host", "user", "port", "via", "groups"] as const;

/** `carpool hosts`. */
export async function hosts(args: readonly string[]): Promise<number> {
  const specs = [...hostOptionSpecs, outputSpec, ...targetOptionSpecs, helpSpec];
  const line = await readArguments("hosts", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const patterns = [...line.words, ...line.rest];
  if (patterns.length === 0) throw usage("hosts", "hosts", "it needs a pattern", "carpool hosts <pattern…>");
  const output = outputOf("hosts", line);
  const options = targetOptionsOf("hosts", line);
  const rows = [];
  for (const entry of await findHosts(patterns, { ...hostOptionsOf(line), configFile: options.configFile })) {
    rows.push(await rowOf(entry, options));
  }
  if (output === "json") write(`${JSON.stringify(rows, null, 2)}\n`, "stdout");
  else {
    const shown = rows.map((row) => ({ ...row, groups: row.groups.join(" ") || null }));
    write(table(HEADS, shown.map((row) => HEADS.map((head) => row[head]))), "stdout");
  }
  return exitStatus.ok;
}

async function rowOf(entry: HostEntry, options: TargetOptions) {
  const target = await resolveTarget(entry.host, optionsFor(entry, options));
  const via = target.jumps.map((jump) => jump.where).join(", ") ||
    (target.proxyCommand ? "a ProxyCommand" : null);
  const { host, user, port } = target;
  return {
    name: entry.host,
    ...{ host, user, port, via },
    group: entry.group ?? null,
    groups: entry.groups ?? [],
    options: entry.options ?? {},
    vars: JSON.parse(
      JSON.stringify(entry.vars ?? {}, (name, value) => SECRET.test(name) ? "…" : value),
    ) as Record<string, unknown>,
  };
}

/** Inventories hold passwords: what is called like one is not shown. */
const SECRET = /pass(word|wd|phrase)?$|_pass(word)?_|secret|token|api_?key|credential|vault/i;
