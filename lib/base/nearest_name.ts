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
    const distance = close ? 1 : editDistance(wanted, candidate);
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

/**
 * Letters to put in, take out or exchange (Levenshtein). Not the standard library's: this is reached by whoever
 * connects, and an npm package there keeps a project with a `package.json` from connecting at all.
 */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let row = 1; row <= from.length; row++) {
    const here = [row];
    for (let column = 1; column <= to.length; column++) {
      const exchange = above[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      here.push(Math.min(exchange, above[column]! + 1, here[column - 1]! + 1));
    }
    above = here;
  }
  return above[to.length]!;
}
