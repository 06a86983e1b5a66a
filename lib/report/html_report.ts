import type { RunEvent } from "../base/run_event.ts";
import { page } from "./page/page.ts";
import type { Reporter } from "./reporter.ts";
import { RunRecord } from "./run_record.ts";

/** Where the page goes. */
export interface HtmlReportOptions {
  /** Of Carpool, for the foot of the page. */
  readonly version: string;
  /** Takes the whole page, once. */
  readonly save: (page: string) => void;
  /** Instead of `save`, for a run that never began. */
  readonly discard?: () => void;
}

/**
 * `--report FILE.html`: one self-contained page about the run, written when the run is over, or when it broke off, with
 * what was known by then. Outputs are bounded (lib/report/output_keeper.ts), so memory is.
 */
export function htmlReport({ version, save, discard }: HtmlReportOptions): Reporter {
  const record = new RunRecord();
  let saved = false;
  return {
    event(event: RunEvent): void {
      record.apply(event);
    },
    close(): void {
      if (saved) return;
      saved = true;
      if (!record.begun) return discard?.();
      record.finish();
      save(page(record, version));
    },
  };
}
