/** Libraries that programs are written with: each has a small one here that does the same tasks. */
import type { World } from "../world/world.ts";
import type { Peer } from "./peer.ts";

/** What such a program is to do; it prints a report as one line of JSON. Each reads what its mode needs. */
export interface LibraryTask {
  readonly mode: "sequential" | "parallel" | "fleet" | "tree" | "push" | "pull" | "duringBulk" | "duringPush";
  readonly commands?: readonly string[];
  /** Channels on the one connection (`parallel`) or hosts (`fleet`) at once. */
  readonly width?: number;
  readonly local?: string;
  readonly remote?: string;
  /** Short commands to run, idle and again during bulk. */
  readonly count?: number;
  readonly bulk?: string;
  /** Bytes of bulk after which it counts as flowing. */
  readonly afterBytes?: number;
}

/** The words that have a library's program do a task on `hosts` (aliases). */
export function libraryWords(
  world: World,
  peer: Peer,
  hosts: readonly string[],
  task: LibraryTask,
): string[] {
  const { sshd } = world;
  const given = {
    hosts: hosts.map((host) => world.address(host)),
    user: sshd.user,
    identityFile: sshd.identityFile,
    hostKeyFile: sshd.hostKeyFiles[0],
    ...task,
  };
  return [...peer.words, JSON.stringify(given)];
}
