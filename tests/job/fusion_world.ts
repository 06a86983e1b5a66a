/** A real sshd for jobs whose steps travel together, and whatever shell it takes. */
import { basename, join } from "@std/path";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { type EmulatedLink, emulateLink } from "../../lib/emulator/emulated_link.ts";
import { connect } from "../../lib/host/connect.ts";
import { checkJob } from "../../lib/job/check.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { JobHost } from "../../lib/job/job_host.ts";
import { planJob } from "../../lib/job/plan.ts";
import { runPlan } from "../../lib/job/run.ts";
import type { RunPlanOptions, RunResult } from "../../lib/job/run_all.ts";
import { shell, type ShellName } from "../support/shells.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";

/** A run with everything that it told. */
export interface ToldRun {
  readonly events: readonly RunEvent[];
  readonly result: RunResult;
}

export class FusionWorld implements AsyncDisposable {
  readonly sshd: Sshd;
  /** Between here and the host; undefined unless asked for. */
  readonly link: EmulatedLink | undefined;
  readonly #configFile: string;

  private constructor(sshd: Sshd, link: EmulatedLink | undefined, configFile: string) {
    this.sshd = sshd;
    this.link = link;
    this.#configFile = configFile;
  }

  /** `login`: the account's shell; `sh`: what the host finds as `sh`. Default: the system's; and no emulated link. */
  static async make(
    options: SshdOptions & {
      readonly login?: ShellName;
      readonly sh?: ShellName;
      readonly rttMs?: number;
    } = {},
  ): Promise<FusionWorld> {
    const { login, sh, rttMs, ...rest } = options;
    const loginShell = login === undefined ? {} : { loginShell: await shell(login) };
    const other = sh === undefined ? undefined : await shell(sh);
    const sshd = await startSshd({ ...rest, ...loginShell, ...(other ? { programs: [other.tool] } : {}) });
    if (other) {
      // The first that sessions find in their PATH.
      const bin = join(sshd.dir, "server", "bin");
      const name = join(bin, basename(other.tool.path));
      const words = sh === "bash" ? "--posix" : other.applet ?? "";
      await Deno.writeTextFile(join(bin, "sh"), `#!/bin/sh\nexec '${name}' ${words} "$@"\n`);
      await Deno.chmod(join(bin, "sh"), 0o755);
    }
    if (rttMs === undefined) return new FusionWorld(sshd, undefined, sshd.configFile);
    const link = await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs });
    const configFile = join(sshd.dir, "client", "config_of_the_link");
    const alias = `[${sshd.host}]:${sshd.port}`;
    const lines = `HostName ${link.hostname}\n  Port ${link.port}\n  HostKeyAlias ${alias}\n`;
    await Deno.writeTextFile(
      configFile,
      `Host test\n  ${lines}${await Deno.readTextFile(sshd.configFile)}`,
    );
    return new FusionWorld(sshd, link, configFile);
  }

  /** Without the round trip being known: on loopback it would keep a few steps from travelling together. */
  connect = async (_name: string, { signal }: { readonly signal: AbortSignal }): Promise<JobHost> => {
    const host = await connect("test", { configFile: this.#configFile, share: false, signal });
    const { connection } = host;
    return { ...kept(host), connection, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() };
  };

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
    await this.link?.[Symbol.asyncDispose]();
    await this.sshd.stop();
  }
}

/** A host that stays connected when the run is over, for runs on a warm one. */
export function kept(host: JobHost): JobHost {
  return {
    where: host.where,
    closed: host.closed,
    connection: "carpool-master",
    fuses: host.fuses ?? false,
    exec: (command, options) => host.exec(command, options),
    spawn: (command, options) => host.spawn(command, options),
    copy: (local, remote, options) => host.copy(local, remote, options),
    fetch: (remote, local, options) => host.fetch(remote, local, options),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
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
    if (event.type === "step-end" || event.type === "step-retry") {
      for (const stream of ["stdout", "stderr"]) open.delete(`${event.host} ${event.step} ${stream}`);
    }
    told.push(rest);
  }
  // Standard output and standard error have no order between them.
  return told.map((one, i) => [one, i] as const).sort(([a, i], [b, j]) => {
    const both = a.type === "step-output" && b.type === "step-output" && a.step === b.step &&
      !told.slice(Math.min(i, j), Math.max(i, j)).some(({ type }) => type !== "step-output");
    return both ? String(a.stream) < String(b.stream) ? 1 : -1 : i - j;
  }).map(([one]) => one);
}
