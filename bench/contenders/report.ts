import process from "node:process";
import { CarpoolError } from "../../lib/base/errors.ts";

/** What a contender's program prints, as one line of JSON, when it is done. */
export interface ContenderReport {
  /** Wall time of what was to be measured, in all. */
  readonly totalMs: number;
  readonly operations: number;
  /** CPU time of this process over the same stretch, user and system. */
  readonly cpuMs: number;
  readonly more?: Readonly<Record<string, number | string>>;
}

/** Measures wall and CPU time of `work`, which says how many operations it did. */
export async function measured(
  work: () => Promise<{ operations: number; more?: ContenderReport["more"] }>,
): Promise<ContenderReport> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const { operations, more } = await work();
  const totalMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  return { totalMs, operations, cpuMs: (user + system) / 1000, more };
}

/** Prints a report for the runner. */
export function tell(report: ContenderReport): void {
  console.log(JSON.stringify(report));
}

/** What was measured did not do what it was to do. */
export function broken(why: string): CarpoolError {
  return new CarpoolError("bench", { what: "Cannot measure", why });
}
