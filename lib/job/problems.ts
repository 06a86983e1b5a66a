import { formatParts, JobFileError } from "../base/errors.ts";

/** One thing wrong in a task or inventory file. */
export interface Problem {
  /** `deploy.yaml:12:5`, or a path into the object (`steps[2].timeout`) where there is no text to point into. */
  readonly where: string;
  readonly line?: number;
  readonly column?: number;
  /** What was found. */
  readonly why: string;
  /** What is allowed, or the nearest right name. */
  readonly fix?: string;
}

/** More would bury the first. */
const maxTold = 20;

/** Everything that is wrong in one file, told together; the error's own parts are the first one's. */
export class JobProblemsError extends JobFileError {
  override name = "JobProblemsError";
  /** In the file's order; at least one. */
  readonly problems: readonly Problem[];

  constructor(what: string, problems: readonly Problem[], cause?: unknown) {
    const sorted = problems.toSorted((a, b) =>
      (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
    );
    super({ what, ...sorted[0]!, cause });
    this.problems = sorted;
    const others = sorted.slice(1, maxTold).map((p) =>
      formatParts({ what: p.where, why: p.why, fix: p.fix })
    );
    const untold = sorted.length - maxTold;
    this.message = [this.message, ...others, ...(untold > 0 ? [`… and ${untold} more`] : [])].join("\n");
  }
}

/** A value for a message: short, on one line, quoted where it is text. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return Object.keys(value).length === 0 ? "an empty map" : "a map";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return typeof value === "string" ? short : `the ${typeof value} ${short}`;
}
