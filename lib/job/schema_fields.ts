/** What one field of a task file may hold, whatever holds the field. */
import { z } from "../deps/zod.ts";
import { parseDuration } from "./duration.ts";
import type { Scope } from "./step_definition.ts";

// The convention of this file and of schema.ts: a schema's message is the phrase that says what is allowed; issues.ts
// puts "found …" before it.

export const text = (allowed: string) =>
  z.string({ error: allowed }).refine((s) => s.trim() !== "", { error: allowed });

export const noNul = (allowed: string) =>
  text(allowed).refine((s) => !s.includes("\0"), { error: `${allowed} without NUL` });

export const path = noNul("a path");

const durationWords =
  "a duration such as 500ms, 30s, 2m, 1h30m, or a number of seconds (more than 0, under 24 days)";
export const duration = z.union([z.string(), z.number()], { error: durationWords }).transform(
  (value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined) return ms;
    context.addIssue({ code: "custom", message: durationWords });
    return z.NEVER;
  },
);

export const count = (allowed: string, min: number, max: number) =>
  z.int({ error: allowed }).min(min, { error: allowed }).max(max, { error: allowed });

export const share = (min: number) => {
  const allowed = `a whole number of at least ${min}, or a percentage such as 25%`;
  return z.union([
    count(allowed, min, 1_000_000),
    z.string().refine((s) => /^\d{1,3}(\.\d+)?%$/.test(s) && parseFloat(s) <= 100, { error: allowed }),
  ], { error: allowed });
};

const envValue = z.union([z.string(), z.number(), z.boolean()], { error: "text, a number, true or false" })
  .transform(String).refine((s) => !s.includes("\0"), { error: "text without NUL" });

export const env = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: "a variable name of letters, digits and _, not starting with a digit",
  }),
  envValue,
  { error: "a map of variable names to values" },
);

export const condition = z.union([
  text("an expression, true or false"),
  z.boolean(),
  z.custom<(scope: Scope) => boolean>((value) => typeof value === "function", {
    error: "an expression, true or false",
  }),
], { error: "an expression, true or false" });

const tagWords = "a tag of letters, digits, _ and -, or a list of them";
const tag = z.string({ error: tagWords }).regex(/^[A-Za-z0-9_-]+$/, { error: tagWords });
export const tags = z.union([tag.transform((one) => [one]), z.array(tag).min(1, { error: tagWords })], {
  error: tagWords,
});

export const flag = z.boolean({ error: "true or false" });
export const list = (allowed: string) => z.array(z.unknown(), { error: allowed }).min(1, { error: allowed });

const userWords = "an account name, or a map with name and by (sudo, su)";
const account = z.string({ error: userWords }).regex(/^(?:[A-Za-z_][A-Za-z0-9_.-]*\$?|.*\{\{.*)$/, {
  error: userWords,
});
export const user = z.union([
  account.transform((name) => ({ name, by: "sudo" as const })),
  z.strictObject({ name: account, by: z.enum(["sudo", "su"], { error: "sudo or su" }).default("sudo") }, {
    error: userWords,
  }),
], { error: userWords });

export const register = z.string({ error: "a name for the result" }).describe(
  "A name under which later expressions find how the step came out: name.ok, .failed, .skipped, .changed, .code, .stdout, " +
    ".stderr, .lines.",
);

const modeWords = 'permission bits in octal, between quotes, as "0644"';
export const mode = z.string({ error: modeWords }).regex(/^0?[0-7]{3,4}$/, { error: modeWords }).transform((
  bits,
) => parseInt(bits, 8)).describe('Permission bits of the files, in octal and between quotes: "0644".');

const ownerWords = "user, user:group or :group";
export const owner = z.string({ error: ownerWords }).regex(
  /^(?:[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)?|:[A-Za-z0-9_.-]+|.*\{\{.*)$/,
  { error: ownerWords },
).describe(
  "Who owns the files: user, user:group or :group. The account that copies must be allowed to give them.",
);
