import { TargetError } from "../base/errors.ts";

/** Runs the command of a `Match exec` by the user's shell; true when its status is 0. */
export async function runsInShell(
  command: string,
  where: string,
  environment: Readonly<Record<string, string>>,
): Promise<boolean> {
  try {
    const { code, signal } = await new Deno.Command(environment.SHELL || "/bin/sh", {
      args: ["-c", command],
      env: { ...environment },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn().status;
    if (signal !== null) throw failed(where, `its command was ended by ${signal}`);
    return code === 0;
  } catch (cause) {
    if (cause instanceof TargetError) throw cause;
    const denied = cause instanceof Deno.errors.NotCapable;
    const why = denied
      ? "running programs is not allowed"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw failed(where, why, denied ? "allow it: --allow-run" : "check SHELL", cause);
  }
}

function failed(where: string, why: string, fix?: string, cause?: unknown): TargetError {
  return new TargetError("bad-config", { what: "Cannot run Match exec", where, why, fix, cause });
}
