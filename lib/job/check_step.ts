import { nearestName } from "../base/nearest_name.ts";
import { buildStep, type CheckValue, type IncludeStep, type StepKey } from "./build_step.ts";
import { type ExpressionProblem, nameProblem, syntaxProblem, textProblems } from "./expression.ts";
import { checkWith, type DocumentPath, type Locate } from "./issues.ts";
import { describeValue, type Problem } from "./problems.ts";
import { stepSchemas } from "./schema.ts";
import type { ActionStep, PromptStep, Step } from "./step.ts";
import { stepTexts } from "./step_texts.ts";

/** The keys of all kinds of steps. */
export const stepKeys = Object.keys(stepSchemas) as StepKey[];

/** The kinds that a parallel group and `onFailure` may hold. */
const actionKeys: readonly StepKey[] = ["exec", "script", "copy", "template", "fetch", "wait"];

/** The YAML keys of fields that have another name in a checked step. */
const keyOf = (kind: string, field: string): readonly string[] => {
  const [first = "", ...rest] = field.split(".");
  if (first === "user") return ["user"];
  if (kind === "wait" && ["port", "file", "command"].includes(first)) return ["wait", first];
  if (["command", "path", "from", "message"].includes(first)) return [kind];
  return [first, ...rest];
};

/** Checks the steps of one document; what is wrong goes to `problems`. */
export class StepChecker {
  readonly #locate: Locate;
  readonly #problems: Problem[];

  constructor(locate: Locate, problems: Problem[]) {
    this.#locate = locate;
    this.#problems = problems;
  }

  /** Checks a list of steps at `path`. */
  steps(listed: unknown, path: DocumentPath): readonly (Step | IncludeStep)[] {
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((step: unknown, i) => this.#step(step, [...path, i], stepKeys) ?? []);
  }

  #actions(listed: unknown, path: DocumentPath): readonly ActionStep[] {
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((step: unknown, i) => {
      const checked = this.#step(step, [...path, i], actionKeys);
      return checked === undefined || checked.kind === "parallel" || checked.kind === "include"
        ? []
        : [checked];
    });
  }

  #step(step: unknown, path: DocumentPath, allowed: readonly StepKey[]): Step | IncludeStep | undefined {
    const kind = this.#kindOf(step, path, allowed);
    if (kind === undefined) return undefined;
    const shape = Object.keys(stepSchemas[kind].shape);
    const inner = Object.keys(stepSchemas.wait.shape.wait.shape);
    const keysAt = (at: DocumentPath) =>
      at.length === 0 ? shape : at[0] === "wait" ? inner : at[0] === "reconnect" ? ["after"] : ["name", "by"];
    const check: CheckValue = (key) => {
      const checked = checkWith(stepSchemas[key], step, path, this.#locate, keysAt);
      if (!checked.ok) this.#problems.push(...checked.problems);
      return checked.ok ? checked.value as never : undefined;
    };
    const before = this.#problems.length;
    // The steps inside are checked even where the step around them is wrong.
    const held = step as { readonly parallel?: unknown; readonly onFailure?: unknown };
    const inGroup = kind === "parallel" ? this.#actions(held.parallel, [...path, "parallel"]) : [];
    const onFailure =
      kind !== "parallel" && "onFailure" in shape.reduce((all, key) => ({ ...all, [key]: 1 }), {})
        ? this.#actions(held.onFailure, [...path, "onFailure"])
        : [];
    const { where } = this.#locate(path, "value");
    const built = buildStep(kind, check, { path, where, inGroup, onFailure });
    if (built === undefined || this.#problems.length > before) return undefined;
    this.#checkTexts(built, path);
    return built;
  }

  #kindOf(step: unknown, path: DocumentPath, allowed: readonly StepKey[]): StepKey | undefined {
    const oneOf = allowed.join(", ");
    if (step === null || typeof step !== "object" || Array.isArray(step)) {
      this.#say(path, `found ${describeValue(step)} for a step`, {
        fix: `a step is a map with one of: ${oneOf}`,
      });
      return undefined;
    }
    const keys = Object.keys(step);
    const [kind, second] = allowed.filter((candidate) => keys.includes(candidate));
    if (kind === undefined) {
      const elsewhere = stepKeys.find((key) => keys.includes(key));
      if (elsewhere !== undefined) {
        const what = elsewhere === "parallel"
          ? "a parallel group"
          : `a step with ${JSON.stringify(elsewhere)}`;
        const where = path.at(-2) === "onFailure" ? "onFailure" : "a parallel group";
        const fix = elsewhere === "parallel" && where !== "onFailure"
          ? `put its steps into the outer one: ${oneOf}`
          : `put it among the job's own steps; here one of: ${oneOf}`;
        this.#say(path, `${what} inside ${where}`, { fix });
        return undefined;
      }
      // `exce: ls` names no kind, but the key is the thing to point at.
      for (const key of keys) {
        const nearest = nearestName(key, allowed);
        if (nearest === undefined) continue;
        const fix = `did you mean ${JSON.stringify(nearest)}? a step has one of: ${oneOf}`;
        this.#say([...path, key], `unknown key ${JSON.stringify(key)}`, { fix, of: "key" });
        return undefined;
      }
      this.#say(path, "the step does not say what to do", { fix: `give it one of: ${oneOf}` });
      return undefined;
    }
    if (second !== undefined) {
      const why = `the step has both ${JSON.stringify(kind)} and ${JSON.stringify(second)}`;
      this.#say(path, why, { fix: "make it two steps" });
      return undefined;
    }
    return kind;
  }

  /** Expressions are read now, so that a mistake in the last step is told before the first one runs. */
  #checkTexts(step: Step | IncludeStep, path: DocumentPath): void {
    const tell = (at: readonly PropertyKey[], problem: ExpressionProblem) =>
      this.#say([...path, ...at], problem.why, { fix: problem.fix });
    if (step.kind !== "parallel" && step.kind !== "include") {
      for (const { field, use, text } of stepTexts(step)) {
        for (const problem of textProblems(text, use)) tell(keyOf(step.kind, field), problem);
      }
      const why = step.register === undefined ? undefined : nameProblem(step.register);
      if (why !== undefined) {
        this.#say([...path, "register"], `found ${JSON.stringify(step.register)}`, { fix: why });
      }
    }
    if (step.kind === "prompt") this.#checkDefault(step, path);
    const own = step.kind === "parallel" ? [] : step.when ?? [];
    for (const condition of own) {
      if (typeof condition !== "string") continue;
      if (condition.trim().startsWith("{{")) {
        this.#say([...path, "when"], '"when" is an expression already', { fix: "leave out {{ and }}" });
        continue;
      }
      const problem = syntaxProblem(condition);
      if (problem) tell(["when"], problem);
    }
  }

  #checkDefault({ default: fallback, choices }: PromptStep, path: DocumentPath): void {
    if (choices === undefined || fallback === undefined || choices.includes(fallback)) return;
    this.#say([...path, "default"], `the default ${JSON.stringify(fallback)} is not among the choices`, {
      fix: `choices: ${choices.join(", ")}`,
    });
  }

  #say(
    path: DocumentPath,
    why: string,
    more: { readonly fix?: string | undefined; readonly of?: "key" } = {},
  ) {
    const { fix, of = "value" } = more;
    this.#problems.push({ ...this.#locate(path, of), why, ...(fix === undefined ? {} : { fix }) });
  }
}
