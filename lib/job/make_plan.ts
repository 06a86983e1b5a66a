import { explainMissingPackage } from "../base/load_package.ts";
import { findHosts } from "./find_hosts.ts";
import type { Job, JobDefinition } from "./job.ts";
import { type Plan, planJob } from "./plan.ts";

/** What planning a job may be given. */
export interface PlanJobOptions {
  /** Instead of the job's own hosts: groups, destinations, ranges, with `&` and `!` between them. */
  readonly hosts?: string | readonly string[];
  /** Instead of the inventory.yaml beside the task file or in the current directory. */
  readonly inventory?: string;
  /** Only those of the hosts that this pattern names too. */
  readonly limit?: string | readonly string[];
  /** None of the hosts that this pattern names. */
  readonly exclude?: string | readonly string[];
  /** The ssh_config whose aliases `@ssh_config` and wildcards know. */
  readonly configFile?: string;
  /** What local paths are relative to; default: the current directory. */
  readonly cwd?: string;
  /** Values of the job's variables; they win over everything else. Text takes the kind that the task file has. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** YAML or JSON files with values of variables; a later one wins. */
  readonly varsFiles?: readonly string[];
  /** Only steps with one of these tags, and those tagged `always`. */
  readonly tags?: readonly string[];
  /** No step with one of these tags. */
  readonly skipTags?: readonly string[];
}

/**
 * Everything that `runJob` would do, without doing it: hosts resolved, every step filled in, local files
 * looked for. Contacts nobody.
 *
 * @throws {CarpoolError} for a job, an inventory or a host pattern that cannot be used.
 */
export async function makePlan(job: Job | JobDefinition, options: PlanJobOptions = {}): Promise<Plan> {
  const checked = "checked" in job
    ? job
    : (await explainMissingPackage(() => import("./check.ts"))).checkJob(job, undefined);
  const hosts = await findHosts(options.hosts ?? checked.hosts, { ...options, taskFile: checked.file });
  return await planJob(checked, hosts, options);
}
