/** What sshd reads: its configuration and its accounts. */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { quoteArgument } from "./sshd_client.ts";
import type { SshdLayout, SshdOptions } from "./sshd.ts";

export async function serverConfig(
  layout: SshdLayout,
  hosts: readonly string[],
  port: number,
  options: SshdOptions,
): Promise<string> {
  const extra = options.config ?? [];
  const match = extra.findIndex((line) => /^\s*match\b/i.test(line));
  const [global, blocks] = match < 0 ? [extra, []] : [extra.slice(0, match), extra.slice(match)];
  const lines = [
    ...hosts.map((host) => `ListenAddress ${host}:${port}`),
    ...global,
    ...layout.hostKeyFiles.map((file) => `HostKey ${file}`),
    `AuthorizedKeysFile ${layout.authorizedKeysFile}`,
    `LogLevel ${options.logLevel ?? "VERBOSE"}`,
    "PidFile none",
    // Needs root, and the system's own configuration.
    "UsePAM no",
    // The temporary directory's parent is writable by all, which strict mode refuses above a key file.
    "StrictModes no",
    `PasswordAuthentication ${options.password === undefined ? "no" : "yes"}`,
    "KbdInteractiveAuthentication no",
    "UseDNS no",
    "PrintMotd no",
    "PrintLastLog no",
    // By default sshd starts dropping connections at random from the tenth unauthenticated one on.
    "MaxStartups 1000",
    `Subsystem sftp ${layout.sftpServer}`,
  ];
  if (options.acceptEnv?.length) lines.push(`AcceptEnv ${options.acceptEnv.join(" ")}`);
  // sshd gives a session none of its own environment; sftp-server, scp and git fail for a uid without an account.
  const variables = { ...accountEnv(layout), ...options.setEnv };
  const setEnv = Object.entries(variables).map(([name, value]) => quoteArgument(`${name}=${value}`));
  // One line: of several SetEnv lines sshd takes the first.
  lines.push(`SetEnv ${setEnv.join(" ")}`);
  return [...lines, ...await versionLines(layout), ...blocks].join("\n") + "\n";
}

/** What lets a program see the accounts of this server. */
export function accountEnv({ dir, nssWrapper }: SshdLayout): Record<string, string> {
  return {
    LD_PRELOAD: nssWrapper,
    NSS_WRAPPER_PASSWD: join(dir, "server", "passwd"),
    NSS_WRAPPER_GROUP: join(dir, "server", "group"),
  };
}

/** Keywords that older servers do not know and newer ones need. */
async function versionLines(layout: SshdLayout): Promise<string[]> {
  const [major, minor] = layout.openssh.serverVersionNumber;
  const lines: string[] = [];
  // From 9.8 on, failed logins of one address are punished by refusing it for a while; tests make many.
  if (major > 9 || (major === 9 && minor >= 8)) lines.push("PerSourcePenalties no");
  if (layout.sshd.root === undefined) return lines;
  // From 9.8 and 10.0 on, sshd runs these by a path that is compiled in.
  for (const [program, keyword] of [["sshd-session", "SshdSessionPath"], ["sshd-auth", "SshdAuthPath"]]) {
    const path = join(layout.sshd.root, "usr/lib/openssh", program);
    if (await Deno.stat(path).then(() => true, () => false)) lines.push(`${keyword} ${path}`);
  }
  return lines;
}

export interface Accounts {
  readonly users: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
  readonly homes: string;
  readonly password?: string;
}

/** The accounts, and `sshd`, without which the server does not start. */
export async function passwdFile({ users, uid, gid, shell, homes, password }: Accounts): Promise<string> {
  const hash = password === undefined ? "x" : await crypt(password);
  const lines = users.map((name) => `${name}:${hash}:${uid}:${gid}:${name}:${join(homes, name)}:${shell}`);
  return [...lines, "root:x:0:0:root:/root:/bin/sh", "sshd:x:20021:20021::/:/usr/sbin/nologin", ""].join(
    "\n",
  );
}

/** sshd hands a terminal to the group `tty`: it must be the one that new terminals have, or it tries to chown. */
export async function groupFile({ users, gid }: Accounts): Promise<string> {
  const mounts = await Deno.readTextFile("/proc/mounts").catch(() => "");
  const tty = /^\S+ \/dev\/pts devpts \S*\bgid=(\d+)/m.exec(mounts)?.[1] ?? gid;
  return `${users[0]}:x:${gid}:\nroot:x:0:\nsshd:x:20021:\ntty:x:${tty}:\n`;
}

/** The hash that crypt(3) understands; perl is the one program on every Debian that can make it. */
async function crypt(password: string): Promise<string> {
  const salt = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  const command = new Deno.Command("perl", {
    args: ["-e", "chomp(my $p = <STDIN>); print crypt($p, $ARGV[0])", `$6$${salt}$`],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(password + "\n"));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const hash = new TextDecoder().decode(stdout);
  if (success && hash.startsWith("$6$")) return hash;
  throw new CarpoolError("no-crypt", {
    what: "Cannot hash the test account's password",
    where: "perl",
    why: new TextDecoder().decode(stderr).trim() || "its crypt() knows no SHA-512",
    fix: "install perl-base",
  });
}
