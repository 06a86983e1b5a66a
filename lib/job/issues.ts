import type { z } from "../deps/zod.ts";
import { nearestName } from "../base/nearest_name.ts";
import { describeValue, type Problem } from "./problems.ts";

/** A place in a document: map keys and list indexes from the top. */
export type DocumentPath = readonly PropertyKey[];

/** Where a place is in the text: of its value, or of its key where the key itself is wrong. */
export type Locate = (
  path: DocumentPath,
  of: "value" | "key",
) => { readonly where: string; readonly line?: number; readonly column?: number };

/** The outcome of {@linkcode checkWith}: the checked value, or what is wrong with it. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

type Issue = z.core.$ZodIssue;

/**
 * Checks `value`, which lies at `base` in its document, and says what is wrong with it in our words: what was found
 * and what is allowed. `keysAt` names the keys that a map allows, by its path below `base`.
 */
export function checkWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  base: DocumentPath,
  locate: Locate,
  keysAt: (path: DocumentPath) => readonly string[],
): Checked<z.output<S>> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const told = result.error.issues.flatMap((issue) => tell(issue, [])).map(toProblem);
  // Where `group` stands for `groups`, saying that `groups` is missing as well helps nobody.
  const meant = new Set(told.map((one) => one.meant));
  return {
    ok: false,
    problems: told.filter((one) => one.missing === undefined || !meant.has(one.missing)).map((one) =>
      one.problem
    ),
  };

  function toProblem({ issue, path }: { issue: Issue; path: DocumentPath }): Told {
    const full = [...base, ...path];
    const parent = path.slice(0, -1);
    const key = String(path.at(-1));
    const name = full.findLast((one) => typeof one === "string");
    if (issue.code === "unrecognized_keys") {
      const allowed = keysAt(parent);
      const nearest = nearestName(key, allowed);
      const hint = nearest === undefined ? "" : `did you mean ${JSON.stringify(nearest)}? `;
      const fix = `${hint}allowed here: ${allowed.join(", ")}`;
      const problem = { ...locate(full, "key"), why: `unknown key ${JSON.stringify(key)}`, fix };
      return nearest === undefined ? { problem } : { problem, meant: JSON.stringify([...parent, nearest]) };
    }
    if (issue.code === "invalid_key") {
      const fix = `allowed here: ${issue.issues[0]?.message ?? issue.message}`;
      return { problem: { ...locate(full, "key"), why: `found the key ${JSON.stringify(key)}`, fix } };
    }
    const found = path.reduce<unknown>(
      (at, one) => (at as Record<PropertyKey, unknown> | undefined)?.[one],
      value,
    );
    if (found === undefined && path.length > 0) {
      const place = locate(full.slice(0, -1), "value");
      const problem = { ...place, why: `${JSON.stringify(key)} is missing`, fix: `give it ${issue.message}` };
      return { problem, missing: JSON.stringify(path) };
    }
    const isBare = typeof found === "boolean" || typeof found === "number";
    const hint = isBare && /path|command|name|host/.test(issue.message) ? " (text needs quotes here)" : "";
    const why = `found ${describeValue(found)}${name === undefined ? "" : ` for ${JSON.stringify(name)}`}`;
    return { problem: { ...locate(full, "value"), why, fix: `allowed here: ${issue.message}${hint}` } };
  }
}

/** A problem, and what it says about others: the missing key, or the key that an unknown one was meant to be. */
interface Told {
  readonly problem: Problem;
  readonly missing?: string;
  readonly meant?: string;
}

/** Unfolds unions: the branch that got deepest is the one that was meant; where none did, the union speaks. */
function tell(issue: Issue, above: DocumentPath): { issue: Issue; path: DocumentPath }[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ issue, path: [...path, key] }));
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((branch) => branch.some((inner) => isEngaged(inner as Issue)));
    if (meant) return meant.flatMap((inner) => tell(inner as Issue, path));
  }
  return [{ issue, path }];
}

/** Whether a branch of a union took the value for its own before it found fault with it. */
function isEngaged(issue: Issue): boolean {
  if (issue.path.length > 0) return true;
  if (issue.code === "invalid_union") {
    return issue.errors.some((branch) => branch.some((i) => isEngaged(i as Issue)));
  }
  return issue.code !== "invalid_type";
}
