/**
 * Which processes there are, from /proc. Linux only: elsewhere every answer is empty.
 *
 * Deno opens /proc only to programs with all permissions, which tests do not have, so the shell reads it.
 */

/** One process as /proc shows it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** The state letter: `Z` is a zombie, already ended and only waiting to be reaped. */
  readonly state: string;
  readonly name: string;
}

/** Every process; zombies too. */
export function allProcesses(): ProcessInfo[] {
  return parse(shell("cat /proc/[0-9]*/stat"));
}

function parse(stats: string): ProcessInfo[] {
  // The name stands in parentheses and may itself hold blanks and parentheses.
  const found = stats.matchAll(/^(\d+) \((.*)\) ([A-Za-z]) (\d+)/gm);
  return [...found].map(([, pid, name, state, parent]) => ({
    pid: Number(pid),
    name,
    state,
    parent: Number(parent),
  }));
}

/** The living descendants of `pid`, without itself. */
export function processesUnder(pid: number): ProcessInfo[] {
  const all = allProcesses();
  const children = Map.groupBy(all, (process) => process.parent);
  const found: ProcessInfo[] = [];
  const visit = (parent: number) => {
    for (const child of children.get(parent) ?? []) {
      if (child.state !== "Z") found.push(child);
      visit(child.pid);
    }
  };
  visit(pid);
  return found;
}

/**
 * Living processes whose environment or working directory holds `text`: this finds what a session left behind
 * after its parent had gone, when no chain of parents leads to it any more.
 */
export function processesMarked(text: string): number[] {
  const paths = shell(
    `grep -lsF -e "$1" /proc/[0-9]*/environ; find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1*"`,
    text,
  );
  const pids = [...paths.matchAll(/^\/proc\/(\d+)\//gm)].map((match) => Number(match[1]));
  return [...new Set(pids)].filter((pid) => pid !== Deno.pid);
}

/** Those of `pids` that live (a zombie does not). */
export function alive(pids: readonly number[]): number[] {
  if (pids.length === 0) return [];
  const stats = parse(shell(`cat ${pids.map((pid) => `/proc/${pid}/stat`).join(" ")}`));
  return stats.filter(({ state }) => state !== "Z" && state !== "X").map(({ pid }) => pid);
}

/** Sends `signal` to `pid`; that it has ended already is fine. */
export function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Waits until none of `pids` lives. For those that are not our children, only looking again can tell. */
export async function gone(pids: readonly number[]): Promise<void> {
  while (alive(pids).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A process may end, or belong to someone else, between listing it and reading it: errors do not count. */
function shell(script: string, ...args: string[]): string {
  if (Deno.build.os !== "linux") return "";
  const command = new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    cwd: "/",
  });
  return new TextDecoder().decode(command.outputSync().stdout);
}
