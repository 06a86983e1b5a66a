import { posixQuote, posixQuotePath } from "../base/posix_quote.ts";
import { execStringForInput } from "./fusion/exec_string.ts";

/** A command that no process list shows, and what is sent on its standard input: the command itself. */
export interface HiddenCommand {
  readonly command: string;
  readonly input: Uint8Array;
}

/**
 * A command for the account's login shell, its variables and its directory, with nothing of them in arguments, which
 * every account of the host can read. A shell of sh's kin gets the command in its environment, which only the account
 * itself can read; any other reads a file that is the account's alone. Its standard input is at its end.
 */
export function hiddenCommand(
  command: string,
  { env = {}, cwd }: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string | undefined },
): HiddenCommand {
  const end = `#${crypto.randomUUID()}`;
  const script = [
    "{", // half a script is no script: braces that are not closed are a mistake
    ...(cwd === undefined ? [] : [`cd ${posixQuotePath(cwd)} || exit`]),
    ...Object.entries(env).map(([name, value]) => `${name}=${posixQuote(value)}; export ${name}`),
    'case "${SHELL##*/}" in sh|ash|bash|dash|ksh|ksh93|mksh|yash|zsh)',
    `CARPOOL_STEP=${posixQuote(command)}; export CARPOOL_STEP`,
    `exec "$SHELL" -c 'eval "unset CARPOOL_STEP; $CARPOOL_STEP"' </dev/null;;`,
    "esac",
    "carpool=$(mktemp) || exit", // 0600
    `printf '%s\\n' ${posixQuote(command)} >"$carpool"`,
    '"$SHELL" "$carpool" </dev/null; set -- $?; rm -f "$carpool"; exit $1',
    "}",
    end,
    "",
  ];
  return { command: execStringForInput(end), input: new TextEncoder().encode(script.join("\n")) };
}
