import { shellJoin } from "../base/shell_quote.ts";
import type { SshRide } from "./ssh_ride.ts";

/**
 * Ends `ssh` should we end without having done so (killed, or Ctrl-C at a terminal): it waits for our end of a pipe to
 * close. Where all went well it reads a line first, as by then the process id may be another's.
 */
const LEASH = '(trap "" INT TERM HUP QUIT; read -r _ <&3 || kill -TERM $$) </dev/null >/dev/null 2>&1 &';

/** Words: the file, the offset to begin at, and the command, which becomes this process. `dd` only moves the offset. */
const FROM_FILE = 'exec 3<&0; f=$1 k=$2; shift 2; exec <"$f" || exit 66; ' +
  `[ "$k" = 0 ] || dd bs=1 skip="$k" count=0 2>/dev/null || exit 67; ${LEASH} exec "$@" 3<&-`;

/** Words: the file, to which is appended, and the command. */
const TO_FILE = `exec 3<&0; f=$1; shift; exec </dev/null >>"$f" || exit 66; ${LEASH} exec "$@" 3<&-`;

/** On the host. The file must be there: nothing is made, should this account turn out to have another home. */
const RECEIVE = '[ -f "$1" ] && exec 1<>"$1" || exit 66; ' +
  '[ "$2" = 0 ] || dd bs=1 seek="$2" count=0 conv=notrunc </dev/null 2>/dev/null || exit 67; exec cat';
const GIVE = '[ -f "$1" ] && exec <"$1" || exit 66; ' +
  '[ "$2" = 0 ] || dd bs=1 skip="$2" count=0 2>/dev/null || exit 67; exec cat';

/** What moves, and which way. Both files are there. */
export interface SshStream {
  readonly way: "push" | "pull";
  readonly local: string;
  /** As a shell there takes it: begins with `/` or `./`. */
  readonly remote: string;
  /** Bytes that the receiving side has. A pull appends. */
  readonly start: number;
}

/**
 * Moves the contents of a file by a session of the installed `ssh` over a connection that is there; no byte of it comes
 * through this process. Resolves with whether the other side said that all went well; false as well where it cannot be
 * tried: no `sh`, no permission to run it, a session limit. What has arrived is for the caller to see.
 *
 * @throws the reason of the signal, when `ssh` has ended
 */
export async function streamBySsh(ride: SshRide, stream: SshStream, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  if (ride.controlPath.includes("${")) return false; // `ssh` would take that for a variable's name
  const { way, local, remote, start } = stream;
  const push = way === "push";
  const command = `exec ${shellJoin(["sh", "-c", push ? RECEIVE : GIVE, "sh", remote, String(start)])}`;
  const words = [ride.ssh, ...rideArguments(ride), "--", "none", command];
  const script = push ? [FROM_FILE, "sh", local, String(start)] : [TO_FILE, "sh", local];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("/bin/sh", {
      args: ["-c", ...script, ...words],
      env: { ...ride.environment },
      clearEnv: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return false;
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
  const abort = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // it has ended, and nobody has been told yet
    }
  };
  signal.addEventListener("abort", abort, { once: true });
  const { success } = await child.status;
  signal.removeEventListener("abort", abort);
  const leash = child.stdin.getWriter();
  await leash.write(new TextEncoder().encode("\n")).then(() => leash.close()).catch(() => {}); // it has ended
  signal.throwIfAborted();
  return success;
}

/** Rides, or fails: without the master `ssh` would log in by itself, as whom nobody has said. */
function rideArguments({ controlPath }: SshRide): string[] {
  const socket = controlPath.replaceAll("%", "%%");
  const options = ["ControlMaster=no", "BatchMode=yes", "ProxyCommand=exit 1", "EscapeChar=none"];
  return ["-F", "none", "-S", socket, "-q", "-T", "-x", "-a", ...options.flatMap((option) => ["-o", option])];
}
