/** What the keeper holds and does for its hosts, from the newest result that says so. */
import { median } from "./method/statistics.ts";
import { readResults } from "./plots/results.ts";

export interface KeeperFigures {
  /** RSS with its first warm host, in MB. */
  readonly firstMB: number | undefined;
  /** RSS for each further one, in MB. */
  readonly furtherMB: number | undefined;
  /** CPU of an idle warm host, in per cent of a core. */
  readonly idlePercent: number | undefined;
  /** CPU of the keeper for an exec that rides it, in ms. */
  readonly execCpuMs: number | undefined;
  /** So many hosts it was measured with. */
  readonly hosts: number;
}

const HOSTS = 100;

/** Reads them; what no result has is undefined, and is then said to be missing. */
export async function keeperFigures(directory: URL): Promise<KeeperFigures> {
  const results = await readResults(directory);
  const memory = results.newest("keeper-memory");
  const value = (contender: string) => memory?.medians.get(contender);
  const rounds = results.newest("exec-0")?.rounds ?? [];
  const cpu = rounds.filter(({ contender }) => contender === "carpool, riding the keeper")
    .flatMap(({ more }) => typeof more?.backgroundCpuMs === "number" ? [more.backgroundCpuMs] : []);
  const idle = value("CPU of 100 idle warm hosts");
  return {
    firstMB: value("keeper with 1 warm host"),
    furtherMB: value("each further warm host"),
    idlePercent: idle === undefined ? undefined : idle / HOSTS,
    execCpuMs: cpu.length > 0 ? median(cpu) : undefined,
    hosts: HOSTS,
  };
}
