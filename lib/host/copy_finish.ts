import { posixQuote } from "../base/posix_quote.ts";
/** The script that puts what was unpacked in its places: it travels as the last file of the stream. */

/** Longest command line: what a host takes at least is 128 KiB, environment included. */
const MAX_LINE_BYTES = 48 * 1024;
/** From so many `mv` and `touch` on, one `perl` is faster, where the host has it. */
const MANY_PROGRAMS = 6;

/**
 * `m`: to a directory, what follows. `t`: seconds since 1970, the same as `touch` takes it, then files. A program for
 * each directory and each time; never one for each file, unless each has a time of its own.
 */
const BY_PROGRAMS = `m() { d=$1; shift; mv -f "$@" "$d" || e=78; }
t() { d=$2; shift 2; TZ=UTC0 touch -c -t "$d" "$@" || e=77; }
`;

/** All of it in one program: what `m` and `t` were given, a NUL behind each word, and an empty one behind each call. */
const BY_PERL = String.raw`if command -v perl >/dev/null 2>&1; then
m() { printf 'm\0'; printf '%s\0' "$@" ''; }
t() { printf 't\0'; printf '%s\0' "$@" ''; }
f | perl -e '
$/ = "\0";
binmode STDIN;
my ($failed, @words) = (0);
while (defined(my $word = <STDIN>)) {
  chomp $word;
  if ($word ne "") { push @words, $word; next; }
  my $what = shift @words;
  my $to = shift @words;
  if ($what eq "t") {
    shift @words;
    for (@words) { utime($to, $to, $_) or $failed = 1; }
  } else {
    for (@words) { m{([^/]*)\z}s; rename($_, $to . $1) or $failed = 1; }
  }
  @words = ();
}
exit $failed;
' || e=78
else
f
fi
`;

/** Builds it. Paths are relative to where the script runs, and get `./` before them. */
export class FinishScript {
  readonly #lines: string[] = ["e=0"];
  readonly #moves = new Map<string, string[]>();
  readonly #times = new Map<number, string[]>();
  readonly #modes: { readonly mode: number; readonly paths: string[] }[] = [];

  /** Moves `path` of what was unpacked to the same path here; several to one directory at once. */
  move(path: string): void {
    listIn(this.#moves, path.slice(0, path.lastIndexOf("/") + 1)).push(path);
  }

  /**
   * Puts all that was unpacked in a place that must be free. Somebody else may take it between the look and the move, which
   * then goes into what they made there: that is taken back.
   *
   * @param names what is in the tree, for a path that only such a misplaced one has
   */
  moveAll(to: string, names: ReadonlySet<string>): void {
    let inside = "n";
    while (names.has(inside)) inside += "/n";
    const [place, own, misplaced] = ["", "/n", `/${inside}`].map((path) => posixQuote(`./${to}${path}`));
    this.#lines.push(
      `if [ -e ${place} ]; then e=75; elif mv -f "$p/n" ${place}; then`,
      `if [ -e ${misplaced} ]; then rm -rf ${own}; e=75; fi; else e=76; fi`,
    );
  }

  /** Sets permission bits, after all moves, in the order of the calls. */
  mode(path: string, mode: number): void {
    const last = this.#modes.at(-1);
    if (last?.mode === mode) last.paths.push(path);
    else this.#modes.push({ mode, paths: [path] });
  }

  /** Sets a modification time, after all moves, in seconds since 1970. */
  time(path: string, seconds: number): void {
    listIn(this.#times, seconds).push(path);
  }

  toString(): string {
    const calls: string[] = [];
    for (const [directory, paths] of this.#moves) {
      for (const words of lots(paths.map((path) => `"$p"/n/${posixQuote(path)}`))) {
        calls.push(`m ${posixQuote(`./${directory}`)} ${words}`);
      }
    }
    for (const [seconds, paths] of this.#times) {
      const digits = new Date(seconds * 1000).toISOString().replace(/\D/g, "");
      const stamp = `${digits.slice(0, 12)}.${digits.slice(12, 14)}`;
      for (const words of lots(paths.map((path) => posixQuote(`./${path}`)))) {
        calls.push(`t ${seconds} ${stamp} ${words}`);
      }
    }
    const lines = [...this.#lines];
    if (calls.length > 0) {
      const many = calls.length >= MANY_PROGRAMS;
      lines.push(BY_PROGRAMS + (many ? `f() {\n${calls.join("\n")}\n}\n${BY_PERL}` : calls.join("\n")));
    }
    for (const { mode, paths } of this.#modes) {
      for (const words of lots(paths.map((path) => posixQuote(`./${path}`)))) {
        lines.push(`chmod ${mode.toString(8)} ${words} || e=79`);
      }
    }
    return lines.join("\n") + "\n";
  }
}

function listIn<Key>(map: Map<Key, string[]>, key: Key): string[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, list = []);
  return list;
}

/** Words joined to lines that are not too long. */
function* lots(words: readonly string[]): Generator<string> {
  let line = "";
  for (const word of words) {
    if (line.length + word.length > MAX_LINE_BYTES) {
      yield line;
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  if (line !== "") yield line;
}
