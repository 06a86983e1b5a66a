/** Milliseconds in each unit that a duration may use. */
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `500ms`, `30s`, `2m`, `1h30m`, `1.5h`, or a number of seconds, as milliseconds; undefined where it is none,
 * or not more than zero, or longer than a timer can wait (24 days).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseDuration("1h30m"), 5_400_000);
 * assertEquals(parseDuration(2.5), 2500);
 * assertEquals(parseDuration("soon"), undefined);
 * ```
 */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === "number" || /^\d+(\.\d+)?$/.test(value)) return within(Number(value) * 1000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (units[unit!] ?? NaN);
  }
  return within(total);
}

function within(ms: number): number | undefined {
  // setTimeout wraps around past 2^31-1 and would fire at once.
  return ms > 0 && ms < 2 ** 31 ? Math.round(ms) : undefined;
}
