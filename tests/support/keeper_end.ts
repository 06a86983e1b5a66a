import { gone, processesMarked, signalProcess } from "./processes.ts";
import type { TempHome } from "./temp_home.ts";

/** The keepers of a throwaway home: found by the HOME in their environment. */
export function keepersOf(home: TempHome): number[] {
  return processesMarked(`HOME=${home.path}`);
}

/** Ends the keepers of a throwaway home, if any is left, and waits until they are gone. */
export async function endKeepers(home: TempHome): Promise<void> {
  const pids = keepersOf(home);
  for (const pid of pids) signalProcess(pid, "SIGTERM");
  await gone(pids);
}
