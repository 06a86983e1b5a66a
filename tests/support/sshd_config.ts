/** The configuration of a test's sshd. */
import { join } from "@std/path";
import { quoteArgument } from "./sshd_client.ts";
import type { SshdLayout, SshdOptions } from "./sshd_layout.ts";

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
  const path = [join(layout.dir, "server", "bin"), "/usr/local/bin", "/usr/bin", "/bin"].join(":");
  const found = options.programs?.length ? { PATH: path } : {};
  const variables = { ...accountEnv(layout), ...found, ...options.setEnv };
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
