/** The table of bench/README.md that says which promises were kept, from the newest results. */
import { markdownTable } from "../model_markers.ts";
import type { PromiseRecord, Results } from "./results.ts";

/** One row for each promise, in the order of the issues. */
export function promiseTable(results: Results): string {
  const rows = results.workloads.flatMap((id) => {
    const { promises, startedAt } = results.newest(id)!;
    return promises.map((promise) => ({ id, startedAt, promise }));
  });
  const sorted = rows.toSorted((a, b) => a.promise.source < b.promise.source ? -1 : 1);
  return markdownTable(
    [
      ["promised, and where", "found: median (range)", "", "workload, run"],
      ...sorted.map(({ id, startedAt, promise }) => [
        `${wanted(promise)} (${promise.source})`,
        found(promise),
        promise.kept === undefined ? "open" : promise.kept ? "kept" : "**missed**",
        `${id}, ${startedAt.slice(0, 16).replace("T", " ")}`,
      ]),
    ],
    4,
  );
}

function wanted({ text }: PromiseRecord): string {
  return cell(text.slice(0, text.lastIndexOf(": ")));
}

function found({ text }: PromiseRecord): string {
  return cell(text.slice(text.lastIndexOf(": ") + 2));
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
