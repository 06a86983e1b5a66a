/** CPU time of processes that are not the runner's children, from /proc, read by the shell. Linux only. */
import { processesMarked, processesUnder } from "../../tests/support/processes.ts";
import type { World } from "../world/world.ts";

/** Seconds that `pids` and those of their children that have ended used so far. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  if (pids.length === 0) return 0;
  const script = 'getconf CLK_TCK; cat "$@" 2>/dev/null; true';
  const stats = pids.map((pid) => `/proc/${pid}/stat`);
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ...stats],
    stderr: "null",
  }).output();
  const [ticks, ...lines] = new TextDecoder().decode(stdout).trim().split("\n");
  // After the name in parentheses: utime 14, stime 15, and of children that were waited for cutime 16, cstime 17.
  return lines.reduce((sum, line) => {
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return sum + fields.slice(11, 15).reduce((all, field) => all + Number(field), 0) / Number(ticks);
  }, 0);
}

/** Processes of this world's clients: what runs, or has stayed in the background (masters, the keeper). */
export function clientPids(world: World): number[] {
  return processesMarked(world.home.path);
}

/** Seconds that the server has used so far: its listeners, whoever runs under them, and, with a reaper, whoever has ended. */
export async function serverCpuSeconds(world: World): Promise<number> {
  const listeners = world.sshd.listenerPids();
  return await cpuSeconds([
    ...listeners,
    ...listeners.flatMap((pid) => processesUnder(pid).map((process) => process.pid)),
  ]);
}
