import { levenshteinDistance } from "../deps/std_text.ts";

/**
 * The name in `allowed` that `typed` was probably meant to be; undefined where nothing is near enough to be worth
 * suggesting. Case does not count, so that `maxfailures` finds `maxFailures`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(nearestName("tiemout", ["timeout", "retries"]), "timeout");
 * assertEquals(nearestName("colour", ["timeout", "retries"]), undefined);
 * ```
 */
export function nearestName(typed: string, allowed: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase().slice(0, 64);
  const limit = wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length * 0.4));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const name of allowed) {
    const candidate = name.toLowerCase();
    // A word that was cut short (`retr`) or has more behind it (`timeoutSeconds`) is a near miss too, and so
    // is one with its letters in another order.
    const extended = wanted.length >= 3 && candidate.length >= 3 &&
      (candidate.startsWith(wanted) || wanted.startsWith(candidate));
    const close = extended || sorted(wanted) === sorted(candidate);
    const distance = close ? 1 : levenshteinDistance(wanted, candidate);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function sorted(word: string): string {
  return [...word].sort().join("");
}
