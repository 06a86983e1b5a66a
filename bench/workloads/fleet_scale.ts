import type { Contender, RatioPromise, Workload } from "../method/workload.ts";
import { commandTask } from "../peers/ansible.ts";
import { clientRun, linesEnd } from "../peers/client_run.ts";
import { libraryLines, playbookLines, type RunFrame, toolLines, wordsLine } from "../peers/lines.ts";
import { CARPOOL_RUN, CARPOOL_RUN_PRIVATE, PEER_NAMES } from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import { taskFile } from "../peers/task_file.ts";
import { failed, type World, type WorldOptions } from "../world/world.ts";
import { CURVE_OPTION } from "./names.ts";

/** An address for each host: 127.0.20.1 …, 250 to a subnet. */
export function scaleWorld(hosts: number): WorldOptions {
  return {
    hosts: Array.from(
      { length: hosts },
      (_, index) => `127.0.${20 + Math.floor(index / 250)}.${index % 250 + 1}`,
    ),
  };
}

const WARM = `${CARPOOL_RUN}, a second run`;
const LIVE = `${CARPOOL_RUN}, live view on a terminal`;
const SOURCE = "issue 6";

/** Everything that the workloads of this file have in common. Carpool takes its own 32 at a time, the others all at once. */
async function parts(world: World, hosts: number, steps: number) {
  const names = Array.from({ length: hosts }, (_, index) => `test${index + 1}`);
  const commands = Array.from({ length: steps }, (_, index) => `echo step ${index + 1}`);
  const task = await taskFile(world, "fleet", commands);
  const frame: RunFrame = { operations: 1, cold: true, peak: true };
  const words = (...more: string[]) =>
    world.carpool("run", task, "-F", world.configFile, "--hosts", `test[1-${hosts}]`, ...more);
  const warm = (name: string, ...more: string[]): Contender => ({
    name,
    measure: () =>
      clientRun(world, {
        ...{ ...frame, words: words(...more) },
        // Cold, but for the first run.
        prepare: async () => {
          const [deno, ...args] = words();
          await world.run(deno, args);
        },
      }),
  });
  return { names, commands, frame, words, warm, peers: await findPeers() };
}

/** 100 hosts × 5 steps, against the best of the libraries, which does it all in one process. */
export async function fleetAgainstLibraries(world: World): Promise<Workload> {
  const [hosts, steps] = [100, 5];
  const { names, commands, frame, words, warm, peers } = await parts(world, hosts, steps);
  const ssh2 = PEER_NAMES.ssh2;
  const cold = { contender: CARPOOL_RUN, against: ssh2, atMost: 1, source: SOURCE };
  const promises: RatioPromise[] = [
    cold,
    { ...cold, figure: "clientCpuMs" },
    { ...cold, contender: WARM, atMost: 0.3 },
  ];
  return {
    id: "fleet-100-hosts",
    title: `${hosts} hosts × ${steps} steps from nothing; ms in all`,
    link: { rttMs: 0, emulated: false },
    baseline: ssh2,
    contenders: [
      ...libraryLines(world, peers, names, { mode: "fleet", commands, width: hosts }, frame, {
        which: ["ssh2", "asyncssh"],
      }),
      wordsLine(world, CARPOOL_RUN, words(), frame),
      wordsLine(world, `${CARPOOL_RUN} --parallel ${hosts}`, words("--parallel", String(hosts)), frame),
      wordsLine(world, CARPOOL_RUN_PRIVATE, words("--no-share"), frame),
      warm(WARM),
    ],
    promises,
  };
}

export interface FleetAgainstToolsOptions {
  /** Whoever takes longer is stopped: then it is known to take longer, and not how long. */
  readonly limitMs: number;
}

/** 200 hosts × 10 steps, against what administrators use. */
export async function fleetAgainstTools(
  world: World,
  { limitMs }: FleetAgainstToolsOptions,
): Promise<Workload> {
  const [hosts, steps] = [200, 10];
  const { names, commands, frame, words, warm, peers } = await parts(world, hosts, steps);
  // The tools show what was printed: each step on each host must be there.
  const limited: RunFrame = { ...frame, limitMs };
  const shown: RunFrame = { ...limited, check: linesEnd("step", hosts * steps) };
  const masters = onMasters(world);
  const once = (contender: Contender): Contender => ({ ...contender, rounds: 1 });
  const others: Contender[] = [
    ...toolLines(
      world,
      peers,
      names,
      { command: "echo step", count: steps, options: masters, suffix: "on ssh's masters" },
      shown,
    ),
    ...toolLines(
      world,
      peers,
      names,
      {
        command: "echo step",
        count: steps,
        options: [...masters, ...CURVE_OPTION],
        suffix: "on ssh's masters, no post-quantum kex",
      },
      shown,
    ).slice(1, 2),
    ...playbookLines(world, peers, names, commands.map(commandTask), limited),
    ...libraryLines(world, peers, names, { mode: "fleet", commands, width: hosts }, limited, {
      which: ["ssh2"],
    }),
  ].map(once);
  const tools = others.filter(({ name }) => name !== PEER_NAMES.ssh2);
  return {
    id: "fleet-200-hosts",
    title: `${hosts} hosts × ${steps} steps from nothing; ms in all`,
    link: { rttMs: 0, emulated: false },
    baseline: CARPOOL_RUN,
    contenders: [
      wordsLine(world, CARPOOL_RUN, words(), frame),
      wordsLine(world, CARPOOL_RUN_PRIVATE, words("--no-share"), frame),
      warm(WARM),
      ...others,
    ],
    promises: tools.flatMap(({ name }): RatioPromise[] => [
      { contender: CARPOOL_RUN, against: name, atMost: 1, source: SOURCE },
      { contender: WARM, against: name, atMost: 0.1, source: SOURCE },
    ]),
  };
}

/** What the client side may hold for each of a thousand hosts, and beside them: bounded means that it does not matter how many steps. */
const MOST_MB = 1000;

/** 1,000 hosts on one small machine: that they finish, in what memory, and that the live view costs nothing. */
export async function fleetOfThousand(
  world: World,
  { hosts = 1000, brief = false }: { readonly hosts?: number; readonly brief?: boolean } = {},
): Promise<Workload> {
  const steps = 2;
  const { names, commands, frame, words, warm, peers } = await parts(world, hosts, steps);
  const limited: RunFrame = { ...frame, limitMs: 240_000 };
  const live: Contender = {
    name: LIVE,
    measure: () =>
      clientRun(world, {
        ...limited,
        words: words(),
        // script(1) gives it a terminal; what it draws goes nowhere.
        script: "export TERM=xterm-256color COLUMNS=120 LINES=40; " +
          'script -qec "$(printf "%s " "$@")" /dev/null >/dev/null || exit',
      }),
  };
  const finished: Contender = {
    name: CARPOOL_RUN,
    measure: async () => {
      const measurement = await clientRun(world, { ...limited, words: words() });
      if (measurement.stopped) throw failed(`${hosts} hosts`, "not finished after four minutes");
      return measurement;
    },
  };
  return {
    id: `fleet-${hosts}-hosts`,
    title: `${hosts} hosts × ${steps} steps from nothing; ms in all`,
    link: { rttMs: 0, emulated: false },
    baseline: CARPOOL_RUN,
    contenders: [
      finished,
      live,
      ...(brief ? [] : [warm(WARM)]),
      // All at once its first handshakes would be later than its 20 s allow.
      ...libraryLines(world, peers, names, { mode: "fleet", commands, width: 32 }, limited, {
        which: ["ssh2"],
      }),
    ].map((contender) => ({ ...contender, rounds: 1 })),
    promises: [
      // One round each: within a quarter is as near as that tells.
      {
        contender: LIVE,
        against: CARPOOL_RUN,
        atMost: 1.25,
        source: `${SOURCE}, the live view does not slow the run`,
      },
      { contender: CARPOOL_RUN, atMostPeakMB: MOST_MB, source: `${SOURCE}, bounded memory` },
    ],
  };
}
