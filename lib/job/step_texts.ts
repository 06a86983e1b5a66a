import type { TextUse } from "./expression.ts";

/** One text of a step that expressions may stand in. */
export interface StepText {
  /** The field of a checked or planned step: `command`, `env.APP`, `args.0`. */
  readonly field: string;
  readonly use: TextUse;
  readonly text: string;
}

/** What a step has that is walked here; checked and planned steps share these names. */
type WithTexts = { readonly kind: string } & Readonly<Record<string, unknown>>;

const plainFields: Readonly<Record<string, readonly string[]>> = {
  script: ["path", "interpreter"],
  copy: ["from", "to", "owner"],
  template: ["from", "to", "owner"],
  fetch: ["from", "to"],
  wait: ["port", "file"],
  prompt: ["message", "default"],
  confirm: ["message"],
};

const shellFields: Readonly<Record<string, readonly string[]>> = { exec: ["command"], wait: ["command"] };

/**
 * A copy of a step with each of its texts replaced by what `change` makes of it; where nothing changes, the step
 * itself. The steps of `onFailure` are not walked.
 */
export function mapStepTexts<T extends { readonly kind: string }>(
  step: T,
  change: (text: StepText) => string,
): T {
  const from = step as unknown as WithTexts;
  const changed: Record<string, unknown> = {};
  const one = (field: string, use: TextUse, value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return change({ field, use, text: value });
  };
  const put = (field: string, use: TextUse) => {
    const value = one(field, use, from[field]);
    if (value !== from[field]) changed[field] = value;
  };
  for (const field of ["name", "title", "cwd", "creates", ...plainFields[from.kind] ?? []]) {
    put(field, "plain");
  }
  for (const field of ["unless", ...shellFields[from.kind] ?? []]) put(field, "shell");
  const env = from.env as Readonly<Record<string, string>> | undefined;
  if (env) {
    const entries = Object.entries(env).map(([name, value]) =>
      [name, one(`env.${name}`, "plain", value)] as const
    );
    if (entries.some(([name, value]) => value !== env[name])) changed.env = Object.fromEntries(entries);
  }
  for (const field of ["args", "exclude"]) {
    const list = from[field] as readonly string[] | undefined;
    const mapped = list?.map((value, i) => one(`${field}.${i}`, "plain", value));
    if (list && mapped?.some((value, i) => value !== list[i])) changed[field] = mapped;
  }
  const user = from.user as { readonly name: string } | undefined;
  const name = one("user.name", "plain", user?.name);
  if (name !== user?.name) changed.user = { ...user, name };
  return Object.keys(changed).length === 0 ? step : { ...step, ...changed };
}

/** The texts of a step. */
export function stepTexts(step: { readonly kind: string }): readonly StepText[] {
  const texts: StepText[] = [];
  mapStepTexts(step, (text) => {
    texts.push(text);
    return text.text;
  });
  return texts;
}

/** Whether a step has expressions or conditions, so that it has to be filled in for each host. */
export function needsFilling(
  step: { readonly kind: string; readonly when?: unknown; readonly scopes?: unknown },
): boolean {
  return step.when !== undefined || step.scopes !== undefined ||
    stepTexts(step).some(({ text }) => text.includes("{{"));
}
