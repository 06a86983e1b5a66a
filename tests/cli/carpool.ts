/** The command as a program, as `mod.ts` runs it, and how tests start it. */
import { main } from "../../lib/cli/main.ts";
import { type Running, type RunOptions, type RunResult, start } from "../support/run.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Starts the command as a process of its own. */
export function startCarpool(args: readonly string[], options: RunOptions = {}): Running {
  const flags = ["run", "--quiet", "--allow-all", "--no-config", "--no-lock", "--no-check"];
  return start(Deno.execPath(), [...flags, import.meta.filename!, ...args], {
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  });
}

/** Runs the command to its end. */
export async function carpool(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  await using running = startCarpool(args, options);
  return await running.finished;
}
