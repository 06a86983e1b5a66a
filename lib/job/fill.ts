import { fillText, holds } from "./expression.ts";
import { ExpressionProblem } from "./expression.ts";
import type { PlannedAction } from "./planned.ts";
import type { Scope } from "./step_definition.ts";
import { mapStepTexts } from "./step_texts.ts";

/** Why the conditions of a step do not hold; undefined where they do. @throws {ExpressionProblem} */
export function unmetCondition(
  { when = [], whenCalls = [] }: PlannedAction,
  scope: Scope,
): string | undefined {
  for (const condition of when) if (!holds(condition, scope)) return `when: ${condition} is false`;
  for (const call of whenCalls) {
    const value: unknown = called(() => call(scope), "when");
    if (value === false) return "when: its function says no";
    if (value !== true) throw new ExpressionProblem("the function of when gives neither true nor false");
  }
  return undefined;
}

/** A step whose text waited for the run, with everything filled in. @throws {CarpoolError} */
export async function fillLate(action: PlannedAction, scope: Scope): Promise<PlannedAction> {
  if (!action.late) return action;
  const { late: _, ...own } = action;
  const call = action.kind === "exec" ? action.commandCall : undefined;
  const filled = mapStepTexts(
    own as PlannedAction,
    ({ field, use, text }) =>
      field === "command" && call || !text.includes("{{") ? text : fillText(text, scope, use),
  );
  if (filled.kind === "exec" && call) {
    const command: unknown = called(() => call(scope), "exec");
    if (typeof command !== "string" || command.trim() === "") {
      throw new ExpressionProblem("the function of exec gives no command line");
    }
    const title = action.name ?? (action.secret ? action.title : command.trim().split("\n")[0]!);
    return { ...filled, command, title };
  }
  if (filled.kind !== "template") return filled;
  const { renderTemplate } = await import("./template.ts");
  return { ...filled, content: renderTemplate(filled.content, filled.from, scope, filled.escape) };
}

function called<T>(call: () => T, what: string): T {
  try {
    return call();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ExpressionProblem(`the function of ${what} failed: ${why}`, undefined, cause);
  }
}
