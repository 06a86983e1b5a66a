import { systemWhy } from "../base/system_why.ts";
import type { ConnectOptions } from "../host/connect.ts";
import { plainText } from "../report/plain_text.ts";
import { type CommandLine, numberOf, type OptionSpec, usage } from "./arguments.ts";
import { write } from "./write.ts";

/** Options of every command that reaches a host; the letters mean what they mean to ssh. */
export const targetOptionSpecs: readonly OptionSpec[] = [
  { name: "config", letter: "F", kind: "text" },
  { name: "identity", letter: "i", kind: "list" },
  { name: "jump", letter: "J", kind: "text" },
  { name: "user", letter: "l", kind: "text" },
  { name: "option", letter: "o", kind: "list" },
  { name: "port", letter: "p", kind: "text" },
  { name: "socket", letter: "S", kind: "text" },
  { name: "agent", letter: "A", kind: "flag" },
  { name: "no-share", kind: "flag" },
  { name: "fresh", kind: "flag" },
  { name: "via", kind: "text" },
  { name: "verbose", letter: "v", kind: "flag" },
];

/** The lines about them for a command's help. */
export const targetOptionHelp = `\
Connecting, as in ssh:
  -F, --config FILE      this ssh_config instead of the user's and the system's
  -i, --identity FILE    a private key; may be given again
  -J, --jump HOST,…      reach the host through these
  -l, --user NAME        log in as
  -p, --port N           connect to this port
  -o, --option K=VALUE   any option of ssh_config; may be given again
  -S, --socket PATH      the control socket of a live master; none: do not share
      --no-share         a connection of this command's own (also --fresh)
  -A, --agent            forward the agent
      --via HOW          ssh2, openssh (the installed ssh), or auto: ssh2 unless the login needs OpenSSH
  -v, --verbose          say more`;

/** The same in short, for a command that has enough to say of its own. */
export const targetOptionHint =
  "Connecting, as in ssh: -F -i -J -l -p -o -S -A -v, --no-share, --via; see carpool exec --help";

/** Keys that were said to be missing: once is enough, however many hosts there are. */
const told = new Set<string>();

/** Says of every key named with -i that is not there that it is not, as ssh does: others are tried then. */
function warnOfMissing(identities: readonly string[]): void {
  for (const file of identities) {
    const why = whyMissing(file);
    if (why === undefined || told.has(file)) continue;
    told.add(file);
    write(`carpool: warning: Identity file ${plainText(file)} not accessible: ${why}\n`, "stderr");
  }
}

/** Why a key named with -i cannot be looked at; undefined where it can, or where only the connection knows its name. */
export function whyMissing(file: string): string | undefined {
  const path = file.startsWith("~/") ? `${Deno.env.get("HOME") ?? "~"}${file.slice(1)}` : file;
  if (file === "none" || file.includes("%") || path.startsWith("~")) return undefined;
  try {
    Deno.statSync(path);
    return undefined;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? undefined : systemWhy(error);
  }
}

/** What the options say, as options of `connect`. */
export function targetOptionsOf(command: string, line: CommandLine): ConnectOptions {
  const identities = line.list("identity");
  // The doctor has a finding about them.
  if (command !== "doctor") warnOfMissing(identities);
  const lines = line.list("option");
  return {
    configFile: line.text("config"),
    identityFile: identities.length > 0 ? identities : undefined,
    proxyJump: line.text("jump"),
    user: line.text("user"),
    port: numberOf(command, line, "port", 1, 65535),
    configLines: lines.length > 0 ? lines : undefined,
    controlPath: line.text("socket"),
    share: line.flag("no-share") || line.flag("fresh") ? false : undefined,
    forwardAgent: line.flag("agent") ? true : undefined,
    via: viaOf(command, line),
    verbose: line.flag("verbose") || undefined,
  };
}

function viaOf(command: string, line: CommandLine): ConnectOptions["via"] {
  const via = line.text("via");
  if (via === undefined || via === "auto" || via === "ssh2" || via === "openssh") return via;
  throw usage(command, "--via", `found ${JSON.stringify(via)}; auto, ssh2 or openssh is allowed`);
}
