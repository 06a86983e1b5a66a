import type { Workload } from "../method/workload.ts";
import { CARPOOL_FLAGS } from "../world/programs.ts";
import type { World } from "../world/world.ts";

const EMPTY = new URL("../contenders/empty.ts", import.meta.url).pathname;

/** The words of a Deno program that does nothing, started as the command is. */
export const emptyProgram = [Deno.execPath(), ...CARPOOL_FLAGS, "--no-config", EMPTY];

/** What it takes before the command does anything. */
export function startUp(world: World): Workload {
  return {
    id: "start-up",
    title: "start of the command, each a new process",
    link: { rttMs: 0, emulated: false },
    baseline: "empty Deno program",
    contenders: [
      { name: "empty Deno program", measure: () => world.processes(10, emptyProgram) },
      { name: "carpool --help", measure: () => world.processes(10, world.carpool("--help")) },
      {
        name: "carpool --help, by the URL of mod.ts",
        measure: () => world.processes(10, world.carpoolByModule("--help")),
      },
      {
        name: "carpool --help, by the URL of lib/cli/main.ts",
        measure: () => world.processes(10, world.carpoolByUrl("--help")),
      },
    ],
    promises: [
      { contender: "carpool --help", against: "empty Deno program", atMost: 2, source: "issue 2" },
      {
        contender: "carpool --help, by the URL of mod.ts",
        against: "empty Deno program",
        atMost: 2,
        source: "issue 2",
      },
    ],
  };
}
