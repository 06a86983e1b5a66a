/** Figures against the committed baseline. Nothing here measures. */

/** A counted figure; smaller is better. */
export interface Figure {
  /** Its name in the baseline. */
  readonly name: string;
  readonly value: number;
  /** What is counted: `round trips`, `bytes` … */
  readonly unit: string;
  /** How much more than the baseline still counts as the same, as a share; default 0, what is counted is exact. */
  readonly tolerance?: number;
}

/** What `bench/baseline.json` holds. */
export interface Baseline {
  readonly figures: Readonly<Record<string, { readonly value: number; readonly unit: string }>>;
}

export type Verdict = "same" | "better" | "worse" | "new" | "gone";

/** One figure beside its baseline. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly verdict: Verdict;
  readonly value: number | undefined;
  readonly baseline: number | undefined;
}

/**
 * Compares figure by figure. One that is not in the baseline is `new`, one that was not counted any more `gone`: both
 * are faults until the baseline says otherwise, or a figure could leave the guard unseen.
 */
export function compare(figures: readonly Figure[], baseline: Baseline): Comparison[] {
  const counted = new Set(figures.map(({ name }) => name));
  const compared = figures.map((figure): Comparison => {
    const { name, unit, value } = figure;
    const known = Object.hasOwn(baseline.figures, name) ? baseline.figures[name].value : undefined;
    return { name, unit, value, baseline: known, verdict: verdictOf(figure, known) };
  });
  const gone = Object.entries(baseline.figures).filter(([name]) => !counted.has(name));
  return [
    ...compared,
    ...gone.map(([name, { value, unit }]): Comparison => ({
      name,
      unit,
      value: undefined,
      baseline: value,
      verdict: "gone",
    })),
  ];
}

function verdictOf({ value, tolerance = 0 }: Figure, baseline: number | undefined): Verdict {
  if (baseline === undefined) return "new";
  const slack = Math.abs(baseline) * tolerance;
  if (value > baseline + slack) return "worse";
  return value < baseline - slack ? "better" : "same";
}

/** Whether the guard lets it pass. */
export function passes({ verdict }: Comparison): boolean {
  return verdict === "same" || verdict === "better";
}

/** The figure in words: which, and by how much. */
export function describe({ name, unit, verdict, value, baseline }: Comparison): string {
  if (verdict === "gone") return `${name}: was ${baseline} ${unit}, and is not counted any more`;
  if (verdict === "new") return `${name}: ${value} ${unit}, and the baseline does not know it`;
  if (verdict === "same") return `${name}: ${value} ${unit}`;
  const by = value! - baseline!;
  const share = baseline === 0 ? "" : ` (${by > 0 ? "+" : ""}${(by / baseline! * 100).toFixed(0)} %)`;
  return `${name}: ${value} ${unit}, ${verdict} than ${baseline} by ${Math.abs(by)}${share}`;
}

/**
 * The baseline to write: better and new figures are taken, those that are gone leave. A worse one stays as it was,
 * unless `accepted` names it: then somebody has decided that it is worth its price.
 */
export function updated(
  comparisons: readonly Comparison[],
  accepted: ReadonlySet<string> = new Set(),
): Baseline {
  const kept = comparisons.filter(({ verdict }) => verdict !== "gone").map((each) => {
    const taken = each.verdict === "better" || each.verdict === "new" || accepted.has(each.name);
    return [each.name, { value: taken ? each.value! : each.baseline!, unit: each.unit }] as const;
  });
  return { figures: Object.fromEntries(kept.toSorted(([a], [b]) => a < b ? -1 : 1)) };
}
