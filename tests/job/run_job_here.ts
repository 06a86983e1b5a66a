import type { RunEvent } from "../../lib/base/run_event.ts";
import { checkJob } from "../../lib/job/check.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { JobHost } from "../../lib/job/job_host.ts";
import { planJob, type PlanOptions } from "../../lib/job/plan.ts";
import { runPlan } from "../../lib/job/run.ts";
import type { RunPlanOptions, RunResult } from "../../lib/job/run_all.ts";
import type { Prompter } from "../../lib/target/prompter.ts";

/** What a job did. */
export interface Told {
  readonly events: readonly RunEvent[];
  readonly result: RunResult;
  /** Everything that was told, as JSON. */
  readonly text: string;
  /** What steps wrote, by step. */
  readonly output: Readonly<Record<string, string>>;
  /** What became of each step, in the order of their ends: `1 ok`, `2 skipped`. */
  readonly ends: readonly string[];
}

/** Plans a job and runs it over hosts that are made here. */
export async function runJobOn(
  definition: JobDefinition,
  hosts: Readonly<Record<string, (name: string) => JobHost>>,
  options: PlanOptions & Omit<Partial<RunPlanOptions>, "prompter" | "signal"> & {
    readonly prompter?: Prompter;
    readonly signal?: AbortSignal;
    readonly hostVars?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly onEvent?: (event: RunEvent) => void;
  } = {},
): Promise<Told> {
  const { prompter, hostVars = {}, onEvent } = options;
  const entries = Object.keys(hosts).map((host) => ({
    host,
    group: undefined,
    ...(hostVars[host] ? { vars: hostVars[host] } : {}),
  }));
  const plan = await planJob(checkJob(definition, undefined), entries, options);
  const running = runPlan(plan, {
    retryDelayMs: 0,
    ...options,
    connect: (name) => Promise.resolve(hosts[name]!(name)),
    prompter: () => Promise.resolve(prompter!),
  });
  const events: RunEvent[] = [];
  for await (const event of running) {
    events.push(event);
    onEvent?.(event);
  }
  const output: Record<string, string> = {};
  const ends: string[] = [];
  for (const event of events) {
    if (event.type === "step-output") output[event.step] = (output[event.step] ?? "") + event.text;
    if (event.type === "step-end") {
      ends.push(`${event.step} ${event.status}${event.ignored ? " ignored" : ""}`);
    }
    if (event.type === "step-skip") ends.push(`${event.step} skipped`);
  }
  return { events, result: await running.result, text: JSON.stringify(events), output, ends };
}

/** Somebody at a terminal who gives these answers, in order, and notes what was asked. */
export function answering(...answers: readonly (string | null)[]): Prompter & { readonly asked: string[] } {
  const asked: string[] = [];
  const left = [...answers];
  const answer = (prompt: string) => {
    asked.push(prompt);
    return Promise.resolve(left.length > 0 ? left.shift()! : null);
  };
  return { interactive: true, asked, secret: answer, line: answer, notice: (text) => void asked.push(text) };
}
