import { type Guard, guardOf } from "./marks.ts";
import { remoteDirectory } from "./script.ts";

/** What the remote side has noted of the steps of a parcel, by index from 0. */
export interface RemoteNotes {
  /** Nothing began, and nothing will. */
  readonly begun: boolean;
  readonly steps: ReadonlyMap<number, StepNote>;
  /** How long the host had been up when nothing was found; undefined where it does not tell. */
  readonly upMs?: number;
}

/** What is known of one step. */
export type StepNote =
  | { readonly how: "ended"; readonly code: number; readonly timedOut: boolean; readonly signal?: string }
  | { readonly how: "skipped"; readonly guard: Guard }
  | { readonly how: "copied"; readonly unchanged: boolean }
  /** It began; whether it runs, and how it ended, is not known. */
  | { readonly how: "begun" };

/**
 * Asks, in a new session, what the remote side of a lost one did, and has it begin nothing more. Making the directory
 * decides whether it ever began: it cannot, once that is there; unless a reboot has emptied /tmp, which is told by how
 * long the host has been up. `stop` comes before the look at what it noted, as it notes
 * a step before it looks for `stop`: what is not noted then does not begin.
 */
export function recoveryCommand(id: string): string {
  const script = [
    `d=${remoteDirectory(id)}`,
    "if mkdir -m 700 $d 2>/dev/null; then cat /proc/uptime 2>/dev/null; echo none; exit; fi",
    "[ -O $d ] || exit",
    "echo stop >$d/stop && cat $d/s && echo all || exit",
    "read -r p <$d/s; kill -0 ${p#P } 2>/dev/null || rm -rf $d /dev/shm/${d##*/}",
  ];
  return `exec sh -c '${script.join("; ")}'`;
}

/** Reads what came of {@linkcode recoveryCommand}; undefined where it tells nothing. */
export function parseNotes(text: string): RemoteNotes | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const last = lines.pop();
  if (last === "none") {
    const seconds = Number.parseFloat(lines.at(-1) ?? "");
    return { begun: false, steps: new Map(), ...(seconds >= 0 ? { upMs: seconds * 1000 } : {}) };
  }
  if (last !== "all") return undefined;
  const steps = new Map<number, StepNote>();
  let latest = -1;
  for (const line of lines) {
    const [type, number, first, second, third] = line.split(" ");
    const index = type === "L" ? latest : Number(number) - 1;
    switch (type) {
      case "B":
        steps.set(latest = index, { how: "begun" });
        break;
      case "X":
        steps.set(index, { how: "ended", code: Number(first), timedOut: false });
        break;
      case "E":
        steps.set(index, {
          how: "ended",
          code: Number(first),
          timedOut: third === "1",
          ...(second === undefined || second === "-" ? {} : { signal: second }),
        });
        break;
      case "K":
        steps.set(index, { how: "skipped", guard: guardOf(first) });
        break;
      case "C":
        steps.set(index, { how: "copied", unchanged: first === "1" });
        break;
      case "L":
        // It was noted, and then not run; one that has ended stays so, whatever could not be told after that.
        if (steps.get(index)?.how === "begun") steps.delete(index);
        break;
    }
  }
  return { begun: true, steps };
}
