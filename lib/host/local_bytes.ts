/** Looking further costs more than a lane could save. */
const MOST_ENTRIES = 20_000;

/** Bytes of the files at or below a local path, counted until there are `enough`; what cannot be read counts nothing. */
export async function localBytes(path: string, enough: number): Promise<number> {
  let bytes = 0;
  let entries = 0;
  const directories: string[] = [];
  const look = async (path: string, follow: boolean) => {
    const info = await (follow ? Deno.stat(path) : Deno.lstat(path)).catch(() => undefined);
    if (info?.isFile) bytes += info.size;
    else if (info?.isDirectory) directories.push(path);
  };
  await look(path, true);
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    try {
      for await (const { name, isFile, isDirectory } of Deno.readDir(directory)) {
        if (bytes >= enough || ++entries > MOST_ENTRIES) return bytes;
        if (isDirectory) directories.push(`${directory}/${name}`);
        else if (isFile) await look(`${directory}/${name}`, false);
      }
    } catch {
      // The copy itself says what is wrong with it.
    }
  }
  return bytes;
}
