/** Lines of the table that several workloads have in common. */
import type { Contender, Measurement } from "../method/workload.ts";
import { failed, type World } from "../world/world.ts";
import { playbook, type PlaybookTask } from "./ansible.ts";
import { type ClientRun, clientRun } from "./client_run.ts";
import { type LibraryTask, libraryWords } from "./libraries.ts";
import { PEER_NAMES } from "./names.ts";
import { peerContender, type PeerId, type Peers } from "./peer.ts";
import { onHosts, type SshOptions } from "./ssh_tools.ts";

/** Everything of a run but what is run. */
export type RunFrame = Omit<ClientRun, "words" | "script" | "args" | "within" | "env">;

/** Runs `"$@"` so many times, one after the other, as a script would; stops at the first that fails. */
export function repeat(count: number): string {
  return `n=${count}; while [ "$n" -gt 0 ]; do "$@" || exit; n=$((n-1)); done`;
}

/** Words as they are, `count` times in a row. */
export function wordsLine(
  world: World,
  name: string,
  words: readonly string[],
  frame: RunFrame,
  count = 1,
): Contender {
  return { name, measure: () => clientRun(world, { ...frame, words, script: repeat(count) }) };
}

/** pssh, pdsh and clush: one call for each command, `count` of them. */
export function toolLines(
  world: World,
  peers: Peers,
  hosts: readonly string[],
  task: {
    readonly command: string;
    readonly count: number;
    readonly options?: SshOptions;
    readonly suffix: string;
  },
  frame: RunFrame,
): Contender[] {
  return (["pssh", "pdsh", "clush"] as const).map((id) =>
    peerContender(peers[id], `${PEER_NAMES[id]}, ${task.suffix}`, (peer) =>
      clientRun(world, {
        ...frame,
        ...onHosts(world, peer, hosts, task.command, task.options),
        script: repeat(task.count),
      }))
  );
}

/** Ansible without and with Mitogen. */
export function playbookLines(
  world: World,
  peers: Peers,
  hosts: readonly string[],
  tasks: readonly PlaybookTask[],
  frame: RunFrame,
): Contender[] {
  return (["ansible", "mitogen"] as const).map((id) =>
    peerContender(peers[id], PEER_NAMES[id], async (peer) => {
      // Its exit status tells of failures; that every task ran on every host, its recap.
      const check: ClientRun["check"] = (result) => {
        const good = [...result.stdout.matchAll(/ok=(\d+)/g)].filter(([, ok]) => Number(ok) === tasks.length);
        if (good.length !== hosts.length) throw failed(peer.id, result.stdout.slice(-500));
        return frame.check?.(result);
      };
      const call = await playbook(world, peer, hosts, tasks);
      // It tells of failures on standard output.
      const script = '"$@" >"$HOME/ansible.out" || { tail -n 20 "$HOME/ansible.out" >&2; exit 1; }; ' +
        'cat "$HOME/ansible.out"';
      return await clientRun(world, { ...frame, ...call, script, check });
    })
  );
}

/** Programs on libraries; `which` says on which, for not all do everything. */
export function libraryLines(
  world: World,
  peers: Peers,
  hosts: readonly string[],
  task: LibraryTask,
  frame: RunFrame,
  { which = ["asyncssh", "paramiko", "ssh2"], suffix = "" }: {
    readonly which?: readonly ("asyncssh" | "paramiko" | "ssh2")[];
    readonly suffix?: string;
  } = {},
): Contender[] {
  return which.map((id: PeerId) =>
    peerContender(peers[id], PEER_NAMES[id] + suffix, (peer) =>
      clientRun(world, {
        ...frame,
        words: libraryWords(world, peer, hosts, task),
        env: peer.env,
        check: (result) => frame.check?.(result) ?? JSON.parse(result.stdout),
      }))
  );
}

/**
 * Several lines from one measurement, which gives a value for each: whichever line has its turn first measures, the
 * others take theirs from it.
 */
export function severalLines(
  heads: readonly Omit<Contender, "measure">[],
  measure: (() => Promise<readonly Measurement[]>) | undefined,
): Contender[] {
  const waiting = heads.map((): Promise<readonly Measurement[]>[] => []);
  return heads.map((head, line) => ({
    ...head,
    measure: measure && (async () => {
      const known = waiting[line].shift();
      if (known) return (await known)[line];
      const all = measure();
      for (const [other, queue] of waiting.entries()) if (other !== line) queue.push(all);
      return (await all)[line];
    }),
  }));
}

/** The words of a program of `contenders/` that is Carpool's own, with its options in JSON. */
export function carpoolProgram(world: World, name: string, options: object): string[] {
  const program = new URL(`../contenders/${name}`, import.meta.url).pathname;
  const given = JSON.stringify({ configFile: world.configFile, warmUp: 0, ...options });
  // The same flags as the command, its own module replaced.
  return [...world.carpool().slice(0, -1), program, given];
}
