import { LineBuffer } from "./line_buffer.ts";
import type { OutputLine } from "./output_fold.ts";
import { plural } from "./run_words.ts";

/** What a step wrote, or what of it is kept. Steps that wrote the same share one. */
export interface KeptOutput {
  /** Tells it from others. */
  readonly id: number;
  readonly pieces: readonly OutputPiece[];
}

/** Lines of one stream, or in our own words what stands between them. */
export interface OutputPiece {
  readonly stream: "stdout" | "stderr" | "note";
  readonly text: string;
}

/** Of one step on one host, so many characters are kept from its beginning, and as many from its end. */
export const keptChars = 8 * 1024;
/** Of all outputs that differ, together; beyond it only the ends of what went well are kept. */
export const keptInAllChars = 4 * 1024 * 1024;
const keptBeyondChars = 400;

interface Writing {
  readonly buffers: Readonly<Record<OutputLine["stream"], LineBuffer>>;
  readonly head: OutputPiece[];
  readonly tail: OutputPiece[];
  headChars: number;
  tailChars: number;
  leftOut: number;
}

/** Keeps what a report shows of outputs, in bounded memory: the beginning and the end of each, each that differs once. */
export class OutputKeeper {
  readonly #writing = new Map<string, Writing>();
  readonly #kept = new Map<string, KeptOutput>();
  #inAllChars = 0;

  push(id: string, stream: OutputLine["stream"], text: string): void {
    const writing = this.#of(id);
    for (const line of writing.buffers[stream].push(text)) add(writing, { stream, text: line });
  }

  /** A remark of ours between the lines. */
  mark(id: string, text: string): void {
    const writing = this.#of(id);
    this.#flush(writing);
    add(writing, { stream: "note", text });
  }

  /** The step is over: what is kept of what it wrote. */
  end(id: string, well: boolean): KeptOutput | undefined {
    const writing = this.#writing.get(id);
    this.#writing.delete(id);
    if (!writing) return undefined;
    this.#flush(writing);
    const beyond = well && this.#inAllChars > keptInAllChars;
    const pieces = beyond ? lastOf(writing) : allOf(writing);
    if (pieces.length === 0) return undefined;
    const text = JSON.stringify(pieces);
    const known = this.#kept.get(text);
    if (known) return known;
    const kept: KeptOutput = { id: this.#kept.size + 1, pieces };
    this.#inAllChars += text.length;
    this.#kept.set(text, kept);
    return kept;
  }

  #flush(writing: Writing): void {
    for (const stream of ["stdout", "stderr"] as const) {
      for (const text of writing.buffers[stream].end()) add(writing, { stream, text });
    }
  }

  #of(id: string): Writing {
    const known = this.#writing.get(id);
    if (known) return known;
    const buffers = { stdout: new LineBuffer(), stderr: new LineBuffer() };
    const writing: Writing = { buffers, head: [], tail: [], headChars: 0, tailChars: 0, leftOut: 0 };
    this.#writing.set(id, writing);
    return writing;
  }
}

function add(writing: Writing, line: OutputPiece): void {
  const piece = line.text.length <= keptChars
    ? line
    : { ...line, text: `${line.text.slice(0, keptChars - 1)}…` };
  const chars = piece.text.length + 1;
  if (writing.tail.length === 0 && writing.leftOut === 0 && writing.headChars + chars <= keptChars) {
    writing.head.push(piece);
    writing.headChars += chars;
    return;
  }
  writing.tail.push(piece);
  writing.tailChars += chars;
  while (writing.tailChars > keptChars && writing.tail.length > 1) {
    writing.tailChars -= writing.tail.shift()!.text.length + 1;
    writing.leftOut++;
  }
}

function allOf({ head, tail, leftOut }: Writing): OutputPiece[] {
  return merged(leftOut === 0 ? [...head, ...tail] : [...head, note(leftOut), ...tail]);
}

function lastOf({ head, tail, leftOut }: Writing): OutputPiece[] {
  const last: OutputPiece[] = [];
  let chars = 0;
  const all = [...head, ...tail];
  while (all.length > 0 && chars + all.at(-1)!.text.length <= keptBeyondChars) {
    const piece = all.pop()!;
    chars += piece.text.length + 1;
    last.unshift(piece);
  }
  const left = leftOut + all.length;
  return merged(left === 0 ? last : [note(left), ...last]);
}

function note(lines: number): OutputPiece {
  return { stream: "note", text: `${plural(lines, "line")} left out here` };
}

/** Neighbouring lines of one stream as one piece: a page of them needs fewer elements. */
function merged(pieces: readonly OutputPiece[]): OutputPiece[] {
  const all: OutputPiece[] = [];
  let texts: string[] = [];
  pieces.forEach((piece, i) => {
    texts.push(piece.text);
    const next = pieces[i + 1];
    if (piece.stream !== "note" && next?.stream === piece.stream) return;
    all.push({ stream: piece.stream, text: texts.join("\n") });
    texts = [];
  });
  return all;
}
