/** The command on a pseudo-terminal, with somebody who types. */
import { COMMAND, type KeeperWorld } from "../master/keeper_world.ts";
import { provide } from "../support/tools.ts";

/** What to type, and what must have been shown since the last answer before it is. */
export type Answer = readonly [shown: RegExp, keys: string];

/** Runs `carpool …` in the world's home on a terminal; answers with all that was shown, and the exit status. */
export async function carpoolOnTerminal(
  world: KeeperWorld,
  args: readonly string[],
  answers: readonly Answer[],
): Promise<{ readonly output: string; readonly code: number | undefined }> {
  const script = await provide("script", "bsdutils");
  const flags = "run --quiet -A --no-config --no-lock --no-check";
  const carpool = `'${Deno.execPath()}' ${flags} '${COMMAND}' ${args.join(" ")}`;
  const child = new Deno.Command(script.path, {
    // A trap with something in it, unlike an ignored signal, is not passed on to the program.
    args: ["-qec", `stty rows 24 cols 100; trap : INT; ${carpool}; echo "left with $?"`, "/dev/null"],
    clearEnv: true,
    env: { ...world.home.env, TERM: "xterm", SHELL: "/bin/sh", ...script.env },
    cwd: world.home.path,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const left = [...answers];
  let output = "";
  let from = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    while (left.length > 0 && left[0][0].test(output.slice(from))) {
      from = output.length;
      await writer.write(new TextEncoder().encode(left.shift()![1]));
    }
  }
  await writer.close().catch(() => {});
  await child.status;
  const code = /left with (\d+)/.exec(output)?.[1];
  return { output, code: code === undefined ? undefined : Number(code) };
}
