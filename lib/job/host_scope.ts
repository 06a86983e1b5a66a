import type { PlannedHost } from "./planned.ts";
import type { Scope } from "./step_definition.ts";

/** What expressions see on one host during its run: the plan's variables and what steps registered. */
export class HostScope {
  readonly #base: Scope;
  readonly #registered: Record<string, unknown> = {};

  constructor(planned: Pick<PlannedHost, "scope">) {
    this.#base = planned.scope ?? {};
  }

  /** Gives a name its value. */
  set(name: string, value: unknown): void {
    this.#registered[name] = value;
  }

  /** Everything, with the variables of a step's include. */
  values(step: { readonly scope?: Scope } = {}): Scope {
    return { ...(step.scope ?? this.#base), ...this.#registered };
  }
}
