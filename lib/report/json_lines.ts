import type { RunEvent } from "../base/run_event.ts";
import type { Reporter, Sink } from "./reporter.ts";

// JSON.stringify escapes C0 only. DEL, C1 and the separators would reach a terminal, and a line must stay one line.
const unescaped = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One event a line, as JSON (`--output json`); the vocabulary is that of lib/base/run_event.ts. */
export function jsonLines(sink: Sink): Reporter {
  return {
    event(event: RunEvent): void {
      const line = JSON.stringify(event).replace(
        unescaped,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      sink(`${line}\n`, "stdout");
    },
  };
}
