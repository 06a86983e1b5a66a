import { expressionsOf, fillText, holds } from "./expression.ts";
import { includeScope, type PlanScopes } from "./plan_scope.ts";
import type { ActionStep } from "./step.ts";
import type { Scope } from "./step_definition.ts";
import { mapStepTexts } from "./step_texts.ts";

/** A step with everything filled in that is known before the run. */
export interface FilledStep {
  readonly step: ActionStep;
  /** Why it is not needed, where that is known. */
  readonly skip?: string;
  /** Conditions that wait for the run. */
  readonly when: readonly string[];
  readonly whenCalls: readonly ((scope: Scope) => boolean)[];
  /** Names of the fields whose text waits for the run. */
  readonly late: readonly string[];
  /** What the step's expressions see, where an `include` brought it. */
  readonly scope: Scope;
}

/**
 * Fills in a step for one host; what speaks of registered results stays as it is.
 *
 * @throws {ExpressionProblem}
 */
export function fillStep(step: ActionStep, hostScope: Scope, scopes: PlanScopes): FilledStep {
  const scope = includeScope(step, hostScope);
  const when: string[] = [];
  const whenCalls: ((scope: Scope) => boolean)[] = [];
  for (const condition of step.when ?? []) {
    if (typeof condition === "function") whenCalls.push(condition);
    else if (scopes.isLate(condition, scope)) when.push(condition);
    else if (!holds(condition, scope)) {
      return { step, skip: `when: ${condition} is false`, when: [], whenCalls: [], late: [], scope };
    }
  }
  const late: string[] = [];
  const filled = mapStepTexts(step, ({ field, use, text }) => {
    const expressions = expressionsOf(text);
    if (expressions.length === 0) return text;
    if (expressions.some((source) => scopes.isLate(source, scope))) {
      late.push(field);
      return text;
    }
    return fillText(text, scope, use);
  });
  return { step: filled, when, whenCalls, late, scope };
}
