import { findHosts, optionsFor } from "../job/find_hosts.ts";
import type { HostEntry } from "../job/inventory.ts";
import { openMasterFor } from "../host/connect.ts";
import { type CommandLine, helpSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { exitStatusOfError } from "./failure.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { write } from "./write.ts";
import { plainText } from "../report/plain_text.ts";

const help = `\
carpool open [options] <hosts…>: find or start each host's master, ask here what must be asked, and return

The masters stay for their linger time (ControlPersist, default 10m after the last session), held by a process of
their own: this terminal can be closed.

  -M, --master           bind the control socket at -S PATH (or the ControlPath of ssh_config), for ssh to ride
${hostOptionHelp}

${targetOptionHelp}

Examples:
  carpool open web1
  carpool open -M -S ~/.ssh/cm-web1 web1 && ssh -O check -S ~/.ssh/cm-web1 web1
`;

/** `carpool open`. */
export async function open(args: readonly string[]): Promise<number> {
  const line = await readArguments("open", args, [
    { name: "master", letter: "M", kind: "flag" },
    ...hostOptionSpecs,
    ...targetOptionSpecs,
    helpSpec,
  ]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const patterns = [...line.words, ...line.rest];
  if (patterns.length === 0) throw usage("open", "open", "it needs a host", "carpool open <hosts…>");
  const hosts = await findHosts(patterns, { ...hostOptionsOf(line), configFile: line.text("config") });
  if (line.flag("master") && hosts.length > 1 && line.text("socket") !== undefined) {
    throw usage("open", "-M -S", "one socket is for one host", "name one host, or leave -S out");
  }
  let status: number = exitStatus.ok;
  // One after the other: each may have something to ask.
  for (const host of hosts) status = Math.max(status, await openOne(host, line));
  return status;
}

async function openOne(entry: HostEntry, line: CommandLine): Promise<number> {
  const { host } = entry;
  try {
    const options = optionsFor(entry, targetOptionsOf("open", line));
    const opened = await openMasterFor(host, { ...options, bind: line.flag("master") });
    const how = opened.started
      ? "connected"
      : opened.info.kind === "openssh"
      ? "rides OpenSSH's master"
      : "was open";
    write(`${plainText(host)}: ${how}, ${plainText(opened.controlPath)}\n`, "stdout");
    return exitStatus.ok;
  } catch (error) {
    const status = exitStatusOfError(error);
    if (status !== exitStatus.unreachable) throw error;
    write(`carpool: ${plainText((error as Error).message)}\n`, "stderr");
    return status;
  }
}
