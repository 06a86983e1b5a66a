import { CarpoolError } from "../base/errors.ts";
import { shellQuote } from "../base/shell_quote.ts";
import { quotePath } from "../host/command_line.ts";
import type { StepUser } from "./step.ts";

/** A command for another account. */
export interface UserCommand {
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** Whether it reads its standard input. */
  readonly readsInput: boolean;
}

/** What `sudo` and our own line say on standard error while the account changes; unguessable, so that no output is taken for it. */
export interface UserMarks {
  /** sudo asks for the password. */
  readonly prompt: string;
  /** The command begins. */
  readonly begun: string;
  /** Said from here, on a line of standard input: the command is to end. */
  readonly stop: string;
}

/** Marks for one command. */
export function userMarks(): UserMarks {
  const id = crypto.randomUUID();
  return { prompt: `[carpool ${id} password]`, begun: `[carpool ${id} begun]`, stop: `stop ${id}` };
}

/**
 * The exec string that runs a command as another account, in its `sh`. The password is never in it, nor in a variable:
 * it is sent on standard input when `sudo` asks, which is told from its prompt, so that accounts that need none are
 * served as well. When the command begins, it says so, and what is left of the input belongs to it.
 */
export function asUser(
  user: StepUser,
  { command, env = {}, cwd, readsInput }: UserCommand,
  marks: UserMarks,
): string {
  const text = [
    `printf %s ${shellQuote(marks.begun)} >&2`,
    ...(user.by === "su" ? ["unset LC_ALL LANGUAGE"] : []),
    ...(cwd === undefined ? [] : [`cd ${quotePath(cwd)} || exit`]),
    ...Object.entries(env).map(([name, value]) => `export ${name}=${shellQuote(value)}`),
    ...(readsInput ? [command] : stoppable(command, marks)),
  ].join("\n");
  const name = shellQuote(user.name);
  // -S: from standard input; -H: with the account's home; -k is not given, so that sudo's own memory counts.
  if (user.by === "sudo") {
    return `sudo -S -H -p ${shellQuote(marks.prompt)} -u ${name} -- /bin/sh -c ${shellQuote(text)}`;
  }
  // su has one prompt only, in the language of the account: LC_ALL fixes it.
  return `env LC_ALL=C LANGUAGE=C su -s /bin/sh -c ${shellQuote(text)} ${name}`;
}

/**
 * A command that ends when it is told to on standard input. A signal from here is sent as the account of the connection,
 * and that may not signal the other one's processes: so one of those waits for the word, and passes it on.
 */
function stoppable(command: string, { stop }: UserMarks): readonly string[] {
  const kill = `trap "" TERM; kill -TERM 0; sleep 2; kill -KILL 0`;
  return [
    // Somebody else's program must not find a password that was typed for nothing.
    "exec 9<&0 </dev/null",
    `{ read -r carpool <&9 && [ "$carpool" = ${shellQuote(stop)} ] && { ${kill}; }; } >/dev/null 2>&1 &`,
    "carpool=$!",
    // A shell of its own: whatever the command is, what follows it is run.
    `/bin/sh -c ${shellQuote(command)} 9<&-`,
    "set -- $?",
    "kill $carpool 2>/dev/null",
    "exit $1",
  ];
}

/** What to do after a piece of standard error. */
export interface UserStep {
  /** Of what was written, what belongs to the command. */
  readonly text: string;
  readonly act?: "send-password" | "refused" | "begun";
}

/** Reads standard error while the account changes. */
export class UserGate {
  readonly #user: StepUser;
  readonly #marks: UserMarks;
  #held = "";
  #asked = false;
  /** Whether the command has begun. */
  begun = false;

  constructor(user: StepUser, marks: UserMarks) {
    this.#user = user;
    this.#marks = marks;
  }

  /** Takes what arrived. */
  push(text: string): UserStep {
    if (this.begun) return { text };
    this.#held += text;
    const begun = this.#held.indexOf(this.#marks.begun);
    if (begun >= 0) {
      this.begun = true;
      const after = this.#held.slice(begun + this.#marks.begun.length);
      // What came before it was said by sudo or su: a lecture, the prompt.
      this.#held = "";
      return { text: after, act: "begun" };
    }
    if (this.#takePrompt()) {
      const again = this.#asked;
      this.#asked = true;
      return { text: "", act: again ? "refused" : "send-password" };
    }
    return { text: "" };
  }

  /** What was said when the command never began: why the account could not be changed. */
  end(): string {
    const said = this.#held;
    this.#held = "";
    return said;
  }

  #takePrompt(): boolean {
    if (this.#user.by === "sudo") {
      const at = this.#held.indexOf(this.#marks.prompt);
      if (at < 0) return false;
      this.#held = this.#held.slice(0, at) + this.#held.slice(at + this.#marks.prompt.length);
      return true;
    }
    const asked = /password[^\n]*:[ \t]*$/i.exec(this.#held);
    if (asked === null) return false;
    this.#held = this.#held.slice(0, asked.index);
    return true;
  }
}

/** The error of a password that was not taken. */
export function passwordRefused(user: StepUser, where: string): CarpoolError {
  return new CarpoolError("password-refused", {
    what: `Cannot become ${user.name}`,
    where,
    why: `${user.by} did not take the password`,
    outcome: "not-started",
  });
}
