/** Where the CPU time of sshd's processes goes when they have ended. */
import { PYTHON } from "./python.ts";

/**
 * sshd's process of a connection is the parent of the one that serves the user and often leaves before it: then
 * that one's CPU time, with all its commands', is charged to nobody that could be asked. This parent of sshd is made
 * the reaper of all its orphans (prctl(2), PR_SET_CHILD_SUBREAPER), so that what they used adds up here.
 */
const REAPER = `
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
child = os.fork()
if child == 0:
    libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
while os.wait()[0] != child:
    pass
`;

/** Words to start sshd with; none where there is no Python or the system is not Linux: then nothing is counted. */
export async function reaper(): Promise<readonly string[] | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  if (!await Deno.stat(PYTHON).then((info) => info.isFile, () => false)) return undefined;
  return [PYTHON, "-c", REAPER];
}
