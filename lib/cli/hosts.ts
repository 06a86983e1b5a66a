import { findHosts } from "../job/find_hosts.ts";
import { table } from "../report/table.ts";
import { resolveTarget } from "../target/resolve.ts";
import { helpSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool hosts <pattern…> [options]: what groups, aliases and ranges resolve to; contacts nobody

  --inventory FILE       groups from here instead of inventory.yaml
  --output FORMAT        auto, lines, or json

${targetOptionHelp}

Examples:
  carpool hosts web 'db[1-3]' deploy@gate:2222
  carpool hosts @web --inventory hosts.yaml --output json
`;

const HEADS = ["name", "host", "user", "port", "via", "group"] as const;

/** `carpool hosts`. */
export async function hosts(args: readonly string[]): Promise<number> {
  const specs = [{ name: "inventory", kind: "text" } as const, outputSpec, ...targetOptionSpecs, helpSpec];
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
  for (const { host, group } of await findHosts(patterns, { inventory: line.text("inventory") })) {
    const target = await resolveTarget(host, options);
    const via = target.jumps.map((jump) => jump.where).join(", ") ||
      (target.proxyCommand ? "a ProxyCommand" : null);
    const { user, port } = target;
    rows.push({ name: host, host: target.host, user, port, via, group: group ?? null });
  }
  if (output === "json") write(`${JSON.stringify(rows, null, 2)}\n`, "stdout");
  else write(table(HEADS, rows.map((row) => HEADS.map((head) => row[head]))), "stdout");
  return exitStatus.ok;
}
