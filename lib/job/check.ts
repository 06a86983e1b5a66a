import { nearestName } from "../base/nearest_name.ts";
import { checkWith, type DocumentPath, type Locate } from "./issues.ts";
import type { Job } from "./job.ts";
import type { ActionStep, Step } from "./step.ts";
import { describeValue, JobProblemsError, type Problem } from "./problems.ts";
import { jobSchema, stepSchemas } from "./schema.ts";

type StepKind = keyof typeof stepSchemas;

const stepKinds = Object.keys(stepSchemas) as StepKind[];

/** Where a place is in a job that was written in code: `steps[2].timeout`. */
export const locateInObject = (file: string | undefined): Locate => (path) => {
  const place = path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("").replace(
    /^\./,
    "",
  );
  return { where: [file, place || (file ? undefined : "the job")].filter((part) => part).join(": ") };
};

/**
 * Checks the content of a task file and fills in its defaults.
 *
 * @throws {JobProblemsError} with everything that is wrong, in the file's order.
 */
export function checkJob(
  content: unknown,
  file: string | undefined,
  locate: Locate = locateInObject(file),
): Job {
  const problems: Problem[] = [];
  const top = checkWith(
    jobSchema,
    content,
    [],
    locate,
    (path) => Object.keys(path.length === 0 ? jobSchema.shape : jobSchema.shape.strategy.unwrap().shape),
  );
  if (!top.ok) problems.push(...top.problems);
  // Steps are checked even where the rest is wrong, so that one look at the messages is enough.
  const listed = (content as { steps?: unknown } | null | undefined)?.steps;
  const steps = Array.isArray(listed)
    ? listed.map((step: unknown, i) => checkStep(step, ["steps", i], locate, stepKinds, problems))
    : [];
  if (!top.ok || problems.length > 0) throw new JobProblemsError("Cannot use the task file", problems);
  const { name, hosts, strategy, env } = top.value;
  return {
    checked: true,
    name: name ?? file?.replace(/^.*[\/\\]/, "").replace(/\.[a-z]+$/, "") ?? "job",
    file,
    hosts: hosts ?? [],
    strategy: {
      parallel: strategy.parallel ?? 32,
      batch: strategy.batch,
      maxFailures: strategy.maxFailures,
      maxUnreachable: strategy.maxUnreachable,
    },
    env,
    steps: steps.filter((step) => step !== undefined),
  };
}

function checkStep(
  step: unknown,
  path: DocumentPath,
  locate: Locate,
  kinds: readonly StepKind[],
  problems: Problem[],
): Step | undefined {
  const { where, line, column } = locate(path, "value");
  const say = (why: string, fix: string) => void problems.push({ where, line, column, why, fix });
  const oneOf = kinds.join(", ");
  if (step === null || typeof step !== "object" || Array.isArray(step)) {
    say(`found ${describeValue(step)} for a step`, `a step is a map with one of: ${oneOf}`);
    return undefined;
  }
  const keys = Object.keys(step);
  const [kind, second] = kinds.filter((candidate) => keys.includes(candidate));
  if (kind === undefined) {
    if (keys.includes("parallel")) {
      say("a parallel group inside a parallel group", `put its steps into the outer one: ${oneOf}`);
      return undefined;
    }
    // `exce: ls` names no kind, but the key is the thing to point at.
    for (const key of keys) {
      const nearest = nearestName(key, kinds);
      if (nearest === undefined) continue;
      problems.push({
        ...locate([...path, key], "key"),
        why: `unknown key ${JSON.stringify(key)}`,
        fix: `did you mean ${JSON.stringify(nearest)}? a step has one of: ${oneOf}`,
      });
      return undefined;
    }
    say("the step does not say what to do", `give it one of: ${oneOf}`);
    return undefined;
  }
  if (second !== undefined) {
    say(`the step has both ${JSON.stringify(kind)} and ${JSON.stringify(second)}`, "make it two steps");
    return undefined;
  }
  const shape = Object.keys(stepSchemas[kind].shape);
  const keysAt = () => shape;
  if (kind === "parallel") {
    const group = checkWith(stepSchemas.parallel, step, path, locate, keysAt);
    if (!group.ok) problems.push(...group.problems);
    const listed = (step as { parallel: unknown }).parallel;
    const inner = Array.isArray(listed)
      ? listed.map((child: unknown, i) =>
        checkStep(child, [...path, "parallel", i], locate, ["exec", "copy", "fetch"], problems)
      )
      : [];
    if (!group.ok) return undefined;
    return {
      kind,
      where,
      name: group.value.name,
      steps: inner.filter((child): child is ActionStep => child !== undefined && child.kind !== "parallel"),
    };
  }
  if (kind === "exec") {
    const checked = checkWith(stepSchemas.exec, step, path, locate, keysAt);
    if (!checked.ok) return fail(checked.problems);
    const { exec, name, timeout, retries, env, cwd, creates } = checked.value;
    return { kind, where, name, timeoutMs: timeout, retries, command: exec, env, cwd, creates };
  }
  if (kind === "copy") {
    const checked = checkWith(stepSchemas.copy, step, path, locate, keysAt);
    if (!checked.ok) return fail(checked.problems);
    const { copy, to, name, timeout, retries, creates } = checked.value;
    return { kind, where, name, timeoutMs: timeout, retries, from: copy, to, creates };
  }
  const checked = checkWith(stepSchemas.fetch, step, path, locate, keysAt);
  if (!checked.ok) return fail(checked.problems);
  const { fetch, to, name, timeout, retries } = checked.value;
  return { kind, where, name, timeoutMs: timeout, retries, from: fetch, to };

  function fail(found: readonly Problem[]): undefined {
    problems.push(...found);
  }
}
