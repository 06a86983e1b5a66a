/** How programs are started for a measurement, and what they cost. */

/** As README's alias starts the command: the project's own deno.json lies above lib/cli/main.ts and is found. */
export const CARPOOL_FLAGS = [
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-sys",
];

/** As somebody starts it who has only its URL: nothing of the project's configuration is there. */
export const BY_URL_FLAGS = [...CARPOOL_FLAGS, "--no-config", "--no-lock", "--node-modules-dir=none"];

/**
 * `sh -c loopScript sh COUNT program args…`: runs it COUNT times from a process that is small to fork, as a user's
 * script would, and prints the CPU time of all of them.
 */
export const loopScript =
  'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" </dev/null >/dev/null || exit; n=$((n-1)); done; times';

/** The CPU time of a shell's children in milliseconds, from what `times` prints (in steps of 10 ms). */
export function parseTimes(text: string): number {
  const children = text.trim().split("\n").at(-1) ?? "";
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000,
    0,
  );
}

/** What a process holds and has used so far. */
export interface ProcessUse {
  readonly rssMB: number;
  /** Its share of the memory that several processes share; undefined where the kernel does not tell. */
  readonly pssMB: number | undefined;
  readonly cpuSeconds: number;
}

/** Reads it from /proc, by the shell: Deno opens /proc only to programs with all permissions. Linux only. */
export async function processUse(pid: number): Promise<ProcessUse> {
  const script =
    "cat /proc/$1/stat; getconf CLK_TCK; grep VmRSS /proc/$1/status; grep ^Pss: /proc/$1/smaps_rollup";
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", String(pid)],
    stderr: "null",
  })
    .output();
  const [stat, ticks, ...memory] = new TextDecoder().decode(stdout).trim().split("\n");
  // After the name in parentheses: state is field 3, utime 14, stime 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const megabytes = (name: string) => {
    const line = memory.find((each) => each.startsWith(name));
    return line === undefined ? undefined : Number(/\d+/.exec(line)![0]) / 1024;
  };
  return {
    rssMB: megabytes("VmRSS") ?? NaN,
    pssMB: megabytes("Pss"),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / Number(ticks),
  };
}
