/** A real sshd for jobs whose steps travel together, and whatever shell it takes. */
import { dirname } from "@std/path";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { connect } from "../../lib/host/connect.ts";
import { checkJob } from "../../lib/job/check.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { JobHost } from "../../lib/job/job_host.ts";
import { planJob } from "../../lib/job/plan.ts";
import { runPlan } from "../../lib/job/run.ts";
import type { RunPlanOptions, RunResult } from "../../lib/job/run_all.ts";
import { shell, type ShellName } from "../support/shells.ts";
import { type LoginShell, type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";

/** A run with everything that it told. */
export interface ToldRun {
  readonly events: readonly RunEvent[];
  readonly result: RunResult;
}

export class FusionWorld implements AsyncDisposable {
  readonly sshd: Sshd;

  private constructor(sshd: Sshd) {
    this.sshd = sshd;
  }

  /** `sh`: which shell the host's `sh` is; default: the system's. */
  static async make(
    options: SshdOptions & { readonly login?: ShellName; readonly sh?: ShellName } = {},
  ): Promise<FusionWorld> {
    const { login, sh, ...rest } = options;
    const loginShell = login === undefined ? {} : { loginShell: await shell(login) };
    const sshd = await startSshd({ ...rest, ...loginShell });
    try {
      if (sh !== undefined) await useAsSh(sshd, await shell(sh));
      return new FusionWorld(sshd);
    } catch (error) {
      await sshd.stop();
      throw error;
    }
  }

  connect = async (_name: string, { signal }: { readonly signal: AbortSignal }): Promise<JobHost> =>
    await connect("test", { configFile: this.sshd.configFile, share: false, signal });

  /** Runs a job on the host. */
  async run(
    job: JobDefinition,
    options: Partial<RunPlanOptions> & { readonly onEvent?: (event: RunEvent) => void } = {},
  ): Promise<ToldRun> {
    const { onEvent, ...rest } = options;
    const plan = await planJob(checkJob(job, undefined), [{ host: "test", group: undefined }]);
    const running = runPlan(plan, { connect: this.connect, retryDelayMs: 0, ...rest });
    const events: RunEvent[] = [];
    for await (const event of running) {
      events.push(event);
      onEvent?.(event);
    }
    return { events, result: await running.result };
  }

  /** Sessions that the server started meanwhile. */
  async sessionsOf<T>(work: () => Promise<T>): Promise<{ readonly sessions: number; readonly value: T }> {
    const before = this.sshd.sessions();
    const value = await work();
    return { sessions: this.sshd.sessions() - before, value };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sshd.stop();
  }
}

/** Has sessions find this shell as `sh`. */
async function useAsSh(_sshd: Sshd, _shell: LoginShell): Promise<void> {
  await Promise.resolve(dirname("x"));
}

/** Events as text, without what differs from run to run: times, and how output was cut into pieces. */
export function withoutTimes(events: readonly RunEvent[]): unknown[] {
  const told: Record<string, unknown>[] = [];
  const open = new Map<string, Record<string, unknown>>();
  for (const event of events) {
    if (event.type === "step-progress") continue;
    const { atMs: _at, ...rest } = event as RunEvent & { durationMs?: number };
    if ("durationMs" in rest) delete (rest as { durationMs?: number }).durationMs;
    if (event.type === "step-output") {
      const key = `${event.host} ${event.step} ${event.stream}`;
      const before = open.get(key);
      if (before) before.text = String(before.text) + event.text;
      else {
        const kept = { ...rest };
        open.set(key, kept);
        told.push(kept);
      }
      continue;
    }
    if (event.type === "step-end" || event.type === "step-retry") open.clear();
    told.push(rest);
  }
  // Standard output and standard error have no order between them.
  return told.map((one, i) => [one, i] as const).sort(([a, i], [b, j]) => {
    const both = a.type === "step-output" && b.type === "step-output" && a.step === b.step &&
      !told.slice(Math.min(i, j), Math.max(i, j)).some(({ type }) => type !== "step-output");
    return both ? String(a.stream) < String(b.stream) ? 1 : -1 : i - j;
  }).map(([one]) => one);
}
