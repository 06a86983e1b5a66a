import type { Contender, Measurement, RatioPromise, Workload } from "../method/workload.ts";
import type { World } from "../world/world.ts";
import {
  CARPOOL_KEEPER,
  CARPOOL_ON_OPENSSH,
  CARPOOL_PER_COMMAND,
  CARPOOL_PRIVATE,
  CURVE_OPTION,
  PING,
  SSH_MASTER,
  SSH_NEW,
  SSH_NEW_CURVE,
} from "./names.ts";

interface WarmExecOptions {
  readonly rttMs: number;
  /** Only what shares against what does not. */
  readonly quick: boolean;
}

/** `true` again and again, each after the end of the one before, on a host that has been talked to already. */
export function warmExec(world: World, { rttMs, quick }: WarmExecOptions): Workload {
  const host = `rtt${rttMs}`;
  const slow = rttMs > 0;
  const far = rttMs >= 100;
  const inProcess = far
    ? { host, warmUp: 2, count: 10 }
    : slow
    ? { host, warmUp: 2, count: 15 }
    : { host, warmUp: 30, count: 200 };
  const news = far ? 1 : slow ? 3 : 5;
  const served = inProcess.warmUp + inProcess.count;
  const contenders: (Contender | false)[] = [
    { name: SSH_MASTER, measure: () => onSshMaster(world, host, far ? 5 : slow ? 10 : 30) },
    {
      name: SSH_NEW,
      measure: () => world.processes(news, world.ssh("-S", "none", host, "true"), 0),
    },
    !quick && {
      name: SSH_NEW_CURVE,
      measure: () => world.processes(news, world.ssh("-S", "none", ...CURVE_OPTION, host, "true"), 0),
    },
    {
      name: CARPOOL_PRIVATE,
      measure: () => world.contender("exec_loop.ts", { ...inProcess, share: false }),
    },
    {
      name: CARPOOL_KEEPER,
      measure: async () => {
        const keeper = await world.keeperWith(host);
        const run = () => world.contender("exec_loop.ts", { ...inProcess, share: true });
        return await world.withBackground([keeper], served, run);
      },
    },
    !quick && {
      name: CARPOOL_ON_OPENSSH,
      measure: async () => {
        const { socket, pid } = await world.sshMaster(host);
        const configLines = [`ControlPath=${socket}`];
        const keeper = await world.keeperWith(host, configLines);
        const run = () => world.contender("exec_loop.ts", { ...inProcess, share: true, configLines });
        return await world.withBackground([keeper, pid], served, run);
      },
    },
    {
      name: CARPOOL_PER_COMMAND,
      measure: () =>
        world.contender("connect_loop.ts", { host, share: false, warmUp: 1, count: slow ? news : 10 }),
    },
    !quick && slow && { name: PING, floor: true, measure: () => world.ping(rttMs) },
    !quick && !slow && {
      name: "a process that does nothing",
      floor: true,
      measure: () => world.processes(50, ["/bin/true"]),
    },
  ];
  const against = SSH_MASTER;
  const promises: RatioPromise[] = slow && !far
    ? []
    : far
    ? [CARPOOL_PRIVATE, CARPOOL_KEEPER, CARPOOL_ON_OPENSSH].map((contender) => ({
      ...{ contender, against: PING, atMost: 1.05, source: "issue 5, warm exec" },
    }))
    : [
      { contender: CARPOOL_PRIVATE, against, atMost: 0.4, source: "issue 5, warm exec on loopback" },
      { contender: CARPOOL_KEEPER, against, atMost: 0.5, source: "issue 2" },
    ];
  return {
    id: `exec-${rttMs}`,
    title: "warm exec of true, ms per command",
    link: { rttMs, emulated: slow },
    baseline: SSH_MASTER,
    contenders: contenders.filter((each) => each !== false),
    promises: quick ? [] : promises,
  };
}

/** A new `ssh -S` for each command, as a script would; the CPU of its master counts too. */
export async function onSshMaster(world: World, host: string, count: number): Promise<Measurement> {
  const { socket, pid } = await world.sshMaster(host);
  const words = world.ssh("-S", socket, host, "true");
  return await world.withBackground([pid], count + 1, () => world.processes(count, words));
}
