import { JobFileError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { dirname, join, resolve } from "../deps/node_path.ts";
import type { InventoryContent } from "./inventory_content.ts";

export const cannotUse = "Cannot use the inventory";

/** No groups at all. */
export const noInventory: InventoryContent = {
  file: undefined,
  groups: new Map(),
  hosts: new Map(),
  isAnsible: false,
};

/** Where an inventory may lie. */
export interface InventoryPlaces {
  /** The file the user named; it must exist. `ssh_config`: the aliases of ssh_config, unless there is such a file. */
  readonly inventory?: string;
  /** `inventory.yaml` or `inventory.yml` beside this file is taken before the one in `cwd`. */
  readonly taskFile?: string;
  /** Default: the current directory. */
  readonly cwd?: string;
}

/**
 * Reads the inventory that the user named, or that lies beside the task file or in the current directory; an
 * empty one where there is none. A file that was named may be Carpool's own YAML, an Ansible inventory in
 * INI, YAML or JSON, or a program that prints one.
 *
 * @throws {JobFileError} naming line, column, what was found and what is allowed.
 */
export async function loadInventory(places: InventoryPlaces = {}): Promise<InventoryContent> {
  const cwd = places.cwd ?? Deno.cwd();
  const names = ["inventory.yaml", "inventory.yml"];
  const folders = [...(places.taskFile === undefined ? [] : [dirname(places.taskFile)]), "."];
  const candidates = places.inventory === undefined
    ? folders.flatMap((folder) => names.map((name) => join(folder, name)))
    : [places.inventory];
  for (const file of candidates) {
    let bytes: Uint8Array;
    const path = resolve(cwd, file);
    try {
      bytes = await Deno.readFile(path);
    } catch (cause) {
      const missing = cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory;
      if (missing && places.inventory === undefined) continue;
      if (missing && places.inventory === "ssh_config") return { ...noInventory, file: "ssh_config" };
      const isFolder = cause instanceof Deno.errors.IsADirectory || /is a directory/i.test(String(cause));
      const why = missing ? "no such file" : isFolder ? "it is a folder" : systemWhy(cause);
      const fix = isFolder ? "name the file in it" : undefined;
      throw new JobFileError({ what: cannotUse, where: file, why, fix, cause });
    }
    const inventory = await read({ file, path, bytes, named: places.inventory !== undefined });
    if (inventory) return inventory;
  }
  return noInventory;
}

interface InventorySource {
  readonly file: string;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly named: boolean;
}

/** Undefined for a file that nobody named and that is not ours: other programs have an inventory.yaml too. */
async function read({ file, path, bytes, named }: InventorySource): Promise<InventoryContent | undefined> {
  if (!named) return await (await import("./inventory_yaml.ts")).readYamlInventory(bytes, file, named);
  if (await isProgram(path, bytes)) {
    return await (await import("./inventory_command.ts")).runInventoryCommand(path, file);
  }
  switch (kindOf(file, bytes)) {
    case "json":
      return (await import("./inventory_json.ts")).readJsonInventory(bytes, file);
    case "ini":
      return (await import("./inventory_ini.ts")).readIniInventory(bytes, file);
    case "yaml":
      return await (await import("./inventory_yaml.ts")).readYamlInventory(bytes, file, named);
  }
}

/** Marked as executable and looking like it: copies from other systems have the mark on every file. */
async function isProgram(path: string, bytes: Uint8Array): Promise<boolean> {
  if (Deno.build.os === "windows") return false;
  const marked = ((await Deno.stat(path)).mode ?? 0) & 0o111;
  const starts = (magic: readonly number[]) => magic.every((byte, i) => bytes[i] === byte);
  return marked !== 0 && (starts([0x23, 0x21]) || starts([0x7f, 0x45, 0x4c, 0x46]));
}

/** By the name's ending where it says enough, else by the first line that says something. */
function kindOf(file: string, bytes: Uint8Array): "yaml" | "ini" | "json" {
  if (/\.ya?ml$/i.test(file)) return "yaml";
  if (/\.(ini|cfg)$/i.test(file)) return "ini";
  const head = new TextDecoder().decode(bytes.subarray(0, 64 * 1024));
  const first = head.split("\n").map((line) => line.trim()).find((line) =>
    line !== "" && !/^[#;]/.test(line)
  );
  if (/\.json$/i.test(file) || first?.startsWith("{") || /^\[\s*("|\{|$)/.test(first ?? "")) return "json";
  return /^(---|[\w.-]+:(\s|$))/.test(first ?? "") ? "yaml" : "ini";
}
