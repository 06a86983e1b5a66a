/** What the model and the guard count: one thing that a user does, and what has to be there before. */
import { loadJob } from "../lib/job/load.ts";
import { runJob } from "../lib/job/run_job.ts";
import type { Host } from "../lib/host/host.ts";
import type { CountedWorld } from "./guard_world.ts";
import { broken } from "./contenders/report.ts";

/** Where an operation happens. */
export interface Place {
  readonly world: CountedWorld;
  readonly rttMs: number;
  /** A private connection that has been used already. */
  readonly own: Host;
  /** A passenger of the keeper's master, used already. */
  readonly shared: Host;
}

/** What an operation's `run` needs, made and thrown away outside the measurement. */
export interface Operation {
  readonly id: string;
  readonly title: string;
  /** Makes ready one run and answers it; what the run answers is disposed outside the measurement. */
  readonly prepare: (place: Place) => Promise<() => Promise<unknown>>;
}

export const FILES = 200;
export const FILE_BYTES = 2048;
export const STEPS = 10;
/** So many of 8 KiB are too much for one argument of a program, so their text travels on stdin. */
const LONG_STEPS = 20;
const AT_ONCE = 8;

const on = (
  connection: "own" | "shared",
  id: string,
  title: string,
  work: (host: Host) => Promise<unknown>,
) => ({
  id,
  title,
  prepare: (place: Place) => Promise.resolve(() => work(place[connection])),
});

function jobOf(id: string, title: string, steps: number, command: string): Operation {
  return {
    id,
    title,
    prepare: async ({ world, rttMs }) => {
      const lines = Array.from({ length: steps }, () => `exec: ${JSON.stringify(command)}`);
      const job = await loadJob(await jobFile(world, lines));
      return async () => {
        const run = runJob(job, { hosts: `rtt${rttMs}`, ...world.options(true) });
        const { status } = await run.result;
        if (status !== "ok") throw broken(`the job ended ${status}`);
      };
    },
  };
}

export const operations: readonly Operation[] = [
  {
    id: "login",
    title: "connect: TCP, key exchange, login",
    prepare: ({ world, rttMs }) => Promise.resolve(() => world.connect(rttMs, false)),
  },
  {
    id: "per-command",
    title: "a new connection, and an exec on it",
    prepare: ({ world, rttMs }) =>
      Promise.resolve(async () => {
        const host = await world.connect(rttMs, false);
        await exec(host);
        return host; // leaving is a round trip more for whoever waits for it
      }),
  },
  on("own", "exec", "warm exec, private connection", exec),
  on("shared", "exec-keeper", "warm exec, through the keeper's control socket", exec),
  {
    id: "attach-exec",
    title: "attach to the keeper's live master, and exec",
    prepare: ({ world, rttMs }) =>
      Promise.resolve(async () => {
        await using host = await world.connect(rttMs, true);
        await exec(host);
      }),
  },
  on(
    "shared",
    "exec-8",
    `${AT_ONCE} execs at once`,
    (host) => Promise.all(Array.from({ length: AT_ONCE }, () => exec(host))),
  ),
  on("shared", "exec-10", `${STEPS} execs, each after the one before`, async (host) => {
    for (let at = 0; at < STEPS; at++) await exec(host);
  }),
  jobOf("job-10", `a job of ${STEPS} steps on a live master`, STEPS, "true"),
  jobOf(
    "job-stdin",
    `a job of ${LONG_STEPS} steps of 8 KiB on a live master`,
    LONG_STEPS,
    `true # ${"x".repeat(8192)}`,
  ),
  {
    id: "copy-file",
    title: "copy of one small file",
    prepare: async ({ world, shared }) => {
      const local = world.local("file");
      await Deno.writeFile(local, new Uint8Array(FILE_BYTES));
      return () => shared.copy(local, world.fresh("file"));
    },
  },
  {
    id: "copy-tree",
    title: `copy of a tree of ${FILES} files of 2 KiB`,
    prepare: async ({ world, shared }) => {
      const local = await tree(world);
      return () => shared.copy(local, world.fresh("tree"));
    },
  },
  {
    id: "fetch-tree",
    title: `fetch of a tree of ${FILES} files of 2 KiB`,
    prepare: async ({ world, shared }) => {
      const remote = world.fresh("tree");
      const { code } = await shared.exec(
        `mkdir ${remote} && cd ${remote} && i=0; while [ $i -lt ${FILES} ]; do ` +
          `head -c ${FILE_BYTES} /dev/zero > $i; i=$((i+1)); done`,
      );
      if (code !== 0) throw broken(`no tree to fetch: exit status ${code}`);
      return () => shared.fetch(remote, world.local("fetched"));
    },
  },
  {
    id: "forward",
    title: "open a forward, and the first bytes through it",
    prepare: ({ world, own }) => {
      const { host, port } = world.keepers.sshd;
      return Promise.resolve(async () => {
        const forward = await own.forward({ local: 0, to: `${host}:${port}` });
        // The target is the sshd itself, which speaks first.
        const connection = await Deno.connect({ hostname: "127.0.0.1", port: forward.listenPort! });
        await connection.read(new Uint8Array(16));
        connection.close();
        return forward;
      });
    },
  },
];

/** An operation by its name. */
export function operation(id: string): Operation {
  const found = operations.find((each) => each.id === id);
  if (!found) throw broken(`there is no operation ${id}`);
  return found;
}

/** Writes a task of these steps. */
export async function jobFile(world: CountedWorld, steps: readonly string[], hosts = ""): Promise<string> {
  const text = `${hosts}steps:\n${steps.map((step) => `  - ${step}\n`).join("")}`;
  return await world.keepers.home.write(`${world.fresh("task")}.yaml`, text);
}

/** Disposes of what a run answered, where that can be disposed of. */
export async function release(held: unknown): Promise<void> {
  await (held as Partial<AsyncDisposable> | undefined)?.[Symbol.asyncDispose]?.();
}

async function exec(host: Host): Promise<void> {
  const { code } = await host.exec("true");
  if (code !== 0) throw broken(`${host.where}: exit status ${code}`);
}

async function tree(world: CountedWorld): Promise<string> {
  const path = world.local("tree");
  await Deno.mkdir(path);
  const content = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < FILES; at++) await Deno.writeFile(`${path}/${at}`, content);
  return path;
}
