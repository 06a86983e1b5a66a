/** The most memory that a world's clients hold at once. */
import { failed, type World } from "../world/world.ts";

const SAMPLER = new URL("../contenders/peer_memory_sampler.ts", import.meta.url).pathname;

export interface PeakMemory {
  /** Each process's share of what several hold together, summed up at the moment when it was most. */
  readonly pssMB: number;
  /** How many processes there were at most. */
  readonly processes: number;
}

/** Watches from outside while `work` runs. It costs CPU time: whoever measures that must do it in another run. */
export async function peakMemory(world: World, work: () => Promise<unknown>): Promise<PeakMemory> {
  const child = new Deno.Command(Deno.execPath(), {
    // /proc opens to programs with all permissions only.
    args: ["run", "--no-prompt", "--no-config", "--no-lock", "--allow-all", SAMPLER, world.home.path],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read(); // it is looking
  try {
    await work();
  } finally {
    await child.stdin.close();
  }
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  const { success } = await child.status;
  if (!success) throw failed("memory sampler", text);
  return JSON.parse(text);
}
