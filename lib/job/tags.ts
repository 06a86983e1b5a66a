import { UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";

/** Which steps are meant, by their tags. */
export interface TagOptions {
  /** Only steps with one of these, and those tagged `always`. */
  readonly tags?: readonly string[];
  /** No step with one of these. */
  readonly skipTags?: readonly string[];
}

/**
 * Whether a step with these tags is meant. `always` runs whatever `tags` says; `never` runs only when one of the
 * step's other tags, or `never` itself, is asked for.
 */
export function isTagged(own: readonly string[], { tags = [], skipTags = [] }: TagOptions): boolean {
  if (own.some((tag) => skipTags.includes(tag))) return false;
  const asked = own.some((tag) => tags.includes(tag));
  if (own.includes("never")) return asked;
  return tags.length === 0 || asked || own.includes("always");
}

/** @throws {UsageError} for a tag that no step has. */
export function refuseUnknownTags(
  known: ReadonlySet<string>,
  { tags = [], skipTags = [] }: TagOptions,
): void {
  for (const [option, asked] of [["--tags", tags], ["--skip-tags", skipTags]] as const) {
    for (const tag of asked) {
      if (known.has(tag)) continue;
      const nearest = nearestName(tag, [...known]);
      throw new UsageError({
        what: "Cannot plan the job",
        where: `${option} ${tag}`,
        why: "no step has this tag",
        fix: nearest !== undefined
          ? `did you mean ${JSON.stringify(nearest)}?`
          : known.size > 0
          ? `known tags: ${[...known].sort().join(", ")}`
          : "no step has tags",
      }, "bad-value");
    }
  }
}
