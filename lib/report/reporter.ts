import type { RunEvent } from "../base/run_event.ts";

/** Shows a run as it happens: takes each event, in order. */
export interface Reporter {
  event(event: RunEvent): void;
  /**
   * Nothing more comes: the run is over, or broke off. Gives back what was taken (the terminal's cursor), and writes what
   * was held back. Idempotent.
   */
  close?(): void;
}

/** Where a reporter writes: whole pieces of text, newline included, for standard output or standard error. */
export type Sink = (text: string, stream: "stdout" | "stderr") => void;

/** Several ways to show one run: each takes every event, and one that throws keeps no other from being closed. */
export function together(reporters: readonly Reporter[]): Reporter {
  return {
    event(event) {
      for (const reporter of reporters) reporter.event(event);
    },
    close() {
      const errors: unknown[] = [];
      for (const reporter of reporters) {
        try {
          reporter.close?.();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    },
  };
}
