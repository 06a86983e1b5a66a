import { parseNotes, recoveryCommand, type StepNote } from "./fusion/recover.ts";
import { remoteDirectory } from "./fusion/script.ts";
import type { RunJournal } from "./journal.ts";
import type { EndedRecord, JournalState, SentParcel } from "./journal_record.ts";
import type { JobConnect, JobHost } from "./job_host.ts";

/** Notes lie in /tmp, and what Carpool finds there from yesterday it tidies away. */
const notesLastMs = 12 * 3_600_000;

/** A step that is under way may end in this time, and then counts as what it was. */
const patienceSeconds = 10;

/** What asking hosts needs. */
export interface AskOptions {
  readonly connect: JobConnect;
  readonly signal: AbortSignal;
  /** Hosts asked at once. */
  readonly parallel: number;
}

/**
 * Asks hosts what became of steps that had been sent together when the run broke off, and writes down what they say. A
 * host that cannot be asked is left as it is.
 */
export async function askHosts(
  hosts: readonly string[],
  state: JournalState,
  journal: RunJournal,
  { connect, signal, parallel }: AskOptions,
): Promise<void> {
  const queue = hosts.filter((host) => state.parcels.has(host)).values();
  const lane = async () => {
    for (const name of queue) {
      const parcel = state.parcels.get(name)!;
      signal.throwIfAborted();
      try {
        await using host = await connect(name, { signal });
        // The answer ends the notes: whoever asks again would be told that nothing was ever begun.
        await journal.commit({ type: "asked", atMs: Date.now(), host: name });
        const told = await ask(host, parcel, state, name, signal);
        for (const record of told) journal.append(record);
      } catch {
        // What is not known stays so; the run itself tells of a host that cannot be reached.
        signal.throwIfAborted();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, lane));
  await journal.flush();
}

async function ask(
  host: JobHost,
  parcel: SentParcel,
  state: JournalState,
  name: string,
  signal: AbortSignal,
): Promise<readonly EndedRecord[]> {
  const upMs = await uptimeMs(host, signal);
  await host.exec(waitingCommand(parcel.id), { signal });
  const { stdout } = await host.exec(recoveryCommand(parcel.id), { signal });
  const notes = parseNotes(stdout);
  if (notes === undefined) return [];
  const known = state.steps.get(name);
  const open = parcel.steps.map((step, index) => ({ step, index })).filter(({ step }) =>
    known?.get(step)?.status === "started"
  );
  if (!notes.begun) {
    // No notes: nothing began, or they were lost with a reboot, or with what tidies /tmp.
    const agoMs = Date.now() - parcel.sentAtMs;
    const heard = open.length < parcel.steps.length;
    if (heard || agoMs > notesLastMs || upMs === undefined || upMs < agoMs + 60_000) return [];
  }
  return open.map(({ step, index }) => recordOf(name, step, notes.steps.get(index)));
}

function recordOf(host: string, step: string, note: StepNote | undefined): EndedRecord {
  const base = { type: "ended", atMs: Date.now(), host, step } as const;
  switch (note?.how) {
    case undefined:
      return { ...base, status: "not-started", outcome: "not-started" };
    case "begun":
      return { ...base, status: "unknown", outcome: "unknown" };
    case "skipped":
      return { ...base, status: "skipped" };
    case "copied":
      return { ...base, status: "ok" };
    case "ended": {
      const { code, signal, timedOut } = note;
      const good = code === 0 && signal === undefined && !timedOut;
      const end = signal === undefined
        ? { outcome: "exited", code } as const
        : { outcome: "signalled", signal } as const;
      return { ...base, status: good ? "ok" : "failed", ...end };
    }
  }
}

/** Waits for the end of what runs the steps: without a runner it ends with the step that is under way. */
function waitingCommand(id: string): string {
  const alive = "kill -0 ${p#P } 2>/dev/null";
  const wait = `while [ $n -lt ${patienceSeconds} ] && ${alive}; do sleep 1; n=$((n+1)); done`;
  return `exec sh -c 'd=${remoteDirectory(id)}; n=0; [ -O $d ] && read -r p <$d/s && ${wait}'`;
}

/** How long the host has been up; undefined where it does not tell. */
async function uptimeMs(host: JobHost, signal: AbortSignal): Promise<number | undefined> {
  const { stdout } = await host.exec("cat /proc/uptime", { signal });
  const seconds = Number.parseFloat(stdout);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
