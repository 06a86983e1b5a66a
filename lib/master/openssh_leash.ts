/**
 * Holds a master that `ssh` has detached to this process: should we end without having ended it (killed, or Ctrl-C at a
 * terminal), a small shell that waits for our end of a pipe to close asks it to leave, by its socket. Returns what lets
 * go of it.
 */
export function leash(
  ssh: string,
  controlPath: string,
  environment: Readonly<Record<string, string>>,
): () => void {
  // The terminal's signals reach it as they reach us; it must outlive them by a moment.
  const script = 'trap "" INT TERM HUP QUIT; read -r _; exec "$@" >/dev/null 2>&1';
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ssh, "-F", "none", "-S", controlPath, "-O", "exit", "none"],
    env: { ...environment },
    clearEnv: true,
    cwd: "/",
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.unref();
  child.status.catch(() => {}); // nobody waits for it
  return () => void child.stdin.close().catch(() => {});
}
