import { posixQuote } from "../base/posix_quote.ts";
/** The script that puts what was unpacked in its places: it travels as the last file of the stream. */

/** Longest command line: what a host takes at least is 128 KiB, environment included. */
const MAX_LINE_BYTES = 48 * 1024;

/** Builds it. Paths are relative to where the script runs, and get `./` before them. */
export class FinishScript {
  readonly #lines: string[] = ["e=0"];
  readonly #moves = new Map<string, string[]>();
  readonly #times: string[] = [];
  readonly #modes: { readonly mode: number; readonly paths: string[] }[] = [];

  /** Moves `path` of what was unpacked to the same path here; several to one directory at once. */
  move(path: string): void {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const list = this.#moves.get(directory);
    if (list) list.push(path);
    else this.#moves.set(directory, [path]);
  }

  /** Puts all that was unpacked in a place that must be free. */
  moveAll(to: string): void {
    this.#lines.push(
      `if [ -e ${posixQuote(`./${to}`)} ]; then e=75; else mv -f "$p/n" ${posixQuote(`./${to}`)} || e=76; fi`,
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
    const stamp = new Date(seconds * 1000).toISOString().replace(/\D/g, "").slice(0, 14);
    this.#times.push(
      `TZ=UTC0 touch -c -t ${stamp.slice(0, 12)}.${stamp.slice(12)} ${posixQuote(`./${path}`)} || e=77`,
    );
  }

  toString(): string {
    const lines = [...this.#lines];
    for (const [directory, paths] of this.#moves) {
      for (const words of lots(paths.map((path) => `"$p"/n/${posixQuote(path)}`))) {
        lines.push(`mv -f ${words} ${posixQuote(`./${directory}`)} || e=78`);
      }
    }
    lines.push(...this.#times);
    for (const { mode, paths } of this.#modes) {
      for (const words of lots(paths.map((path) => posixQuote(`./${path}`)))) {
        lines.push(`chmod ${mode.toString(8)} ${words} || e=79`);
      }
    }
    return lines.join("\n") + "\n";
  }
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
