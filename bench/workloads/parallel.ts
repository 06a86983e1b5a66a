import type { Contender, Workload } from "../method/workload.ts";
import type { ClientRun } from "../peers/client_run.ts";
import { clientRun } from "../peers/client_run.ts";
import { carpoolProgram, libraryLines, type RunFrame } from "../peers/lines.ts";
import {
  CARPOOL_COMMAND,
  CARPOOL_PROGRAM,
  CARPOOL_PROGRAM_OPENSSH,
  CARPOOL_PROGRAM_PRIVATE,
  SSH_ON_MASTER,
} from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import { failed, type World } from "../world/world.ts";
import { CURVE_OPTION, SSH_MASTER, SSH_NEW_CURVE } from "./names.ts";

const COMMAND = "sleep 0.05; echo ok";

export interface ParallelOptions {
  readonly rttMs: number;
  readonly count: number;
  /** On a host that is warm: what others have to do with it is measured from their start, Carpool's from the first call. */
  readonly warm?: boolean;
}

/**
 * N commands on one host that need nothing of each other, on a server that allows ten sessions on a connection; from
 * nothing. How many of them failed stands with each raw round as `failed`: a tool that loses some is fast for nothing.
 */
export async function parallel(
  world: World,
  { rttMs, count, warm = false }: ParallelOptions,
): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const frame: RunFrame = { operations: 1, cold: true };
  if (warm) return await parallelWarm(world, rttMs, count);
  const commands = Array.from({ length: count }, () => COMMAND);
  // The processes of one tool, so many at once; those that fail are counted.
  const processes = (name: string, width: number, words: readonly string[], first = ""): Contender => {
    const script = `${first} seq ${count} | xargs -P ${width} -I @ "$@" || true`;
    const check: ClientRun["check"] = ({ stdout }) => counted(stdout, count);
    return { name, measure: () => clientRun(world, { ...frame, words, script, check }) };
  };
  const program = (name: string, share: boolean, via?: "openssh"): Contender => {
    const words = carpoolProgram(world, "peer_carpool_parallel.ts", {
      ...{ host, share, via, count, command: COMMAND },
    });
    const check: ClientRun["check"] = ({ stdout }) => allOk(JSON.parse(stdout).more);
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
      program(`${CARPOOL_PROGRAM_OPENSSH}, all at once`, true, "openssh"),
      ...libraries(10),
      ...libraries(8),
    ],
  };
}

const TEN_MASTERS = `${SSH_MASTER}, 10 at once`;

/** The same with what is shared there already; Carpool may lose none. */
async function parallelWarm(world: World, rttMs: number, count: number): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const program = (name: string, more: () => Promise<object>): Contender => ({
    name,
    measure: async () => {
      const given = { host, count, command: COMMAND, ...await more() };
      const { value, operations, clientCpuMs, ...rest } = await world.contender(
        "peer_carpool_parallel.ts",
        given,
      );
      allOk(rest.more as { ok: number; failed: number });
      return { ...rest, value: value * operations, operations: 1, clientCpuMs: clientCpuMs! * operations };
    },
  });
  const { socket } = await world.sshMaster(host);
  const names = [CARPOOL_PROGRAM, CARPOOL_PROGRAM_PRIVATE, CARPOOL_PROGRAM_OPENSSH].map((name) =>
    `${name}, all at once`
  );
  return {
    id: `parallel-${rttMs}-warm`,
    title: `${count} times "${COMMAND}" at once, MaxSessions 10, host warm; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: TEN_MASTERS,
    contenders: [
      {
        name: TEN_MASTERS,
        measure: () =>
          clientRun(world, {
            ...{ operations: 1, cold: false },
            words: world.ssh("-S", socket, host, COMMAND),
            script: `seq ${count} | xargs -P 10 -I @ "$@" || true`,
            check: ({ stdout }) => counted(stdout, count),
          }),
      },
      program(names[0], () => Promise.resolve({ share: true })),
      program(names[1], () => Promise.resolve({ share: false })),
      program(names[2], () => Promise.resolve({ share: true, configLines: [`ControlPath=${socket}`] })),
    ],
    promises: names.slice(0, 2).map((contender) => ({
      ...{ contender, against: TEN_MASTERS, atMost: 0.6, source: "issue 5, 50 at once; none may fail" },
    })),
  };
}

function allOk(report: { ok: number; failed: number }): { ok: number; failed: number } {
  if (report.failed > 0) throw failed("carpool", `${report.failed} commands failed`);
  return report;
}

function counted(stdout: string, count: number): { ok: number; failed: number } {
  const ok = stdout.split("\n").filter((line) => line === "ok").length;
  return { ok, failed: count - ok };
}
