/**
 * What a command line resolved to, remembered beside the keeper's sockets, so that the next such command on a warm
 * master need not read and evaluate ssh_config again: of the 80 ms that `carpool exec` takes as a process, 65 are loading
 * and running what does that. A record holds while none of the files it was made from has changed.
 */
import { hashOf } from "../master/identity.ts";
import { places } from "../master/places.ts";

/** How to reach a master without looking anything up. */
export interface WarmRecord {
  readonly version: typeof VERSION;
  /** Path, and its modification time and size; null where there was nothing. */
  readonly sources: readonly (readonly [string, readonly [number, number] | null])[];
  readonly controlPath: string;
  /** `user@host:port`. */
  readonly where: string;
  /** Variables to ask for on each session: SetEnv, and what SendEnv selects. */
  readonly env: Readonly<Record<string, string>>;
}

/** To be raised when the meaning of a record, or of the options it stands for, changes. */
const VERSION = 1;

/** These change from command to command and say nothing about connections. */
const FICKLE = new Set(["_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "WINDOWID"]);

/** The options and the host of a command line: all that decides, with the environment, what it resolves to. */
export interface WarmQuestion {
  readonly words: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Where the record for a question lies, in each place that a keeper may have; the name tells nothing of the contents. */
export async function recordFiles(question: WarmQuestion): Promise<string[]> {
  const environment = Object.entries(question.environment).filter(([name]) => !FICKLE.has(name)).sort();
  const key = await hashOf(JSON.stringify([VERSION, question.words, question.cwd, environment]));
  return (await places(question.environment)).map(({ directory }) => `${directory}/w${key}.json`);
}

/** The record for a question, if there is one that still holds. */
export async function readRecord(question: WarmQuestion): Promise<WarmRecord | undefined> {
  for (const file of await recordFiles(question)) {
    let record: WarmRecord;
    try {
      record = JSON.parse(Deno.readTextFileSync(file));
    } catch {
      continue; // not there, or being written: the long way works
    }
    if (record.version === VERSION && record.sources.every(([path, stamp]) => same(stampOf(path), stamp))) {
      return record;
    }
  }
  return undefined;
}

/** A file's modification time in milliseconds and its size; null where there is none. */
export function stampOf(path: string): readonly [number, number] | null {
  try {
    const { mtime, size } = Deno.statSync(path);
    return [mtime?.getTime() ?? 0, size];
  } catch {
    return null;
  }
}

function same(a: readonly [number, number] | null, b: readonly [number, number] | null): boolean {
  return a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1]);
}
