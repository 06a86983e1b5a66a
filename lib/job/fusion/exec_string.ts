/** How a script reaches a POSIX shell through a login shell that may be any: sh, bash, zsh, fish, csh. */

/** The longest exec string: Linux takes arguments of 128 KiB, and the login shell's command line is one of them. */
export const maxExecStringBytes = 100 * 1024;

/**
 * An exec string that runs a script of POSIX shell. What the login shell reads is two single-quoted words of printable
 * ASCII without the characters that some shell reads inside quotes: `'`, `\` (fish), newline and `!` (csh). They, and
 * everything else, are written for `printf %b`, whose `\0047` no shell touches.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(execString("echo 'a'"), `exec sh -c 'eval "$(printf %b "$0")"' 'echo \\0047a\\0047'`);
 * ```
 */
export function execString(script: string): string {
  return `exec sh -c 'eval "$(printf %b "$0")"' '${encodeScript(script)}'`;
}

function encodeScript(script: string): string {
  return script.replace(
    /[^ "-&(-[\]-~]/gu,
    (char) => {
      if (char === "\n") return "\\n";
      return Array.from(new TextEncoder().encode(char), (byte) => `\\0${byte.toString(8).padStart(3, "0")}`)
        .join("");
    },
  );
}

/**
 * An exec string that runs the script which comes on its standard input, up to a line that begins with `end`. It is
 * read as a whole before anything runs: half a script is no script. What follows on the input is left to the script,
 * provided that it is sent later: `sed` may take in more than the script.
 */
export function execStringForInput(end: string): string {
  return `exec sh -c 'eval "$(sed /^${end}/q)"'`;
}
