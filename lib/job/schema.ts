import { z } from "../deps/zod.ts";
import { parseDuration } from "./duration.ts";

// The convention of this file: a schema's message is the phrase that says what is allowed; check.ts puts "found …"
// before it. Each step kind is its own schema, because the messages of a union of them name all kinds at once.

const text = (allowed: string) =>
  z.string({ error: allowed }).refine((s) => s.trim() !== "", { error: allowed });

const noNul = (allowed: string) =>
  text(allowed).refine((s) => !s.includes("\0"), { error: `${allowed} without NUL` });

const path = noNul("a path");

const durationWords =
  "a duration such as 500ms, 30s, 2m, 1h30m, or a number of seconds (more than 0, under 24 days)";
const duration = z.union([z.string(), z.number()], { error: durationWords }).transform((value, context) => {
  const ms = parseDuration(value);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: durationWords });
  return z.NEVER;
});

const count = (allowed: string, min: number, max: number) =>
  z.int({ error: allowed }).min(min, { error: allowed }).max(max, { error: allowed });

const share = (min: number) => {
  const allowed = `a whole number of at least ${min}, or a percentage such as 25%`;
  return z.union([
    count(allowed, min, 1_000_000),
    z.string().refine((s) => /^\d{1,3}(\.\d+)?%$/.test(s) && parseFloat(s) <= 100, { error: allowed }),
  ], { error: allowed });
};

const envValue = z.union([z.string(), z.number(), z.boolean()], { error: "text, a number, true or false" })
  .transform(String).refine((s) => !s.includes("\0"), { error: "text without NUL" });

const env = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: "a variable name of letters, digits and _, not starting with a digit",
  }),
  envValue,
  { error: "a map of variable names to values" },
);

const stepBase = {
  name: text("a name").optional(),
  timeout: duration.optional(),
  retries: count("a whole number from 0 to 100", 0, 100).default(0),
};

/** What each kind of step allows, by the key that makes a step of that kind. */
export const stepSchemas = {
  exec: z.strictObject({
    exec: noNul("a command line"),
    ...stepBase,
    env: env.default({}),
    cwd: path.optional(),
    creates: path.optional(),
  }),
  copy: z.strictObject({ copy: path, to: path, ...stepBase, creates: path.optional() }),
  fetch: z.strictObject({ fetch: path, to: path, ...stepBase }),
  parallel: z.strictObject({
    parallel: z.array(z.unknown(), { error: "a list of steps" }).min(1, {
      error: "a list of at least one step",
    }),
    name: stepBase.name,
  }),
};

const host = text("a host, a group or a range");

const hostsWords = "a list of hosts, groups and ranges, with at least one";

const hosts = z.union([host.transform((one) => [one]), z.array(host).min(1, { error: hostsWords })], {
  error: hostsWords,
});

/** The file around the steps; each step is checked by its own schema. */
export const jobSchema = z.strictObject({
  name: text("a name").optional(),
  hosts: hosts.optional(),
  strategy: z.strictObject({
    parallel: count("a whole number from 1 to 10000", 1, 10_000).optional(),
    batch: share(1).optional(),
    maxFailures: share(0).optional(),
    maxUnreachable: share(0).optional(),
  }, { error: "a map with parallel, batch, maxFailures, maxUnreachable" }).default({}),
  env: env.default({}),
  steps: z.array(z.unknown(), { error: "a list of steps" }).min(1, { error: "a list of at least one step" }),
}, { error: "a map with hosts and steps" });

/** The inventory file: groups of hosts, other groups among them. */
export const inventorySchema = z.strictObject({
  groups: z.record(
    z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, { error: "a group name of letters, digits, _ . -" }),
    z.union([hosts, z.strictObject({ hosts }).transform((group) => group.hosts)], {
      error: "a list of hosts, groups and ranges, or a map with hosts",
    }),
    { error: "a map of group names to hosts" },
  ),
}, { error: "a map with groups" });
