import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";

/** What ssh2's authHandler answers with; false: there is nothing more to try. */
export type Attempt = Readonly<Record<string, unknown>> | false;

/** What the ways to log in share. */
export class AuthContext {
  readonly target: Target;
  readonly prompter: Prompter;
  /** Ends questions that nobody needs answered any more. */
  readonly signal: AbortSignal;
  /** Goes back into ssh2, in a task of its own. */
  readonly later: (work: () => void) => void;
  /** What was tried, or why not, in order. */
  readonly tried: string[] = [];

  constructor(
    target: Target,
    prompter: Prompter,
    options: { readonly signal: AbortSignal; readonly later: (work: () => void) => void },
  ) {
    this.target = target;
    this.prompter = prompter;
    this.signal = options.signal;
    this.later = options.later;
  }

  get canAsk(): boolean {
    return this.prompter.interactive && !this.target.batchMode;
  }

  /** Notes why a key was not used; `say` tells it even where another one opens the door. */
  skip(path: string, why: string, say = false): void {
    this.tried.push(`${this.short(path)} not used: ${why}`);
    if (say) this.prompter.notice(`${path}: not used: ${why}`);
  }

  /** A path as people write it. */
  short(path: string): string {
    const home = this.target.environment.HOME;
    return home && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
  }
}
