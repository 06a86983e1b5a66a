/** What `carpool bench` found, in words. */

/** One way to run a command, as measured. */
export interface Way {
  readonly name: string;
  /** Milliseconds per command, one for each that was run; none where it could not be. */
  readonly samplesMs: readonly number[];
  /** Why it could not be measured. */
  readonly missing?: string;
}

/** Everything that was measured on one host. */
export interface Found {
  /** A command on the shared connection. */
  readonly shared: Way;
  /** Carpool with a connection for each command: the same program, so the difference is what sharing does. */
  readonly perCommand: Way;
  /** The installed `ssh`, a new one each time. */
  readonly ssh: Way;
  /** What the shared connection takes to open, once; undefined where it was open and could not be found otherwise. */
  readonly openMs: number | undefined;
}

/** The middle of some numbers, of an even count halfway between the two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** A line for each way: median, and how many times the shared one it is. */
export function benchTable({ shared, perCommand, ssh }: Found): string {
  const base = median(shared.samplesMs);
  const ways = [shared, perCommand, ssh];
  const width = Math.max(...ways.map(({ name }) => name.length));
  return ways.map(({ name, samplesMs, missing }) => {
    const label = `  ${name.padEnd(width)}  `;
    if (samplesMs.length === 0) return `${label}not measured: ${missing ?? "there was no time for it"}\n`;
    const value = median(samplesMs);
    const ratio = Number.isNaN(base) ? "" : `${(value / base).toFixed(1)} ×`;
    const range = `${milliseconds(Math.min(...samplesMs))} – ${milliseconds(Math.max(...samplesMs))}`;
    return `${label}${milliseconds(value).padStart(9)}  ${
      ratio.padStart(7)
    }   ${samplesMs.length} times, ${range}\n`;
  }).join("");
}

/** What sharing saves here, and from how many commands on it pays: one sentence. */
export function conclusion({ shared, perCommand, ssh, openMs }: Found): string {
  const other = perCommand.samplesMs.length > 0 ? perCommand : ssh;
  if (shared.samplesMs.length === 0 || other.samplesMs.length === 0) {
    return "What sharing saves here cannot be said: there is nothing to compare.";
  }
  const [with_, without] = [median(shared.samplesMs), median(other.samplesMs)];
  const saved = without - with_;
  if (saved <= 0) {
    return `Sharing saves nothing here: a command takes ${
      milliseconds(with_)
    } on the shared connection and ` +
      `${milliseconds(without)} on one of its own.`;
  }
  const share = Math.round(saved / without * 100);
  const times = (without / with_).toFixed(1);
  const pays = openMs === undefined ? "" : `, and it pays ${fromCommand(openMs, saved)}`;
  return `Sharing saves ${milliseconds(saved)} of ${milliseconds(without)} per command here (${share} %, ` +
    `${times} times as fast)${pays}.`;
}

/** N commands cost `openMs` + N × shared on one connection: less than N × the other from this N on. */
export function paysFrom(openMs: number, savedMs: number): number {
  return Math.floor(openMs / savedMs) + 1;
}

function fromCommand(openMs: number, savedMs: number): string {
  const from = paysFrom(openMs, savedMs);
  return from === 1 ? "from the first command on" : `from ${from} commands on`;
}

function milliseconds(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}
