import type { Contender, Workload } from "../method/workload.ts";
import type { ClientRun } from "../peers/client_run.ts";
import { clientRun } from "../peers/client_run.ts";
import { carpoolProgram, libraryLines, type RunFrame } from "../peers/lines.ts";
import { CARPOOL_COMMAND, CARPOOL_PROGRAM, CARPOOL_PROGRAM_PRIVATE, SSH_ON_MASTER } from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import type { World } from "../world/world.ts";
import { CURVE_OPTION, SSH_NEW_CURVE } from "./names.ts";

const COMMAND = "sleep 0.05; echo ok";

export interface ParallelOptions {
  readonly rttMs: number;
  readonly count: number;
}

/**
 * N commands on one host that need nothing of each other, on a server that allows ten sessions on a connection; from
 * nothing. How many of them failed stands with each raw round as `failed`: a tool that loses some is fast for nothing.
 */
export async function parallel(world: World, { rttMs, count }: ParallelOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const frame: RunFrame = { operations: 1, cold: true };
  const commands = Array.from({ length: count }, () => COMMAND);
  // The processes of one tool, so many at once; those that fail are counted.
  const processes = (name: string, width: number, words: readonly string[], first = ""): Contender => {
    const script = `${first} seq ${count} | xargs -P ${width} -I @ "$@" || true`;
    const check: ClientRun["check"] = ({ stdout }) => counted(stdout, count);
    return { name, measure: () => clientRun(world, { ...frame, words, script, check }) };
  };
  const program = (name: string, share: boolean): Contender => {
    const words = carpoolProgram(world, "peer_carpool_parallel.ts", { host, share, count, command: COMMAND });
    const check: ClientRun["check"] = ({ stdout }) => JSON.parse(stdout).more;
    return { name, measure: () => clientRun(world, { ...frame, words, check }) };
  };
  const libraries = (width: number) =>
    libraryLines(world, peers, [host], { mode: "parallel", commands, width }, frame, {
      suffix: `, one connection, ${width} at once`,
    });
  const master = world.ssh(...onMasters(world), host, COMMAND);
  return {
    id: `parallel-${rttMs}`,
    title: `${count} times "${COMMAND}" at once, MaxSessions 10, from nothing; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: `${SSH_ON_MASTER}, 10 at once`,
    contenders: [
      // The master first: ten that start at once would make ten connections.
      processes(`${SSH_ON_MASTER}, 10 at once`, 10, master, `"$@" >/dev/null;`),
      processes(
        `${SSH_NEW_CURVE}, 10 at once`,
        10,
        world.ssh("-S", "none", ...CURVE_OPTION, host, COMMAND),
      ),
      processes(
        `${CARPOOL_COMMAND}, 10 at once`,
        10,
        world.carpool("exec", "-F", world.configFile, host, "--", COMMAND),
      ),
      program(`${CARPOOL_PROGRAM}, all at once`, true),
      program(`${CARPOOL_PROGRAM_PRIVATE}, all at once`, false),
      ...libraries(10),
      ...libraries(8),
    ],
  };
}

function counted(stdout: string, count: number): { ok: number; failed: number } {
  const ok = stdout.split("\n").filter((line) => line === "ok").length;
  return { ok, failed: count - ok };
}
