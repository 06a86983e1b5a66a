import type { World } from "../world/world.ts";

/** Writes a task file of one step for each command, into a folder of its own; answers its path. */
export async function taskFile(world: World, name: string, commands: readonly string[]): Promise<string> {
  const steps = commands.map((command) => `  - exec: ${JSON.stringify(command)}\n`);
  return await world.home.write(`tasks/${name}.yaml`, `name: ${name}\nsteps:\n${steps.join("")}`);
}
