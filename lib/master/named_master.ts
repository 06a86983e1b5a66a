import { MasterError } from "../base/errors.ts";
import { ControlClient } from "../link/control_link.ts";
import type { Prompter } from "../target/prompter.ts";
import { inspectSocket } from "./places.ts";

/** A live master at one of these paths: OpenSSH's, or ours (bound there by -M -S). */
export async function liveNamedMaster(
  paths: readonly string[],
  prompter?: Prompter,
): Promise<{ readonly controlPath: string; readonly pid: number } | undefined> {
  for (const controlPath of paths) {
    const pid = await pidOfMaster(controlPath, prompter);
    if (pid !== undefined) return { controlPath, pid };
  }
  return undefined;
}

/** The process that answers at a control socket; undefined when nobody does: dead or wedged, and not ours to remove. */
export async function pidOfMaster(path: string, prompter?: Prompter): Promise<number | undefined> {
  if (inspectSocket(path) === "missing") return undefined;
  try {
    using client = await ControlClient.connect(path);
    return await client.alive();
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
    if (error.code !== "gone") prompter?.notice(`The master is not used: ${path}: ${error.why}`);
    return undefined;
  }
}
