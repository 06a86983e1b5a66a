import { takeTerminal } from "../base/terminal_turn.ts";
import { AskpassPrompter } from "./askpass_prompter.ts";
import { printable } from "./printable.ts";
import { noPrompter, type Prompter } from "./prompter.ts";
import type { Target } from "./target.ts";
import { hasTerminal, TerminalPrompter } from "./terminal_prompter.ts";

/** Where ssh looks for an askpass program when SSH_ASKPASS names none. */
const DEFAULT_ASKPASS = "/usr/bin/ssh-askpass";

/**
 * Who is to be asked, as ssh(1) decides: the terminal if there is one; else the askpass program, if there is a desktop
 * (DISPLAY or WAYLAND_DISPLAY); SSH_ASKPASS_REQUIRE `prefer` takes the program even where there is a terminal, `force`
 * even where there is no desktop, `never` not at all. In batch mode nobody is.
 */
export function choosePrompter(
  target: Pick<Target, "batchMode" | "environment">,
  terminal: () => boolean = hasTerminal,
): Prompter {
  if (target.batchMode) return silent;
  const { DISPLAY, WAYLAND_DISPLAY, SSH_ASKPASS, SSH_ASKPASS_REQUIRE } = target.environment;
  const require = SSH_ASKPASS_REQUIRE?.toLowerCase();
  const desktop = Boolean(DISPLAY || WAYLAND_DISPLAY);
  const allowed = require === "force" || (desktop && require !== "never");
  const preferred = require === "force" || (require === "prefer" && desktop);
  if (!preferred && terminal()) return new TerminalPrompter();
  const program = SSH_ASKPASS || (allowed && isThere(DEFAULT_ASKPASS) ? DEFAULT_ASKPASS : undefined);
  if (allowed && program) return new AskpassPrompter(program, target.environment);
  return silent;
}

/** Nobody answers, but what is to be said is said. */
const silent: Prompter = {
  ...noPrompter,
  notice: (message) => {
    using _turn = takeTerminal();
    console.error(printable(message).replace(/\n$/, ""));
  },
};

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
