import { JobFileError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import type { TargetOptions } from "../target/target.ts";
import { sshArguments } from "./ssh_arguments.ts";
import type { HostVars } from "./inventory_content.ts";

/** Ansible's names, older ones behind the one that wins. */
const NAMES = {
  connection: ["ansible_connection"],
  host: ["ansible_ssh_host", "ansible_host"],
  port: ["ansible_ssh_port", "ansible_port"],
  user: ["ansible_ssh_user", "ansible_user"],
  key: ["ansible_ssh_private_key_file", "ansible_private_key_file"],
  args: ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"],
  timeout: ["ansible_ssh_timeout", "ansible_timeout"],
  checking: ["ansible_ssh_host_key_checking", "ansible_host_key_checking"],
} as const;

const SSH = [
  "ssh",
  "smart",
  "paramiko",
  "paramiko_ssh",
  "ansible.builtin.ssh",
  "ansible.builtin.paramiko_ssh",
];

/**
 * How Ansible would connect to a host, as options of `connect`: its connection variables, and what
 * `ansible_ssh_*_args` says.
 *
 * @throws {JobFileError} for a connection that is not ssh, and for a variable that cannot be understood.
 */
export function ansibleOptions(host: string, vars: HostVars, file: string): TargetOptions {
  const fail = (name: string, why: string, fix: string): never => {
    throw new JobFileError({
      what: "Cannot use the inventory",
      where: `${file}: ${host}: ${name}`,
      why,
      fix,
    });
  };
  const text = (names: readonly string[]): string | undefined => {
    const name = names.find((one) => vars[one] !== undefined && vars[one] !== null && vars[one] !== "");
    if (name === undefined) return undefined;
    const value = vars[name];
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      return fail(name, "found a list or a map", "text or a number is allowed");
    }
    return fillIn(
      String(value),
      { ...vars, inventory_hostname: host },
      (why) => fail(name, why, "only {{ name }} of a plain variable can be filled in; write the value out"),
    );
  };
  const connection = text(NAMES.connection);
  if (connection !== undefined && !SSH.includes(connection)) {
    const near = nearestName(connection, ["ssh"]);
    const fix = near ? `did you mean ${near}?` : `leave it out: --exclude ${host}`;
    fail("ansible_connection", `${JSON.stringify(connection)} is not ssh`, fix);
  }
  const port = text(NAMES.port);
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535)) {
    fail("ansible_port", `${JSON.stringify(port)} is no port`, "a port is a number from 1 to 65535");
  }
  const timeout = Number(text(NAMES.timeout));
  const checking = text(NAMES.checking)?.toLowerCase();
  const fromArgs = NAMES.args.map((name) => {
    const line = text([name]);
    return line === undefined ? {} : sshArguments(line, (why, fix) => fail(name, why, fix));
  });
  const known = {
    hostName: text(NAMES.host),
    port: port === undefined ? undefined : Number(port),
    user: text(NAMES.user),
    identityFile: text(NAMES.key),
    connectTimeout: timeout > 0 ? timeout : undefined,
    strictHostKeyChecking: checking === "false" || checking === "no" ? false : undefined,
  };
  return merged([known, ...fromArgs]);
}

/** The first that says something wins, as on ssh's command line; lists are joined. */
function merged(all: readonly TargetOptions[]): TargetOptions {
  const result: Record<string, unknown> = {};
  for (const options of all) {
    for (const [name, value] of Object.entries(options)) {
      if (value === undefined) continue;
      if (name === "configLines") result[name] = [...(result[name] as string[] | undefined ?? []), ...value];
      else result[name] ??= value;
    }
  }
  return result;
}

/** `{{ name }}` of variables that are plain text or numbers. */
function fillIn(text: string, vars: HostVars, fail: (why: string) => never, depth = 0): string {
  if (depth > 10) return fail("its variables name each other");
  const filled = text.replace(/\{\{\s*(\w+)\s*\}\}/g, (found, name: string) => {
    const short = String(vars.inventory_hostname).split(".")[0];
    const value = name === "inventory_hostname_short" ? short : vars[name];
    if (typeof value !== "string" && typeof value !== "number") return fail(`${found} is no plain variable`);
    return fillIn(String(value), vars, fail, depth + 1);
  });
  return /\{[{%#]/.test(filled) ? fail("it holds a Jinja expression") : filled;
}
