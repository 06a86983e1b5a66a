import type { OptionSpec } from "./arguments.ts";

/** Options of `plan` and of `run --dry-run`. */
export const forecastSpecs: readonly OptionSpec[] = [
  { name: "check-guards", kind: "flag" },
  { name: "diff", kind: "flag" },
];

/** The lines about them for a command's help. */
export const forecastHelp = `\
  --check-guards         ask creates and unless on the hosts (what unless says is run there)
  --diff                 compare copies and templates with what lies on the hosts; reads only`;
