/** What a client needs to reach a test's sshd. */
import { join } from "@std/path";
import type { SshdLayout } from "./sshd_layout.ts";

/** Writes known_hosts and ssh_config. */
export async function sshClientFiles(
  layout: SshdLayout,
  port: number,
): Promise<{ configFile: string; knownHostsFile: string }> {
  const knownHostsFile = join(layout.dir, "client", "known_hosts");
  const keys = await Promise.all(layout.hostKeyFiles.map((file) => Deno.readTextFile(`${file}.pub`)));
  const names = layout.hosts.map((host) => port === 22 ? host : `[${host}]:${port}`);
  const known = keys.flatMap((key) => {
    const [type, blob] = key.split(" ");
    return names.map((name) => `${name} ${type} ${blob}\n`);
  });
  await Deno.writeTextFile(knownHostsFile, known.join(""), { mode: 0o600 });

  const configFile = join(layout.dir, "client", "config");
  const aliases = layout.hosts.flatMap((host, i) => [
    `Host ${i === 0 ? "test " : ""}test${i + 1}`,
    `  HostName ${host}`,
  ]);
  const lines = [
    ...aliases,
    "Host *",
    `  Port ${port}`,
    `  User ${layout.users[0]}`,
    `  IdentityFile ${quoteArgument(layout.identityFile)}`,
    "  IdentitiesOnly yes",
    "  StrictHostKeyChecking yes",
    `  UserKnownHostsFile ${quoteArgument(knownHostsFile)}`,
    "  GlobalKnownHostsFile none",
    "  ControlPath none",
  ];
  await Deno.writeTextFile(configFile, lines.join("\n") + "\n", { mode: 0o600 });
  return { configFile, knownHostsFile };
}

/** Quotes one argument of ssh_config or sshd_config, where a blank would end it. */
export function quoteArgument(argument: string): string {
  return /[\s"#\\]/.test(argument) ? `"${argument.replace(/["\\]/g, "\\$&")}"` : argument;
}
