/** How much a finding matters: `bad` keeps something from working, `warn` may, `note` is worth knowing. */
export type Level = "ok" | "note" | "warn" | "bad";

/** One thing that was looked at. */
export interface Finding {
  readonly level: Level;
  /** What was looked at, in a few words; stable. */
  readonly about: string;
  readonly says: string;
  /** What to do; undefined where nothing need be done. */
  readonly fix?: string | undefined;
}
