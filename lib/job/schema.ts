import { z } from "../deps/zod.ts";
import type { VarSource } from "./job.ts";
import {
  condition,
  count,
  duration,
  env,
  flag,
  list,
  mode,
  noNul,
  owner,
  path,
  register,
  share,
  tags,
  text,
  user,
} from "./schema_fields.ts";
import type { Scope } from "./step_definition.ts";

const conditions = {
  name: text("a name").optional().describe("For people; without it the step is called by what it does."),
  when: condition.optional().describe("Run the step only where this expression is true."),
  tags: tags.optional().describe(
    "For --tags and --skip-tags. Steps tagged always run whatever --tags says; steps tagged never run only when " +
      "one of their tags is asked for.",
  ),
};

const timeout = duration.optional().describe("How long one attempt may take; without it there is no limit.");

const stepBase = {
  ...conditions,
  env: env.default({}).describe("Environment variables, added to those of the job."),
  cwd: path.optional().describe(
    "Remote directory to run in, and that relative remote paths start from; {host} is the host's name.",
  ),
  user: user.optional().describe(
    "Become this account for the step, by sudo or su. A password is asked for once in a run, where one is needed.",
  ),
  timeout,
  retries: count("a whole number from 0 to 100", 0, 100).default(0).describe(
    "Further attempts when one failed.",
  ),
  delay: duration.optional().describe("Between two attempts; without it 1 s, doubling up to 10 s."),
  creates: path.optional().describe(
    "Skip the step when this remote path exists; relative to cwd, {host} is the host's name.",
  ),
  unless: noNul("a command line").optional().describe("Skip the step when this remote command succeeds."),
  register: register.optional(),
  ignoreErrors: flag.optional().describe("Go on with the next step when this one failed."),
  onFailure: list("a list of steps").optional().describe(
    "Steps for when this one has failed, after its retries; the host has failed all the same.",
  ),
  quiet: flag.optional().describe("Show the output only when the step fails."),
  secret: flag.optional().describe("Show neither command nor output, ever."),
};

const what = { to: path.describe("Remote path; {host} is the host's name.") };

// Each kind of step is its own schema, because the messages of a union of them name all kinds at once.

/** What each kind of step allows, by the key that makes a step of that kind. */
export const stepSchemas = {
  exec: z.strictObject({
    exec: z.union([
      noNul("a command line"),
      z.custom<(scope: Scope) => string>((value) => typeof value === "function", { error: "a command line" }),
    ], { error: "a command line" }).describe("The command; the account's login shell reads it."),
    ...stepBase,
  }).describe("Runs a command."),
  script: z.strictObject({
    script: path.describe("Local path of the script."),
    args: z.array(z.union([z.string(), z.number()], { error: "text or a number" }).transform(String), {
      error: "a list of arguments",
    }).default([]).describe("Its arguments; each stays one word."),
    interpreter: text("a program, with its options").optional().describe(
      "The program that reads it; without it what its #! line says, or sh.",
    ),
    ...stepBase,
  }).describe("Runs a local script on the host; nothing of it stays there."),
  copy: z.strictObject({
    copy: path.describe(
      "Local path; {host} is the host's name. With a slash at its end, its content is meant.",
    ),
    ...what,
    mode: mode.optional(),
    owner: owner.optional(),
    exclude: z.union([path.transform((one) => [one]), z.array(path)], {
      error: "a pattern, or a list of them",
    })
      .optional().describe(
        "What stays here: names (.git), patterns (*.map), paths below the source (cache/**).",
      ),
    ...stepBase,
  }).describe("Copies a local file or tree to the host."),
  template: z.strictObject({
    template: path.describe("Local path of a Liquid template; {host} is the host's name."),
    to: path.describe("Remote path of the file; {host} is the host's name."),
    mode: mode.optional(),
    owner: owner.optional(),
    escape: z.enum(["html", "shell", "json", "none"], { error: "html, shell, json or none" }).optional()
      .describe(
        "How values are made safe; without it html for .html, .htm, .xml and .svg, shell for .sh and .bash, json " +
          "for .json, else none.",
      ),
    ...stepBase,
  }).describe("Fills in a local template and writes it to the host, as one file that is whole at any time."),
  fetch: z.strictObject({
    fetch: path.describe("Remote path; {host} is the host's name."),
    to: path.describe("Local path; with more than one host it needs {host}."),
    ...stepBase,
  }).describe("Copies a remote file or tree to this machine."),
  wait: z.strictObject({
    wait: z.strictObject({
      port: z.union([
        count("a port from 1 to 65535, or host:port", 1, 65_535).transform(String),
        z.string().regex(/^(?:.+:)?(?:\d{1,5}|\{\{.*\}\})$/, {
          error: "a port from 1 to 65535, or host:port",
        }),
      ], { error: "a port from 1 to 65535, or host:port" }).optional().describe(
        "A TCP port that answers, as the host sees it: 8080, db1:5432.",
      ),
      file: path.optional().describe("A remote path that exists; {host} is the host's name."),
      command: noNul("a command line").optional().describe("A remote command that succeeds."),
      interval: duration.default(1000).describe("Between two looks."),
    }, { error: "a map with port, file or command" }).refine(
      (wait) => [wait.port, wait.file, wait.command].filter((one) => one !== undefined).length === 1,
      { error: "a map with one of port, file and command" },
    ).describe("What for: one of port, file and command."),
    ...stepBase,
  }).describe("Waits for something on the host; timeout is for all of it, without it 5 m."),
  reconnect: z.strictObject({
    reconnect: z.union([
      z.literal(true).transform(() => ({ after: 0 })),
      z.strictObject({ after: duration.default(0) }),
    ], { error: "true, or a map with after" }).describe(
      "true, or how long to wait (after) before the first attempt, as a host needs to go down for a reboot.",
    ),
    ...conditions,
    timeout,
  }).describe(
    "Logs in anew: after a reboot, or to see new groups; timeout is for all of it, without it 5 m.",
  ),
  prompt: z.strictObject({
    prompt: text("a question").describe("The question."),
    register: z.string({ error: "a name for the answer" }).describe(
      "The name under which later expressions find the answer.",
    ),
    default: z.string({ error: "text" }).optional().describe(
      "The answer where nobody can be asked, and for an empty one.",
    ),
    choices: z.array(z.string({ error: "text" }), { error: "a list of answers" }).min(1).optional().describe(
      "The only answers that are taken.",
    ),
    ...conditions,
    secret: flag.optional().describe("No echo; the answer is in no event."),
  }).describe("Asks whoever runs the job, once for all hosts, when the first of them comes here."),
  confirm: z.strictObject({
    confirm: text("a question").describe("The question."),
    default: flag.optional().describe("The answer where nobody can be asked, and for an empty one."),
    ...conditions,
  }).describe("Asks for a yes, once for all hosts; a no stops the hosts that are not beyond it."),
  parallel: z.strictObject({
    parallel: list("a list of at least one step").describe("The steps; groups cannot be nested."),
    ...conditions,
  }).describe("Runs steps at once on the host's one connection; the group fails when one of them does."),
  include: z.strictObject({
    include: path.describe("The other task file, relative to this one."),
    vars: z.record(z.string(), z.unknown(), { error: "a map of names to values" }).optional().describe(
      "Variables for its steps; they come before its own.",
    ),
    ...conditions,
  }).describe("Puts the before, steps and after of another task file in this place."),
};

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const varWords = "text, a number, true, false, a list, or a map with value, env, file, default, secret";
const vars = z.record(
  z.string(),
  z.union([
    scalar.transform((value): VarSource => ({ value })),
    z.array(z.unknown()).transform((value): VarSource => ({ value })),
    z.strictObject({
      value: z.unknown().describe("The value itself; it may be a map here."),
      env: text("the name of an environment variable").optional().describe(
        "The environment variable of this machine that has it.",
      ),
      file: path.optional().describe("The local file that has it, relative to the task file."),
      default: z.unknown().describe("Where neither is there; without it that is an error."),
      secret: flag.optional().describe("Keep it out of every event and report."),
    }).partial(),
  ], { error: varWords }),
  { error: "a map of names to values" },
);

const host = text("a host, a group or a range");

const hostsWords = "a list of hosts, groups and ranges, with at least one";

const hosts = z.union([host.transform((one) => [one]), z.array(host).min(1, { error: hostsWords })], {
  error: hostsWords,
});

/** How a job goes over its hosts. */
const strategy = z.strictObject({
  parallel: count("a whole number from 1 to 10000", 1, 10_000).optional().describe(
    "Hosts worked on at once; without it 32.",
  ),
  batch: share(1).optional().describe(
    "Hosts go in batches of this size (a number, or a share such as 25%), each begun when the one before is done.",
  ),
  maxFailures: share(0).optional().describe(
    "More failed hosts than this (a number, or a share), and no further host is begun.",
  ),
  maxUnreachable: share(0).optional().describe("The same for hosts that cannot be reached; counted apart."),
  order: z.enum(["free", "linear"], { error: "free or linear" }).optional().describe(
    "free (default): each host at its own pace; linear: a step begins when all hosts of the batch have done the " +
      "one before.",
  ),
}, { error: "a map with parallel, batch, maxFailures, maxUnreachable, order" });

/** The file around the steps; each step is checked by its own schema. */
export const jobSchema = z.strictObject({
  name: text("a name").optional().describe("For people; without it the file's name."),
  hosts: hosts.optional().describe(
    "Inventory groups, ssh_config aliases, user@host:port, web[01-20]; may be left to --hosts.",
  ),
  strategy: strategy.default({}).describe("How the job goes over its hosts."),
  env: env.default({}).describe("Environment variables of every command."),
  vars: vars.default({}).describe("Variables of expressions; --vars-file and --var come before them."),
  before: list("a list of at least one step").optional().describe("Done on each host before steps."),
  steps: z.array(z.unknown(), { error: "a list of steps" }).min(1, { error: "a list of at least one step" })
    .describe("What is done on each host, in this order, until the first that fails."),
  after: list("a list of at least one step").optional().describe(
    "Done on each host where all steps were well.",
  ),
  finally: list("a list of at least one step").optional().describe(
    "Done last on each host that was reached, whatever happened; expressions see failed.",
  ),
}, { error: "a map with hosts and steps" });
