import { shellQuote } from "../base/shell_quote.ts";
import { quotePath } from "../host/command_line.ts";

// Shell text for `sh` on the host, whatever the account's login shell is: all on one line, because csh has no quoted
// newline. Its input is the content of a file.

/** `sh` reads this text, in any login shell. */
export function inSh(text: string): string {
  return `/bin/sh -c ${shellQuote(text)}`;
}

/**
 * Puts standard input into the file that a variable names, and goes on only with all of it: for whoever reads, a connection
 * that breaks ends the input like any other end.
 */
function wholeInput(variable: string, bytes: number): readonly string[] {
  return [
    `cat >"$${variable}" || exit`,
    `[ $(wc -c <"$${variable}") -eq ${bytes} ] || { echo "the input was cut off" >&2; exit 74; }`,
  ];
}

/**
 * Runs what comes on standard input as a script with an interpreter and arguments. The script lies in a file of its own
 * meanwhile, so that any interpreter can read it and its own standard input is free; the file goes with the command.
 */
export function scriptText(interpreter: string, args: readonly string[], bytes: number): string {
  const words = [...interpreter.trim().split(/\s+/).map(shellQuote), '"$f"', ...args.map(shellQuote)];
  return [
    'f=$(mktemp "${TMPDIR:-/tmp}/carpool.XXXXXXXX") || exit',
    `trap 'rm -f "$f"' EXIT`,
    "trap 'exit 129' HUP",
    "trap 'exit 130' INT",
    "trap 'exit 143' TERM",
    ...wholeInput("f", bytes),
    `${words.join(" ")} </dev/null`,
  ].join("; ");
}

/**
 * Writes what comes on standard input to a file that is whole at any time, and says whether it differs from what was
 * there: `changed PATH` or `unchanged PATH`. In a directory it gets the name `base`.
 */
export function writeText(
  path: string,
  base: string,
  bytes: number,
  { mode, owner }: { readonly mode?: number | undefined; readonly owner?: string | undefined } = {},
): string {
  const bits = mode?.toString(8).padStart(4, "0");
  return [
    `d=${quotePath(path)}`,
    `case $d in */) d="$d"${shellQuote(base)} ;; *) if [ -d "$d" ]; then d="$d"/${
      shellQuote(base)
    }; fi ;; esac`,
    // Beside the file itself: a rename works within one file system only.
    't=$(mktemp "$d.XXXXXXXX") || exit',
    `trap 'rm -f "$t"' EXIT`,
    "trap 'exit 129' HUP",
    "trap 'exit 130' INT",
    "trap 'exit 143' TERM",
    ...wholeInput("t", bytes),
    ...(bits === undefined
      ? [
        'm=$(stat -c %a "$d" 2>/dev/null || stat -f %Lp "$d" 2>/dev/null) || m=644',
        'chmod "$m" "$t" || exit',
      ]
      : [`chmod ${bits} "$t" || exit`]),
    ...(owner === undefined ? [] : [`chown ${shellQuote(owner)} "$t" || exit`]),
    'if cmp -s "$t" "$d"; then w=unchanged; else w=changed; fi',
    'mv -f "$t" "$d" && echo "$w $d"',
  ].join("; ");
}

/** Gives what was copied to an owner: the file or tree itself, also where it came into a directory under its own name. */
export function chownText(to: string, from: string, owner: string): string {
  const base = from.replace(/\/+$/, "").replace(/^.*\//, "");
  // Content of a directory lies in the target itself.
  const inside = from.endsWith("/")
    ? []
    : [`if [ -e "$d"/${shellQuote(base)} ]; then d="$d"/${shellQuote(base)}; fi`];
  return [
    `d=${quotePath(to.length > 1 ? to.replace(/\/+$/, "") : to)}`,
    ...inside,
    `chown -R ${shellQuote(owner)} "$d"`,
  ].join("; ");
}

/** Succeeds when a TCP port answers; exits with 125 where the host has nothing to find that out with. */
export function portText(host: string, port: string): string {
  return [
    `h=${shellQuote(host)}`,
    `p=${shellQuote(port)}`,
    'if command -v bash >/dev/null 2>&1; then exec bash -c \'exec 3<>"/dev/tcp/$0/$1"\' "$h" "$p" 2>/dev/null; fi',
    'if command -v nc >/dev/null 2>&1; then exec nc -z -w 3 "$h" "$p"; fi',
    "if command -v python3 >/dev/null 2>&1; then exec python3 -c " +
    '\'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)\' "$h" "$p" 2>/dev/null; fi',
    "if command -v perl >/dev/null 2>&1; then exec perl -MIO::Socket::INET -e " +
    '\'exit !IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 3)\' "$h" "$p"; fi',
    "exit 125",
  ].join("; ");
}
