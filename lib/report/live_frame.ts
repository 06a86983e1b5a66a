import { formatDuration } from "../base/format_duration.ts";
import { bold, cyan, dim, green, red, yellow } from "../deps/std_colors.ts";
import type { LiveState, RunningStep } from "./live_state.ts";
import { formatBytes } from "./run_words.ts";
import type { Span } from "./spans.ts";

/** What a frame needs besides the state. */
export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** On the clock of the events. */
  readonly nowMs: number;
  /** The last line a running step has written. */
  readonly lastLine: (host: string, step: string) => string | undefined;
}

/** No view is higher, however high the terminal is: what was printed above is worth seeing too. */
const maxRows = 12;

/** The lines of a live view, most important first: a low terminal sees the first of them. */
export function liveFrame(state: LiveState, options: FrameOptions): Span[][] {
  const rows = Math.min(options.rows, maxRows);
  if (rows <= 0) return [];
  const lines: Span[][] = [headLine(state, options), countsLine(state, options)];
  if (state.copies > 0) lines.push(copyLine(state));
  // Steps and hosts share what is left; whichever has little to say leaves it to the other.
  const left = Math.max(0, rows - lines.length);
  const severalSteps = state.steps.size > 1 ? Math.min(state.runningSteps.size, Math.ceil(left / 3)) : 0;
  lines.push(...stepLines(state, severalSteps));
  lines.push(...slowLines(state, options, rows - lines.length));
  return lines.slice(0, rows);
}

function headLine(state: LiveState, { columns, nowMs }: FrameOptions): Span[] {
  const time = formatSeconds(nowMs - state.startedAtMs);
  const share = `${state.over}/${state.hosts}`;
  const rest = columns - share.length - time.length - 6;
  const barColumns = Math.max(0, Math.min(40, Math.floor(rest / 2)));
  return [
    ...(barColumns >= 6 ? [...bar(state, barColumns), " "] : []),
    [share, bold],
    " hosts".slice(0, columns < 30 ? 0 : undefined),
    "  ",
    [time, dim],
    "  ",
    [state.job, bold],
  ];
}

function bar(state: LiveState, columns: number): Span[] {
  const { hosts, over } = state;
  const share = (count: number) => hosts === 0 ? 0 : Math.floor(columns * count / hosts);
  const bad = over - state.ended.ok - state.ended.skipped;
  // A single failure must be seen, even if it is one of a thousand.
  const badColumns = bad > 0 ? Math.max(1, share(bad)) : 0;
  const okColumns = Math.max(0, share(over) - badColumns);
  const rest = Math.max(0, columns - okColumns - badColumns);
  return [["█".repeat(okColumns), green], ["█".repeat(badColumns), red], ["░".repeat(rest), dim]];
}

function countsLine(state: LiveState, { columns }: FrameOptions): Span[] {
  const { ok, failed, unreachable, skipped, interrupted } = state.ended;
  const counts: [number, string, string, (text: string) => string][] = [
    [failed, "failed", "failed", red],
    [unreachable, "unreachable", "unreach", red],
    [ok, "ok", "ok", green],
    [interrupted, "interrupted", "intr", yellow],
    [skipped, "skipped", "skip", yellow],
    [state.active - state.connecting, "running", "run", cyan],
    [state.connecting, "connecting", "conn", cyan],
    [state.waiting, "waiting", "wait", dim],
  ];
  const narrow = columns < 60;
  const shown = counts.filter(([count, word]) => count > 0 || word === "ok");
  return shown.flatMap(([count, word, short, paint], i): Span[] => [
    i > 0 ? (narrow ? " " : "  ") : "",
    [`${count} ${narrow ? short : word}`, paint],
  ]);
}

function copyLine({ copies, copiedBytes, toCopyBytes }: LiveState): Span[] {
  const share = toCopyBytes === 0 ? 100 : Math.floor(100 * copiedBytes / toCopyBytes);
  return [
    ["copying ", dim],
    `${share} %  ${formatBytes(copiedBytes)} of ${formatBytes(toCopyBytes)}`,
    [`  on ${copies === 1 ? "1 host" : `${copies} hosts`}`, dim],
  ];
}

function stepLines(state: LiveState, most: number): Span[][] {
  const lines: Span[][] = [];
  for (const { info, running, done } of state.runningSteps) {
    if (lines.length >= most) break;
    const numbers = `${String(running).padStart(5)} now ${String(done).padStart(5)} done  `;
    lines.push([numbers, [`${info.step} `, dim], info.title]);
  }
  return lines;
}

/** The longest running come first; nobody is gone over who is not shown. */
function slowLines(state: LiveState, options: FrameOptions, most: number): Span[][] {
  const slowest: RunningStep[] = [];
  for (const running of state.running.values()) {
    if (slowest.length >= most) break;
    slowest.push(running);
  }
  const times = slowest.map(({ sinceMs }) => formatSeconds(options.nowMs - sinceMs));
  const timeColumns = Math.max(0, ...times.map((time) => time.length));
  const nameColumns = Math.min(
    Math.floor(options.columns / 3),
    Math.max(0, ...slowest.map(({ host }) => host.length)),
  );
  return slowest.map((running, i): Span[] => [
    [times[i].padStart(timeColumns), dim],
    " ",
    [running.host.slice(0, nameColumns).padEnd(nameColumns), bold],
    " ",
    ...(state.steps.size > 1 ? [[`${running.step} `, dim] as const] : []),
    ...(running.retries > 0 ? [[`attempt ${running.retries + 1} `, yellow] as const] : []),
    ...what(running, options),
  ]);
}

function what({ host, step, title, progress }: RunningStep, { lastLine, columns }: FrameOptions): Span[] {
  if (progress) {
    const { bytes, totalBytes, path } = progress;
    const share = totalBytes === 0 ? 100 : Math.floor(100 * bytes / totalBytes);
    return [`${share} % of ${formatBytes(totalBytes)}`, [`  ${path}`, dim]];
  }
  const said = lastLine(host, step);
  if (said === undefined || said === "" || columns < 60) return [title];
  return [title.length > 24 ? `${title.slice(0, 23)}…` : title, [` | ${said}`, dim]];
}

/** Whole seconds: what changes ten times a second cannot be read. */
function formatSeconds(ms: number): string {
  return formatDuration(Math.max(0, Math.floor(ms / 1000)) * 1000).replace(/^0 ms$/, "0 s");
}
