/** Whoever answers questions during connect: a terminal, an askpass program, the waiting client of a keeper, nobody. */
export interface Prompter {
  /** Whether somebody can answer at all. Where false, `ask` means refuse. */
  readonly interactive: boolean;
  /** Asks for a secret without echo; null when it was refused or nobody can answer. */
  secret(prompt: string, signal?: AbortSignal): Promise<string | null>;
  /** Asks for a line with echo; null when it was refused or nobody can answer. */
  line(prompt: string, signal?: AbortSignal): Promise<string | null>;
  /** Says something that needs no answer (a banner, a touch notice, a warning). */
  notice(message: string): void;
}

/** Nobody answers. */
export const noPrompter: Prompter = {
  interactive: false,
  secret: () => Promise.resolve(null),
  line: () => Promise.resolve(null),
  notice: () => {},
};
