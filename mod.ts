/**
 * Carpool: one SSH connection per host, every command rides along.
 *
 * ```ts ignore
 * import { connect } from "./mod.ts";
 * await using web = await connect("deploy@web1");
 * console.log((await web.exec("uname -sr")).stdout);
 * ```
 *
 * Run as a program it is the `carpool` command.
 *
 * What stands here loads little: each function brings in its part when it is first called, so that a program which only
 * imports Carpool, and `carpool --help`, start as fast as one that does not.
 *
 * @module
 */
import type { ConnectOptions } from "./lib/host/connect.ts";
import { Fleet, type FleetAnswer, type FleetHost, type FleetOptions } from "./lib/host/fleet.ts";
import type { Host } from "./lib/host/host.ts";
import type { FindHostsOptions } from "./lib/job/find_hosts.ts";
import type { HostEntry } from "./lib/job/inventory.ts";
import type { MasterInfo } from "./lib/master/master.ts";

export {
  CarpoolError,
  ChannelError,
  type ChannelErrorCode,
  type CommandEnd,
  CommandError,
  CopyError,
  type CopyErrorCode,
  type ErrorParts,
  ForwardError,
  type ForwardErrorCode,
  HostKeyError,
  type HostKeyErrorCode,
  JobFileError,
  LinkError,
  type LinkErrorCode,
  MasterError,
  type MasterErrorCode,
  type Outcome,
  ProtocolError,
  TargetError,
  type TargetErrorCode,
  UsageError,
} from "./lib/base/errors.ts";
export type {
  ConnectionKind,
  ErrorInfo,
  EventBase,
  HostEndEvent,
  HostEventBase,
  HostReadyEvent,
  HostStartEvent,
  HostStatus,
  HostUnreachableEvent,
  RunEndEvent,
  RunEvent,
  RunStartEvent,
  StepCounts,
  StepEndEvent,
  StepEventBase,
  StepInfo,
  StepKind,
  StepOutputEvent,
  StepProgressEvent,
  StepRetryEvent,
  StepSkipEvent,
  StepStartEvent,
  StepStatus,
} from "./lib/base/run_event.ts";
export type { Forward } from "./lib/channel/forward/forward.ts";
export type {
  Endpoint,
  ForwardKind,
  ForwardRequest,
  ForwardSpec,
  ListenText,
} from "./lib/channel/forward/forward_spec.ts";
export type { CloseInfo } from "./lib/channel/link.ts";
export type { CopyOptions, CopyProgress, CopyResult } from "./lib/host/copy_options.ts";
export type { ExecOptions, ExecResult, PtyOptions } from "./lib/host/exec_options.ts";
export type { FindHostsOptions, FleetAnswer, FleetHost, FleetOptions, HostEntry };
export { Fleet };
export type { HostLoad, ShellValue, SpawnOptions } from "./lib/host/host.ts";
export type { Host };
export type { RemoteProcess, RemoteStatus } from "./lib/host/remote_process.ts";
export {
  type HostShare,
  type Job,
  job,
  type JobDefinition,
  type Strategy,
  type StrategyDefinition,
  type VarsDefinition,
  type VarSource,
  type VarValue,
} from "./lib/job/job.ts";
export type {
  ActionStep,
  ConfirmStep,
  CopyStep,
  ExecStep,
  FetchStep,
  IncludeScope,
  ParallelStep,
  PromptStep,
  ReconnectStep,
  ScriptStep,
  Step,
  StepBase,
  StepCondition,
  StepUser,
  TemplateStep,
  WaitStep,
} from "./lib/job/step.ts";
export type {
  ActionStepDefinition,
  Condition,
  ConfirmStepDefinition,
  CopyStepDefinition,
  Duration,
  EnvDefinition,
  ExecStepDefinition,
  FetchStepDefinition,
  IncludeStepDefinition,
  ParallelStepDefinition,
  PromptStepDefinition,
  ReconnectStepDefinition,
  Scope,
  ScriptStepDefinition,
  StepDefinition,
  StepDefinitionBase,
  StepDefinitionConditions,
  TemplateStepDefinition,
  UserDefinition,
  WaitDefinition,
  WaitStepDefinition,
} from "./lib/job/step_definition.ts";
export type { HostVars } from "./lib/job/inventory_content.ts";
export type { InventoryPlaces } from "./lib/job/load_inventory.ts";
export { loadJob, type LoadOptions } from "./lib/job/load.ts";
export type { PlanJobOptions } from "./lib/job/make_plan.ts";
export type { JobRun } from "./lib/job/run.ts";
export type { RunResult } from "./lib/job/run_all.ts";
export type { HostResult } from "./lib/job/run_host.ts";
export { runJob, type RunJobOptions } from "./lib/job/run_job.ts";
export type { ConnectOptions, MasterInfo };
export type { Destination, StrictHostKeyChecking, Target, TargetOptions } from "./lib/target/target.ts";
export type { Prompter } from "./lib/target/prompter.ts";

/**
 * Connects to a host: an alias of `ssh_config`, `user@host:port`, `ssh://…`. Rides the live master of the same
 * identity, or starts one that outlives this process by its linger time; `controlMaster: "no"` makes a private
 * connection. Rejects with `TargetError` (nothing was contacted), `LinkError` or `HostKeyError`, each saying what
 * failed, where, why, and what to do.
 *
 * ```ts ignore
 * await using web = await connect("deploy@web1");
 * const { code, stdout } = await web.exec("uname -sr");
 * ```
 */
export async function connect(destination: string, options: ConnectOptions = {}): Promise<Host> {
  return await (await import("./lib/host/connect.ts")).connect(destination, options);
}

/**
 * Many hosts as one. Nothing is contacted until there is something to do; each host is connected to once, and stays so
 * until the fleet is disposed. Hosts are patterns as `carpool hosts` takes them, `"web[01-20],!web07"`, with groups from
 * the option `groups`; or what {@linkcode findHosts} gives. Throws `TargetError` for a pattern that cannot be read.
 *
 * ```ts ignore
 * await using all = fleet(["web[01-20]", "!web07", "db1"], { parallel: 32 });
 * for await (const { host, result, error } of all.exec("uptime")) console.log(host, result?.stdout ?? error);
 * ```
 */
export function fleet(hosts: readonly (string | FleetHost)[], options: FleetOptions = {}): Fleet {
  return new Fleet(hosts, options);
}

/**
 * The hosts that patterns stand for, each with its groups, variables and connection options, as the inventory has them:
 * `inventory.yaml` in the current directory, or the file that `inventory` names (Carpool's YAML, Ansible's INI, YAML or
 * JSON, a program that prints JSON). Contacts nobody. Throws `TargetError` or `UsageError` for a pattern, `JobFileError`
 * for an inventory that cannot be used.
 *
 * ```ts ignore
 * await using web = fleet(await findHosts("@web&@berlin", { inventory: "hosts.ini" }));
 * ```
 */
export async function findHosts(
  patterns: string | readonly string[],
  options: FindHostsOptions = {},
): Promise<readonly HostEntry[]> {
  return await (await import("./lib/job/find_hosts.ts")).findHosts(patterns, options);
}

/** Every live master of this user's: Carpool's own, and the OpenSSH masters it rides. */
export async function masters(): Promise<MasterInfo[]> {
  return await (await import("./lib/master/keeper_client.ts")).listMasters();
}

if (import.meta.main) {
  // Not a literal path: a program that imports this module has no use for the command line, its reports and the demo
  // in its module graph. `deno cache` and `deno install` go by the type, and fetch them too.
  const { main }: typeof import("./lib/cli/main.ts") = await import(
    new URL("./lib/cli/main.ts", import.meta.url).href
  );
  Deno.exit(await main(Deno.args));
}
