import type { Host } from "../host/host.ts";
import { identityKey } from "../master/identity.ts";
import { places } from "../master/places.ts";
import { readWarmCommand } from "./warm_exec.ts";
import { recordFiles, stampOf, type WarmRecord } from "./warm_record.ts";

/** More than anybody has hosts and ways to name them; then they are made anew. */
const MAX_RECORDS = 500;

/**
 * Remembers what a command line resolved to, where that is simple: a master of our own, nothing to ask, nothing to
 * warn of, and nothing but files that decided it. A record that cannot be written is no loss.
 */
export async function writeRecord(args: readonly string[], host: Host): Promise<void> {
  const warm = readWarmCommand(args);
  const { target } = host;
  // A master at a path that ssh_config names comes first: the record holds for as long as there is nothing.
  const named = target.controlPath === undefined
    ? []
    : [target.controlPath, ...target.controlPathAlternatives];
  const simple = target.sources !== undefined && named.every((path) => stampOf(path) === null) &&
    !target.controlPathIsNone &&
    target.controlMaster === "auto" && !target.forwardAgent && target.warnings.length === 0;
  if (warm === undefined || !simple) return;
  const key = await identityKey(target);
  const files = await recordFiles(warm.question);
  for (const [index, place] of (await places(target.environment)).entries()) {
    const controlPath = place.masterSocket(key);
    if (stampOf(controlPath) === null) continue;
    const inventories = ["inventory.yaml", "inventory.yml"].map((name) => `${warm.question.cwd}/${name}`);
    const record: WarmRecord = {
      version: 1,
      sources: [...target.sources!, ...inventories, ...named].map((path) => [path, stampOf(path)]),
      controlPath,
      where: target.where,
      env: target.env,
    };
    try {
      keepFew(place.directory);
      const temporary = `${files[index]}.${Deno.pid}`;
      await Deno.writeTextFile(temporary, JSON.stringify(record), { mode: 0o600 });
      await Deno.rename(temporary, files[index]);
    } catch {
      // The directory is full, or gone: the next command takes the long way again.
    }
    return;
  }
}

function keepFew(directory: string): void {
  const records = [...Deno.readDirSync(directory)].filter(({ name }) => /^w[0-9a-f]+\.json/.test(name));
  if (records.length < MAX_RECORDS) return;
  for (const { name } of records) Deno.removeSync(`${directory}/${name}`);
}
