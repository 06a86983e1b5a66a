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
  const problems = result.error.issues.flatMap((issue) => tell(issue, [])).map(toProblem);
  return { ok: false, problems };

  function toProblem(
    { issue, path }: { issue: Issue; path: DocumentPath },
  ): Problem & { path: DocumentPath } {
    const full = [...base, ...path];
    const name = String(full.findLast((key) => typeof key === "string") ?? "the file");
    if (issue.code === "unrecognized_keys") {
      const key = String(path.at(-1));
      const allowed = keysAt(path.slice(0, -1));
      const nearest = nearestName(key, allowed);
      return {
        path: full,
        ...locate(full, "key"),
        why: `unknown key ${JSON.stringify(key)}`,
        fix: (nearest ? `did you mean ${JSON.stringify(nearest)}? ` : "") +
          `Allowed here: ${allowed.join(", ")}`,
      };
    }
    if (issue.code === "invalid_key") {
      const allowed = "issues" in issue ? issue.issues[0]?.message : undefined;
      return {
        path: full,
        ...locate(full, "key"),
        why: `found the key ${JSON.stringify(String(path.at(-1)))}`,
        fix: `Allowed here: ${allowed ?? issue.message}`,
      };
    }
    const found = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value);
    if (found === undefined && path.length > 0) {
      return {
        path: full,
        ...locate(full.slice(0, -1), "value"),
        why: `${JSON.stringify(name)} is missing`,
        fix: `Give it ${issue.message}`,
      };
    }
    const hint = typeof found === "boolean" || typeof found === "number" ? ` (text needs quotes here)` : "";
    const wantsText = /path|command|name|host/.test(issue.message) ? hint : "";
    return {
      path: full,
      ...locate(full, "value"),
      why: `found ${describeValue(found)}${name === "the file" ? "" : ` for ${JSON.stringify(name)}`}`,
      fix: `Allowed here: ${issue.message}${wantsText}`,
    };
  }
}

/** Unfolds unions: the branch that got deepest is the one that was meant; where none did, the union speaks. */
function tell(issue: Issue, above: DocumentPath): { issue: Issue; path: DocumentPath }[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ issue, path: [...path, key] }));
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((branch) =>
      branch.some((inner) => inner.path.length > 0 || inner.code !== "invalid_type")
    );
    if (meant) return meant.flatMap((inner) => tell(inner as Issue, path));
  }
  return [{ issue, path }];
}
