/** How tests start the command. */
import { fromFileUrl } from "@std/path";
import { type Running, type RunOptions, type RunResult, start } from "../support/run.ts";

/** Run directly, as `deno task carpool` does; `mod.ts` leads to the same. */
const program = fromFileUrl(import.meta.resolve("../../lib/cli/main.ts"));

const flags = ["run", "--quiet", "--allow-all", "--no-config", "--no-lock", "--no-check"];

/** The words that start the command, for a shell. */
export function carpoolWords(args: readonly string[]): string[] {
  return [Deno.execPath(), ...flags, program, ...args];
}

/** Starts the command as a process of its own. */
export function startCarpool(args: readonly string[], options: RunOptions = {}): Running {
  return start(Deno.execPath(), [...flags, program, ...args], {
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  });
}

/** Runs the command to its end. */
export async function carpool(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  await using running = startCarpool(args, options);
  return await running.finished;
}
