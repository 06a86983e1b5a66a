import type { RunEvent } from "../base/run_event.ts";

/** Shows a run as it happens: takes each event, in order. */
export interface Reporter {
  event(event: RunEvent): void;
}

/** Where a reporter writes: whole pieces of text, newline included, for standard output or standard error. */
export type Sink = (text: string, stream: "stdout" | "stderr") => void;
