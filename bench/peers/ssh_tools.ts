/** Tools that start `ssh`: plain, pssh, pdsh and clush, each with its own connections or on ssh's masters. */
import type { World } from "../world/world.ts";
import type { Peer } from "./peer.ts";

/** Options of ssh, of which the tools below pass on whatever they are given. */
export type SshOptions = readonly string[];

/** As ssh_config(5) advises for sharing. A master must outlive a round of everybody else's, and ends with the world. */
export function onMasters(world: World): SshOptions {
  return [
    ...["-o", "ControlMaster=auto", "-o", `ControlPath=${world.home.path}/cm/%C`],
    ...["-o", "ControlPersist=600"],
  ];
}

/** Words, and the environment beside them. */
export interface ToolCall {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly within?: readonly string[];
}

/** The words that run `command` on `hosts`, all at once; the output is not to be labelled where that can be had. */
export function onHosts(
  world: World,
  peer: Peer,
  hosts: readonly string[],
  command: string,
  options: SshOptions = [],
): ToolCall {
  const ssh = ["-F", world.configFile, ...options];
  const width = String(hosts.length);
  switch (peer.id) {
    case "pssh": {
      // Each -X is one word to ssh; -x would be split at blanks.
      const list = hosts.flatMap((host) => ["-H", host]);
      const passed = ssh.flatMap((word) => ["-X", word]);
      return { ...peer, words: [...peer.words, ...list, "-p", width, "-t", "0", "-P", ...passed, command] };
    }
    case "pdsh":
      return {
        ...peer,
        words: [...peer.words, "-R", "ssh", "-S", "-N", "-f", width, "-w", hosts.join(","), command],
        env: { ...peer.env, PDSH_SSH_ARGS_APPEND: ssh.join(" ") },
      };
    case "clush":
      return {
        ...peer,
        words: [
          // It reads options as a configuration file's, where % is doubled.
          ...[...peer.words, "-S", "-N", "-f", width, "-o", ssh.join(" ").replaceAll("%", "%%")],
          ...["-w", hosts.join(","), command],
        ],
      };
  }
  throw new TypeError(`${peer.id} does not start ssh on many hosts`);
}
