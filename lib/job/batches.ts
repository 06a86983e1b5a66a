import type { HostShare } from "./job.ts";
import { actionsOf, infoOf, type Plan, type PlannedHost } from "./planned.ts";
import type { StepInfo } from "../base/run_event.ts";

/** Every step that a run of the plan announces: those that every host gets, with what is done last. */
export function stepsOf({ hosts: [first] }: Plan): StepInfo[] {
  return actionsOf([...first?.steps ?? [], ...first?.finally ?? []]).map(infoOf);
}

/** The hosts of a plan in the batches that are worked on one after the other; the last may be smaller. */
export function batchesOf({ hosts, strategy }: Plan): readonly (readonly PlannedHost[])[] {
  const size = strategy.batch === undefined
    ? hosts.length
    : Math.max(1, limitOf(strategy.batch, hosts.length));
  const batches = [];
  for (let i = 0; i < hosts.length; i += size) batches.push(hosts.slice(i, i + size));
  return batches;
}

/** A share as a number of hosts; a percentage is rounded down. */
export function limitOf(share: HostShare | undefined, hosts: number): number {
  if (share === undefined) return Infinity;
  return typeof share === "number" ? share : Math.floor(hosts * parseFloat(share) / 100);
}
