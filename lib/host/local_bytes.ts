import { LocalTurn, lookNow } from "./local_turn.ts";
import type { Load } from "./session_source.ts";

/** Looking further costs more than a lane could save. */
const MOST_ENTRIES = 20_000;

/** Bytes of the files at or below a local path, counted until there are `enough`; what cannot be read counts nothing. */
export async function localBytes(path: string, enough: number): Promise<Load> {
  let bytes = 0;
  let single = false;
  let entries = 0;
  const directories: string[] = [];
  const turn = new LocalTurn();
  const look = async (path: string, follow: boolean) => {
    const info = follow
      ? await Deno.stat(path).catch(() => undefined)
      : turn.isFast
      ? turn.look(() => lookNow(path))
      : await Deno.lstat(path).catch(() => undefined);
    single = follow && info?.isFile === true;
    if (info?.isFile) bytes += info.size;
    else if (info?.isDirectory) directories.push(path);
  };
  await look(path, true);
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    try {
      for await (const { name, isFile, isDirectory } of Deno.readDir(directory)) {
        if (bytes >= enough || ++entries > MOST_ENTRIES) return { bytes, single };
        if (isDirectory) directories.push(`${directory}/${name}`);
        else if (isFile) await look(`${directory}/${name}`, false);
        await turn.pause();
      }
    } catch {
      // The copy itself says what is wrong with it.
    }
  }
  return { bytes, single };
}
