import { readConfigFile } from "./config_file.ts";
import type { Directive } from "./config_values.ts";
import { FileMemory } from "./file_memory.ts";

/** A line of a configuration file with something on it. */
export interface ConfigEntry {
  /** `file:line` */
  readonly where: string;
  /** The keyword in lower case; empty where the line makes no sense. */
  readonly name: string;
  /** What the line says. Throws, each time, where it makes no sense. */
  directive(): Directive;
}

/** What stands before the first Host or Match, or one of those with what belongs to it. */
export interface ConfigBlock {
  readonly entries: readonly ConfigEntry[];
  /**
   * Somebody has gone through it and found nothing that would matter where it does not apply: keywords that are known,
   * values that make sense, no Include. It can be passed over then.
   */
  sound: boolean;
}

/** Reads one line; undefined for an empty one. */
export type ReadLine = (line: string, where: string) => Directive | undefined;

/**
 * Files of ssh_config, taken apart once for as long as they stay the same, however many hosts ask: a fleet's file has
 * as many blocks as there are hosts, and each host reads all of it.
 */
export class ConfigFiles {
  readonly #readLine: ReadLine;
  readonly #checked: FileMemory<readonly ConfigBlock[] | undefined>;
  readonly #unchecked: FileMemory<readonly ConfigBlock[] | undefined>;
  /** Files taken apart so far, for tests. */
  parsed = 0;

  constructor(readLine: ReadLine, now?: () => number) {
    this.#readLine = readLine;
    const options = { absent: { made: undefined }, now };
    this.#checked = new FileMemory((path) => this.#read(path, true), options);
    this.#unchecked = new FileMemory((path) => this.#read(path, false), options);
  }

  /** Undefined where there is no such file. Throws as `readConfigFile` does. */
  get(
    path: string,
    { checkOwner }: { readonly checkOwner: boolean },
  ): Promise<readonly ConfigBlock[] | undefined> {
    return (checkOwner ? this.#checked : this.#unchecked).get(path);
  }

  async #read(path: string, checkOwner: boolean): Promise<readonly ConfigBlock[] | undefined> {
    const text = await readConfigFile(path, { checkOwner });
    if (text === undefined) return undefined;
    this.parsed++;
    let entries: ConfigEntry[] = [];
    const blocks: ConfigBlock[] = [{ entries, sound: false }];
    for (const [index, line] of text.split("\n").entries()) {
      const entry = this.#entry(line, `${path}:${index + 1}`);
      if (entry === undefined) continue;
      if (entry.name === "host" || entry.name === "match") {
        blocks.push({ entries: entries = [], sound: false });
      }
      entries.push(entry);
    }
    return blocks;
  }

  /** What is wrong with a line is said when the reading comes to it: something before it may end the reading. */
  #entry(line: string, where: string): ConfigEntry | undefined {
    try {
      const directive = this.#readLine(line, where);
      if (directive === undefined) return undefined;
      return { where, name: directive.keyword.toLowerCase(), directive: () => directive };
    } catch (error) {
      return {
        where,
        name: "",
        directive: () => {
          throw error;
        },
      };
    }
  }
}
