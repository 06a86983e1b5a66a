import type { StepOutputEvent } from "../base/run_event.ts";
import { LineBuffer } from "./line_buffer.ts";

/** One line of output, free of control sequences. */
export interface OutputLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Hosts whose output of one step is the same. */
export interface OutputGroup {
  readonly step: string;
  readonly hosts: readonly string[];
  readonly lines: readonly OutputLine[];
}

/** A host's output of one step longer than this is not held back to be compared. */
const maxHeldChars = 64 * 1024;
/** All that is held back, of all steps together; then what there is goes out. */
const maxKeptChars = 4 * 1024 * 1024;

interface Held {
  readonly buffers: Readonly<Record<OutputLine["stream"], LineBuffer>>;
  readonly lines: OutputLine[];
  chars: number;
  streaming: boolean;
}

interface Group {
  readonly hosts: string[];
  readonly lines: readonly OutputLine[];
}

/**
 * Puts hosts with the same output together, as `clush -b` does. A step's output is held back until it has ended; what is
 * too long for that is handed to `stream` line by line, so that memory stays bounded whatever hosts say.
 */
export class OutputFold {
  readonly #stream: (host: string, line: OutputLine) => void;
  readonly #held = new Map<string, Held>();
  readonly #groups = new Map<string, Map<string, Group>>();
  #kept = 0;

  constructor(stream: (host: string, line: OutputLine) => void) {
    this.#stream = stream;
  }

  /** A piece of output; with `now` it is streamed, not held. */
  push({ host, step, stream, text }: StepOutputEvent, now = false): void {
    const held = this.#of(host, step);
    held.streaming ||= now;
    const lines = held.buffers[stream].push(text).map((line) => ({ stream, text: line }));
    this.#take(host, held, lines);
  }

  /** The last lines of a step that is still running; undefined before its first. */
  lastLine(host: string, step: string): string | undefined {
    return this.#held.get(key(host, step))?.lines.at(-1)?.text;
  }

  /**
   * The step has ended on this host, or another attempt of it begins: its output, unless it was streamed, is taken out and
   * returned.
   */
  end(host: string, step: string): readonly OutputLine[] {
    const held = this.#held.get(key(host, step));
    if (!held) return [];
    for (const stream of ["stdout", "stderr"] as const) {
      this.#take(host, held, held.buffers[stream].end().map((text) => ({ stream, text })));
    }
    this.#held.delete(key(host, step));
    return held.streaming ? [] : held.lines;
  }

  /** Puts a host's output to those of other hosts; true when so much is held that it should be taken out. */
  keep(host: string, step: string, lines: readonly OutputLine[]): boolean {
    if (lines.length === 0) return false;
    const groups = this.#groups.get(step) ?? new Map<string, Group>();
    this.#groups.set(step, groups);
    const text = lines.map((line) => `${line.stream === "stdout" ? "" : "\0"}${line.text}`).join("\n");
    const group = groups.get(text);
    if (group) group.hosts.push(host);
    else {
      groups.set(text, { hosts: [host], lines });
      this.#kept += text.length;
    }
    return this.#kept > maxKeptChars;
  }

  /** Takes out what is kept of a step, or of all. */
  take(step?: string): OutputGroup[] {
    const steps = step === undefined ? [...this.#groups.keys()] : [step];
    const all: OutputGroup[] = [];
    for (const one of steps) {
      for (const [text, group] of this.#groups.get(one) ?? []) {
        this.#kept -= text.length;
        all.push({ step: one, ...group });
      }
      this.#groups.delete(one);
    }
    return all;
  }

  #of(host: string, step: string): Held {
    const known = this.#held.get(key(host, step));
    if (known) return known;
    const buffers = { stdout: new LineBuffer(), stderr: new LineBuffer() };
    const held: Held = { buffers, lines: [], chars: 0, streaming: false };
    this.#held.set(key(host, step), held);
    return held;
  }

  #take(host: string, held: Held, lines: readonly OutputLine[]): void {
    for (const line of lines) {
      held.lines.push(line);
      held.chars += line.text.length + 1;
    }
    if (!held.streaming && held.chars <= maxHeldChars) return;
    held.streaming = true;
    for (const line of held.lines.splice(0)) this.#stream(host, line);
  }
}

function key(host: string, step: string): string {
  return `${step}\0${host}`;
}
