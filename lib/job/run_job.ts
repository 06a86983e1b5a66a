import type { ConnectOptions } from "../host/connect.ts";
import type { HostEntry } from "./inventory.ts";
import type { Job, JobDefinition } from "./job.ts";
import type { JobConnect } from "./job_host.ts";
import type { Prompter } from "../target/prompter.ts";
import type { PlanJobOptions } from "./make_plan.ts";
import type { Plan } from "./plan.ts";
import { JobRun } from "./run.ts";
import type { PreparePlan } from "./run_all.ts";

/** What a run may be given: how to plan it, how to connect, and how to go about it. */
export interface RunJobOptions extends PlanJobOptions, ConnectOptions {
  /** Stops the run: remote commands are ended, no further host is begun, and the result says so. */
  readonly signal?: AbortSignal;
  /** Hosts worked on at once, instead of the job's own `strategy.parallel`. */
  readonly parallel?: number;
  /** Before the first retry of a step, in milliseconds, doubling with each up to 10 s; default 1000. */
  readonly retryDelayMs?: number;
  /** Whether consecutive steps of a host travel together, in one session, where they may; default true. */
  readonly fuse?: boolean;
  /** Confirm steps are answered with yes, prompt steps with their default; default false. */
  readonly yes?: boolean;
  /** @ignore Instead of `connect` of this module, for tests. */
  readonly connect?: JobConnect;
  /** @ignore Looks at the plan before anything is contacted. */
  readonly prepare?: PreparePlan;
}

/**
 * Runs a job: hosts in parallel, the steps of a host in order over one connection, each host until its first failure.
 *
 * ```ts ignore
 * const run = runJob(await loadJob("deploy"), { hosts: "web[01-20]" });
 * for await (const event of run) if (event.type === "step-end") console.log(event.host, event.step, event.status);
 * console.log((await run.result).status);
 * ```
 */
export function runJob(job: Job | JobDefinition, options: RunJobOptions = {}): JobRun {
  const {
    hosts,
    inventory,
    limit,
    exclude,
    cwd,
    parallel,
    retryDelayMs,
    fuse,
    connect,
    signal,
    prepare,
    vars,
    varsFiles,
    tags,
    skipTags,
    yes,
    ...connectOptions
  } = options;
  const entries = new Map<string, HostEntry>();
  const plan = async (): Promise<Plan> => {
    const { makePlan } = await import("./make_plan.ts");
    const { configFile } = connectOptions;
    const made = await makePlan(job, {
      ...{ hosts, inventory, limit, exclude, cwd, configFile },
      ...{ vars, varsFiles, tags, skipTags },
    });
    for (const entry of made.hosts) entries.set(entry.host, entry);
    if (connect === undefined) await checkConfig(made, connectOptions);
    return parallel === undefined ? made : { ...made, strategy: { ...made.strategy, parallel } };
  };
  return new JobRun(plan, {
    signal,
    retryDelayMs,
    fuse,
    prepare,
    yes,
    prompter: () => prompterFor(connectOptions),
    connect: connect ?? connectWith(connectOptions, entries),
  });
}

/** Who is asked what the steps of a job want to know: whoever is asked when connecting. */
async function prompterFor({ prompter, batchMode, environment }: ConnectOptions): Promise<Prompter> {
  if (prompter) return prompter;
  const { choosePrompter } = await import("../target/choose_prompter.ts");
  return choosePrompter({ batchMode: batchMode ?? false, environment: environment ?? ownEnvironment() });
}

/** What little of the environment says who is to be asked; what may not be read is not there. */
function ownEnvironment(): Record<string, string> {
  const names = ["DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE"];
  return Object.fromEntries(names.flatMap((name) => {
    try {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    } catch {
      return [];
    }
  }));
}

/**
 * Resolves the first host, so that a mistake in ssh_config or in an option stops the run before anything is contacted,
 * and is not told again by every host.
 */
async function checkConfig(plan: Plan, options: ConnectOptions): Promise<void> {
  const [{ resolveTarget }, { optionsFor }] = await Promise.all([
    import("../target/resolve.ts"),
    import("./find_hosts.ts"),
  ]);
  const [first] = plan.hosts;
  if (first) await resolveTarget(first.host, optionsFor(first, options));
}

/**
 * Connects with these options, and with what the inventory says of the host; what connecting needs is loaded when the
 * first host is reached for.
 *
 * @param entries The hosts by name; they may come later.
 */
export function connectWith(
  options: ConnectOptions,
  entries: ReadonlyMap<string, HostEntry> = new Map(),
): JobConnect {
  let loaded: Promise<Connecting> | undefined;
  return async (destination, { signal, fresh }) => {
    const { connect, optionsFor, environment } = await (loaded ??= loadConnecting());
    const entry = entries.get(destination);
    const own = entry ? optionsFor(entry, options) : options;
    return await connect(destination, { environment, ...own, ...(fresh ? { share: false } : {}), signal });
  };
}

interface Connecting {
  readonly connect: typeof import("../host/connect.ts").connect;
  readonly optionsFor: typeof import("./find_hosts.ts").optionsFor;
  /** Of this process, read once for all hosts of a run. */
  readonly environment: Readonly<Record<string, string>>;
}

async function loadConnecting(): Promise<Connecting> {
  const [{ connect }, { optionsFor }, { ownEnvironment }] = await Promise.all([
    import("../host/connect.ts"),
    import("./find_hosts.ts"),
    import("../target/local_account.ts"),
  ]);
  return { connect, optionsFor, environment: ownEnvironment() };
}
