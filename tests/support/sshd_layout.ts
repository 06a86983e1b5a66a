/** The files of a test's sshd: keys, accounts, homes, and its programs where its user can reach them. */
import { basename, dirname, join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { groupFile, passwdFile } from "./accounts.ts";
import { LogFile } from "./log_file.ts";
import type { OpenSsh } from "./openssh.ts";
import { exposeTool } from "./public_files.ts";
import type { Tool } from "./tools.ts";

/** The uid that sshd and its sessions get when root calls. */
export const OTHER_UID = 20022;

export type HostKeyType = "ed25519" | "rsa" | "ecdsa";

export interface SshdOptions {
  /** An address in 127.0.0.0/8; default 127.0.0.1. */
  readonly host?: string;
  /** Several addresses at once, all on the same port, cheaply: 16 of them share a process. */
  readonly hosts?: readonly string[];
  /** Further lines for sshd_config, before ours (the first value wins); `Match` blocks go to its end. */
  readonly config?: readonly string[];
  /** The accounts' login shell; default /bin/sh. */
  readonly loginShell?: string | LoginShell;
  /** Default: ed25519 alone. */
  readonly hostKeyTypes?: readonly HostKeyType[];
  /** Names of the accounts; default `["tester"]`. All have the same uid, the only one that sshd can serve. */
  readonly users?: readonly string[];
  /** Turns password authentication on, with this password. */
  readonly password?: string;
  /** Patterns of variables that clients may set, as in AcceptEnv. */
  readonly acceptEnv?: readonly string[];
  /** Variables of every session. A SetEnv line in `config` would hide the account from the session's programs. */
  readonly setEnv?: Readonly<Record<string, string>>;
  /** Programs that sessions find first in their PATH, unpacked ones with what they need: `[await provide("rsync")]`. */
  readonly programs?: readonly Tool[];
  /** A program and its arguments that starts sshd, whose words follow, and stays its parent. */
  readonly within?: readonly string[];
  /** Default VERBOSE, the least that lets connections and sessions be counted. */
  readonly logLevel?: "VERBOSE" | "DEBUG" | "DEBUG2" | "DEBUG3";
}

/** A program as a login shell: with `applet` it is called as `program applet …`. */
export interface LoginShell {
  readonly tool: Tool;
  readonly applet?: string;
}

/** Where everything of one server lies. */
export interface SshdLayout {
  readonly dir: string;
  readonly openssh: OpenSsh;
  readonly hosts: readonly string[];
  readonly users: readonly string[];
  readonly uid: number;
  readonly sshd: Tool;
  readonly sftpServer: string;
  readonly nssWrapper: string;
  readonly authorizedKeysFile: string;
  readonly hostKeyFiles: readonly string[];
  readonly identityFile: string;
  readonly log: LogFile;
}

/** Makes them below `dir`. */
export async function layOut(dir: string, tools: OpenSsh, options: SshdOptions): Promise<SshdLayout> {
  const caller = Deno.uid() ?? 0;
  const uid = caller === 0 ? OTHER_UID : caller;
  const gid = caller === 0 ? OTHER_UID : Deno.gid() ?? uid;
  const users = options.users ?? ["tester"];
  const [server, client] = [join(dir, "server"), join(dir, "client")];
  await Deno.mkdir(client, { mode: 0o700 });
  const identityFile = join(client, "id_ed25519");
  await generateKey(tools, "ed25519", identityFile);

  for (const path of [server, join(dir, "home")]) await Deno.mkdir(path, { mode: 0o755 });
  for (const user of users) await Deno.mkdir(join(dir, "home", user), { mode: 0o755 });
  const types = options.hostKeyTypes ?? ["ed25519"];
  const hostKeyFiles = types.map((type) => join(server, `ssh_host_${type}_key`));
  await Promise.all(types.map((type, i) => generateKey(tools, type, hostKeyFiles[i])));
  const authorizedKeysFile = join(server, "authorized_keys");
  await Deno.copyFile(`${identityFile}.pub`, authorizedKeysFile);

  const needsExposure = uid !== caller;
  const expose = (tool: Tool) => exposeTool(tool, join(dir, "tools"), needsExposure);
  const shell = await loginShellPath(options.loginShell ?? "/bin/sh", server, expose);
  const programs = options.programs ?? [];
  if (programs.length > 0) await Deno.mkdir(join(server, "bin"), { mode: 0o755 });
  for (const program of programs) {
    await writeWrapper(join(server, "bin", basename(program.path)), await expose(program));
  }
  const accounts = { users, uid, gid, shell, homes: join(dir, "home"), password: options.password };
  await Deno.writeTextFile(join(server, "passwd"), await passwdFile(accounts));
  await Deno.writeTextFile(join(server, "group"), await groupFile(accounts));
  const log = new LogFile(join(dir, "sshd.log"));
  await Deno.writeTextFile(log.path, "");

  if (needsExposure) {
    for (const path of [server, ...walk(server), ...walk(join(dir, "home")), log.path]) {
      await Deno.chown(path, uid, gid);
    }
  }
  const sshd = await expose({ path: tools.sshd, env: tools.serverEnv, root: tools.serverRoot });
  const unpackedSftp = tools.serverRoot !== undefined && tools.sftpServer.startsWith(tools.serverRoot);
  const sftpServer = unpackedSftp
    ? sshd.root + tools.sftpServer.slice(tools.serverRoot.length)
    : tools.sftpServer;
  const nssTool = { path: tools.nssWrapper, env: {}, root: dirname(tools.nssWrapper) };
  const nssWrapper = (await expose(nssTool)).path;
  return {
    ...{ dir, openssh: tools, hosts: options.hosts ?? [options.host ?? "127.0.0.1"], users, uid, sshd },
    ...{ sftpServer, nssWrapper, authorizedKeysFile, hostKeyFiles, identityFile, log },
  };
}

async function loginShellPath(
  shell: string | LoginShell,
  server: string,
  expose: (tool: Tool) => Promise<Tool>,
): Promise<string> {
  if (typeof shell === "string") return shell;
  const tool = await expose(shell.tool);
  if (!shell.applet && Object.keys(tool.env).length === 0) return tool.path;
  const wrapper = join(server, "login-shell");
  await writeWrapper(wrapper, tool, shell.applet);
  return wrapper;
}

/** sshd gives a session none of its own environment, so what an unpacked program needs is set in between. */
async function writeWrapper(file: string, { path, env }: Tool, applet = ""): Promise<void> {
  const lines = Object.entries(env).map(([name, value]) => `${name}='${value}'; export ${name}`);
  const script = ["#!/bin/sh", ...lines, `exec '${path}' ${applet} "$@"`];
  await Deno.writeTextFile(file, script.join("\n") + "\n", { mode: 0o755 });
}

async function generateKey(tools: OpenSsh, type: HostKeyType, file: string): Promise<void> {
  const command = new Deno.Command(tools.sshKeygen, {
    args: ["-q", "-t", type, "-N", "", "-C", "carpool-test", "-f", file],
    env: { ...tools.env },
    stdin: "null",
  });
  const { success, stderr } = await command.output();
  if (!success) throw startFailed(new TextDecoder().decode(stderr));
}

function* walk(dir: string): Generator<string> {
  for (const entry of Deno.readDirSync(dir)) yield join(dir, entry.name);
}

/** Says why there is no server. */
export function startFailed(why: string): CarpoolError {
  return new CarpoolError("no-sshd", {
    what: "Cannot start sshd for a test",
    where: "127.0.0.0/8",
    why: why.trim(),
    fix: "read its log above; removing the project's .cache folder fetches it anew",
  });
}
