/**
 * Asks on the terminal that this process belongs to, even where its standard input is something else. Deno opens
 * `/dev/tty` only to programs with all permissions, and a read of standard input that was begun cannot be taken back;
 * a small shell script does both: it may be ended, and restores the terminal when it is.
 */
const SCRIPT = `
exec 3<>/dev/tty || exit 2
saved=$(stty -g <&3) || exit 2
trap 'stty "$saved" <&3; printf "\\n" >&3; exit 130' INT TERM HUP
if [ "$2" = secret ]; then stty -echo <&3; fi
printf %s "$1" >&3
IFS= read -r line <&3
status=$?
stty "$saved" <&3
if [ "$2" = secret ]; then printf "\\n" >&3; fi
printf %s "$line"
exit $status
`;

const SHELL = "/bin/sh";

/** Nothing of our own environment: Deno lets nobody but --allow-run-all pass LD_… on; only `stty` must be found. */
const ENVIRONMENT = {
  clearEnv: true,
  env: { PATH: "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin" },
} as const;

/** A process keeps its terminal, or has none: asked once, for each host of a run would cost a shell. */
let known: boolean | undefined;

/** Whether there is such a terminal, and a shell that may be run. */
export function hasControllingTerminal(): boolean {
  if (!mayRunShell()) return false;
  return known ??= shellFindsTerminal();
}

function shellFindsTerminal(): boolean {
  try {
    // A subshell: a redirection that fails ends the shell.
    const { success } = new Deno.Command(SHELL, {
      args: ["-c", "(: <>/dev/tty)"],
      ...ENVIRONMENT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return success;
  } catch {
    return false;
  }
}

function mayRunShell(): boolean {
  if (Deno.build.os === "windows") return false;
  return Deno.permissions.querySync({ name: "run", command: SHELL }).state === "granted";
}

/** Asks; null when there was no answer (Ctrl-D, Ctrl-C), `undefined` when there is no terminal to ask on. */
export async function askByShell(
  prompt: string,
  kind: "secret" | "line",
  signal: AbortSignal | undefined,
): Promise<string | null | undefined> {
  if (!mayRunShell()) return undefined;
  const child = new Deno.Command(SHELL, {
    args: ["-c", SCRIPT, "sh", prompt, kind],
    ...ENVIRONMENT,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const end = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // it has ended by itself
    }
  };
  signal?.addEventListener("abort", end, { once: true });
  try {
    const { code, stdout } = await child.output();
    signal?.throwIfAborted();
    if (code === 2) return undefined;
    return code === 0 ? new TextDecoder().decode(stdout) : null;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}
