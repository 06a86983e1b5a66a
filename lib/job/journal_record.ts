import type { Outcome } from "../base/errors.ts";
import type { HostStatus, RunEndEvent, StepStatus } from "../base/run_event.ts";

/** Grows when a line changes its meaning; a reader refuses a journal of a version it does not know. */
export const journalVersion = 1;

/** The first line: what the run was, so that it can be planned again. No values of variables are in it. */
export interface RunRecord {
  readonly type: "run";
  readonly version: typeof journalVersion;
  readonly atMs: number;
  readonly id: string;
  readonly job: string;
  /** The task file, absolute; null for a job written in code. */
  readonly task: string | null;
  /** What local paths were relative to. */
  readonly cwd: string;
  /** The options of the command line, less the values of variables. */
  readonly args: readonly string[];
  /** Variables that were given by hand: their values have to be given again. */
  readonly vars: readonly string[];
  /** Every host, in the order of the plan. */
  readonly hosts: readonly string[];
}

/** Steps are about to be sent to a host; on disk before they are. More than one where they travel together. */
export interface StartedRecord {
  readonly type: "started";
  readonly atMs: number;
  readonly host: string;
  /** Each step's place in the job and the hash of its input, in the order they run. */
  readonly steps: readonly (readonly [step: string, hash: string])[];
  /** Under this name the host keeps notes of what became of steps that travel together. */
  readonly parcel?: string;
}

/** A host is about to be asked for its notes; they are gone with the answer. */
export interface AskedRecord {
  readonly type: "asked";
  readonly atMs: number;
  readonly host: string;
}

/** What became of a step. */
export interface EndedRecord {
  readonly type: "ended";
  readonly atMs: number;
  readonly host: string;
  readonly step: string;
  /** `not-started`: it turned out later that it never began. */
  readonly status: StepStatus | "skipped" | "not-started";
  /** Null for a copy. */
  readonly outcome?: Outcome | null;
  readonly code?: number | null;
  readonly signal?: string | null;
  /** Present where the step was never announced by a `started`: skipped ones. */
  readonly hash?: string;
  /** What it registered; left out where it is secret or too large. */
  readonly registered?: unknown;
}

/** What became of a host, in this sitting. */
export interface HostRecord {
  readonly type: "host";
  readonly atMs: number;
  readonly host: string;
  readonly status: HostStatus;
}

/** The run was taken up again. */
export interface ResumedRecord {
  readonly type: "resumed";
  readonly atMs: number;
}

/** The run came to its end, in this sitting. */
export interface EndRecord {
  readonly type: "end";
  readonly atMs: number;
  readonly status: RunEndEvent["status"];
}

/** One line of a journal. */
export type JournalRecord =
  | RunRecord
  | StartedRecord
  | AskedRecord
  | EndedRecord
  | HostRecord
  | ResumedRecord
  | EndRecord;

/** What is known of a step: the last that was written about it. */
export interface StepKnowledge {
  /** `started`: sent, and nothing more is known. */
  readonly status: Exclude<EndedRecord["status"], "not-started"> | "started";
  readonly outcome: Outcome | null;
  readonly hash: string | undefined;
  /** Undefined where nothing was kept. */
  readonly registered: unknown;
}

/** Steps that travelled together, and whose host may know more of them than the journal. */
export interface SentParcel {
  readonly id: string;
  readonly sentAtMs: number;
  /** In the order they run. */
  readonly steps: readonly string[];
}

/** What a journal says. */
export interface JournalState {
  readonly run: RunRecord;
  /** By host, by step. */
  readonly steps: ReadonlyMap<string, ReadonlyMap<string, StepKnowledge>>;
  /** By host: the last steps that travelled together, where the host can still be asked about them. */
  readonly parcels: ReadonlyMap<string, SentParcel>;
  /** Hosts that ended; one that was begun again and did not end is not among them. */
  readonly hosts: ReadonlyMap<string, HostStatus>;
  /** How the last sitting ended; undefined where it broke off. */
  readonly end: EndRecord["status"] | undefined;
  /** When the last line was written. */
  readonly lastAtMs: number;
  /** Where the last whole line ends: what is behind it was torn. */
  readonly wholeBytes: number;
}

/** What could not be read of a journal: the line, from 1, and why. */
export interface JournalDamage {
  readonly line: number;
  readonly why: string;
}

/** Reads a journal's bytes. A last line that was torn by the end of its writer is as good as none. */
export function readJournal(bytes: Uint8Array): JournalState | JournalDamage {
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = new TextDecoder().decode(bytes.subarray(0, wholeBytes)).split("\n").slice(0, -1);
  let run: RunRecord | undefined;
  let end: EndRecord["status"] | undefined;
  let lastAtMs = 0;
  const steps = new Map<string, Map<string, StepKnowledge>>();
  const hosts = new Map<string, HostStatus>();
  const parcels = new Map<string, SentParcel>();
  const note = (host: string, step: string, knowledge: StepKnowledge) => {
    const known = steps.get(host) ?? new Map<string, StepKnowledge>();
    steps.set(host, known.set(step, knowledge));
  };
  for (const [index, text] of lines.entries()) {
    const record = parse(text);
    if (record === undefined) return { line: index + 1, why: "it is no record" };
    lastAtMs = record.atMs;
    if (index === 0) {
      if (record.type !== "run") return { line: 1, why: 'it does not begin with a "run" record' };
      if (record.version !== journalVersion) {
        return { line: 1, why: `it has version ${record.version}, and ${journalVersion} is known here` };
      }
    }
    switch (record.type) {
      case "run":
        run = record;
        break;
      case "started":
        hosts.delete(record.host);
        parcels.delete(record.host);
        if (record.parcel !== undefined) {
          const names = record.steps.map(([step]) => step);
          parcels.set(record.host, { id: record.parcel, sentAtMs: record.atMs, steps: names });
        }
        for (const [step, hash] of record.steps) {
          note(record.host, step, {
            status: "started",
            outcome: null,
            hash,
            registered: undefined,
          });
        }
        break;
      case "asked":
        parcels.delete(record.host);
        break;
      case "ended": {
        if (record.status === "not-started") {
          steps.get(record.host)?.delete(record.step);
          break;
        }
        const { host, step, status, outcome = null, registered } = record;
        const hash = record.hash ?? steps.get(host)?.get(step)?.hash;
        note(host, step, { status, outcome, hash, registered });
        break;
      }
      case "host":
        hosts.set(record.host, record.status);
        break;
      case "resumed":
        end = undefined;
        break;
      case "end":
        end = record.status;
        break;
    }
  }
  if (run === undefined) return { line: 1, why: "it is empty" };
  return { run, steps, parcels, hosts, end, lastAtMs, wholeBytes };
}

function parse(line: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (value === null || typeof value !== "object") return undefined;
    const { type, atMs } = value as { type?: unknown; atMs?: unknown };
    return typeof type === "string" && typeof atMs === "number" ? value as JournalRecord : undefined;
  } catch {
    return undefined;
  }
}
