import { UsageError } from "../base/errors.ts";
import { shellQuote } from "../base/shell_quote.ts";

/**
 * The exec string for a command with its variables and directory.
 *
 * sshd hands it to the account's login shell, whichever that is, so what we add must parse in sh, bash, zsh, fish and
 * csh alike: `cd`, `&&`, `exec env NAME=value`, and the command itself as one quoted word for the same shell again.
 * A command with neither goes as it is, as `ssh` would send it. (A command of several lines with `env` or `cwd` on an
 * account whose login shell is csh does not parse: csh has no quoted newline in common with the others.)
 *
 * Throws `UsageError` for a variable name that is no name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(commandLine("uname"), "uname");
 * assertEquals(commandLine("ls $X", { cwd: "~/a b", env: { X: "1 2" } }), "cd ~/'a b' && exec env X='1 2' $SHELL -c 'ls $X'");
 * ```
 */
export function commandLine(
  command: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): string {
  const variables = Object.entries(options.env ?? {}).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new UsageError({
        what: "Cannot set a variable",
        where: `env ${JSON.stringify(name)}`,
        why: "that is not a variable name",
        fix: "use letters, digits and _",
      }, "bad-value");
    }
    return ` ${name}=${shellQuote(value)}`;
  });
  const { cwd } = options;
  if (variables.length === 0 && cwd === undefined) return command;
  const cd = cwd === undefined ? "" : `cd ${quotePath(cwd)} && `;
  return `${cd}exec env${variables.join("")} $SHELL -c ${shellQuote(command)}`;
}

/** Quotes a remote path; `~` and `~/…` stay the remote home. */
export function quotePath(path: string): string {
  if (path === "~") return "~";
  if (path.startsWith("~/")) return path === "~/" ? "~/" : `~/${shellQuote(path.slice(2))}`;
  // A leading dash would be an option of cd.
  return shellQuote(path.startsWith("-") ? `./${path}` : path);
}
