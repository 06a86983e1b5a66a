import { CarpoolError, UsageError } from "../base/errors.ts";
import type { Prompter } from "../target/prompter.ts";
import {
  actionsOf,
  type Plan,
  type PlannedAction,
  type PlannedConfirm,
  type PlannedPrompt,
} from "./planned.ts";
import type { Redactor } from "./redactor.ts";
import type { StepUser } from "./step.ts";

/** What the steps of a run ask of whoever started it: each question once, one after the other. */
export class Questions {
  readonly #prompter: Prompter;
  readonly #yes: boolean;
  readonly #redactor: Redactor;
  readonly #answers = new Map<string, Promise<string | boolean>>();
  readonly #passwords = new Map<string, Promise<string>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(prompter: Prompter, options: { readonly yes: boolean; readonly redactor: Redactor }) {
    this.#prompter = prompter;
    this.#yes = options.yes;
    this.#redactor = options.redactor;
  }

  /** The answer to a prompt or confirm step: the first host that comes to it asks, the others get the same. */
  answer(action: PlannedPrompt | PlannedConfirm, signal: AbortSignal): Promise<string | boolean> {
    const known = this.#answers.get(action.step);
    if (known) return known;
    const asked = this.#inTurn<string | boolean>(() =>
      action.kind === "prompt" ? this.#ask(action, signal) : this.#confirm(action, signal)
    );
    this.#answers.set(action.step, asked);
    return asked;
  }

  /**
   * The password for becoming another account, asked for once in a run. It is kept for the run alone, and in no event.
   *
   * @throws {CarpoolError} where nobody can be asked, or nobody answered.
   */
  password(user: StepUser, signal: AbortSignal): Promise<string> {
    // sudo asks for one's own password, su for that of the other account.
    const key = user.by === "sudo" ? "sudo" : `su ${user.name}`;
    const known = this.#passwords.get(key);
    if (known) return known;
    const asked = this.#inTurn(async () => {
      const what = `Cannot become ${user.name}`;
      if (!this.#prompter.interactive) {
        throw new CarpoolError("no-password", {
          what,
          why: `${user.by} asks for a password, and nobody is there to give it`,
          fix: "run it on a terminal, or let the account become the other without a password",
          outcome: "not-started",
        });
      }
      const question = user.by === "sudo" ? "Password for sudo: " : `Password of ${user.name} for su: `;
      const secret = await this.#prompter.secret(question, signal);
      if (secret === null) {
        throw new CarpoolError("no-password", { what, why: "no password was given", outcome: "not-started" });
      }
      this.#redactor.add(secret);
      return secret;
    });
    this.#passwords.set(key, asked);
    return asked;
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const asked = this.#turn.then(ask);
    this.#turn = asked.catch(() => {/* whoever asked is told */});
    return asked;
  }

  async #ask(action: PlannedPrompt, signal: AbortSignal): Promise<string> {
    const { message, choices, default: fallback, secret } = action;
    const remember = (answer: string) => {
      if (secret) this.#redactor.add(answer);
      return answer;
    };
    if (fallback !== undefined && (this.#yes || !this.#prompter.interactive)) return remember(fallback);
    if (!this.#prompter.interactive) throw cannotAsk(action);
    const hint = [
      ...(choices ? [choices.join("/")] : []),
      ...(fallback !== undefined && !secret ? [`default ${fallback}`] : []),
    ].join(", ");
    const question = `${message}${hint ? ` (${hint})` : ""}: `;
    for (;;) {
      const said = secret
        ? await this.#prompter.secret(question, signal)
        : await this.#prompter.line(question, signal);
      if (said === null) throw declined(action, "nobody answered");
      const answer = said.trim() === "" && fallback !== undefined ? fallback : secret ? said : said.trim();
      if (answer === "") continue;
      if (choices && !choices.includes(answer)) {
        this.#prompter.notice(`Please answer one of: ${choices.join(", ")}`);
        continue;
      }
      return remember(answer);
    }
  }

  async #confirm(action: PlannedConfirm, signal: AbortSignal): Promise<boolean> {
    const { message, default: fallback } = action;
    if (this.#yes) return true;
    if (!this.#prompter.interactive) {
      if (fallback === undefined) throw cannotAsk(action);
      return fallback;
    }
    const hint = fallback === undefined ? "yes/no" : fallback ? "Yes/no" : "yes/No";
    for (;;) {
      const said = await this.#prompter.line(`${message} (${hint}) `, signal);
      if (said === null) throw declined(action, "nobody answered");
      const word = said.trim().toLowerCase();
      if (word === "" && fallback !== undefined) return fallback;
      if (word === "yes" || word === "y") return true;
      if (word === "no" || word === "n") return false;
      this.#prompter.notice("Please answer yes or no");
    }
  }
}

/** The error of a question that was answered with no, or not at all. */
export function declined(action: PlannedAction, why: string): CarpoolError {
  return new CarpoolError("declined", { what: action.title, why, outcome: "not-started" });
}

function cannotAsk(action: PlannedPrompt | PlannedConfirm): UsageError {
  const fix = action.kind === "confirm"
    ? "answer it with --yes, or give the step a default"
    : "run it on a terminal, or give the step a default";
  return new UsageError({
    what: "Cannot ask",
    where: `step ${action.step} (${action.title})`,
    why: "nobody is there to answer",
    fix,
  });
}

/** @throws {UsageError} where a plan has a question that nobody can answer; before anything is contacted. */
export function refuseUnanswerable(plan: Plan, prompter: Prompter, yes: boolean): void {
  if (prompter.interactive) return;
  for (const host of plan.hosts) {
    for (const action of actionsOf([...host.steps, ...host.finally ?? []])) {
      if (action.kind !== "prompt" && action.kind !== "confirm" || action.skip !== undefined) continue;
      if (action.default !== undefined || action.kind === "confirm" && yes) continue;
      throw cannotAsk(action);
    }
  }
}

/** Whether a plan may ask somebody something. */
export function asksSomething(plan: Plan): boolean {
  const asks = (action: PlannedAction): boolean =>
    action.kind === "prompt" || action.kind === "confirm" || action.user !== undefined ||
    (action.onFailure ?? []).some(asks);
  return plan.hosts.some((host) => actionsOf([...host.steps, ...host.finally ?? []]).some(asks));
}
