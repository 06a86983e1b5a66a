import { TargetError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import { type ConfigBlock, ConfigFiles } from "./config_blocks.ts";
import { expandGlob } from "./config_file.ts";
import { readConfigLine } from "./config_line.ts";
import { type MatchCircumstances, matches } from "./config_match.ts";
import type { Directive } from "./config_values.ts";
import { type Keyword, keywords } from "./keywords.ts";
import type { LocalAccount } from "./local_account.ts";
import { matchesPattern, matchPatternList } from "./pattern.ts";
import type { Settings } from "./settings.ts";
import { expandTilde, expandTokens } from "./tokens.ts";

/** Includes in includes, as deep as OpenSSH goes. */
const MAX_DEPTH = 16;

/** Files in one reading; an Include in an Include of many files grows fast. */
const MAX_FILES = 4096;

export interface ReaderContext {
  readonly settings: Settings;
  readonly account: LocalAccount;
  readonly environment: Readonly<Record<string, string>>;
  /** What Host patterns are compared with: the name as typed, in the final pass the canonical one. */
  readonly host: string;
  readonly circumstances: MatchCircumstances;
}

interface FileKind {
  /** The user's, or named by the user; not the system's. */
  readonly fromUser: boolean;
  readonly checkOwner: boolean;
}

/** Reads ssh_config files into settings: Host, Match and Include decide which lines count. */
export class ConfigReader {
  readonly #context: ReaderContext;
  #files = 0;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  /** Reads a file and what it includes; false where there is no such file. */
  read(path: string, kind: FileKind): Promise<boolean> {
    return this.#readFile(path, { ...kind, depth: 0, inert: false });
  }

  async #readFile(path: string, at: FileKind & { depth: number; inert: boolean }): Promise<boolean> {
    if (at.depth > MAX_DEPTH || ++this.#files > MAX_FILES) {
      throw badConfig(
        path,
        "too many files include each other",
        "look for an Include that names its own file",
      );
    }
    this.#context.settings.sources.add(path);
    const blocks = await configFiles.get(path, at);
    if (blocks === undefined) return false;
    for (const block of blocks) await this.#readBlock(block, at);
    return true;
  }

  async #readBlock(block: ConfigBlock, at: FileKind & { depth: number; inert: boolean }): Promise<void> {
    let active = !at.inert;
    let sound = true;
    for (const entry of block.entries) {
      const { where, name } = entry;
      const directive = entry.directive();
      switch (name) {
        case "host":
          active = !at.inert && this.#hostMatches(directive);
          break;
        case "match":
          if (/exec|localnetwork/i.test(directive.rest)) this.#context.settings.volatile = true;
          active = !at.inert && await matches(directive, where, this.#context.circumstances);
          break;
        case "include":
          sound = false;
          await this.#include(directive, { ...at, inert: !active });
          break;
        default:
          if (!keywords.has(name)) sound = false;
          applyDirective(directive, { where, fromUser: at.fromUser, active }, this.#context.settings);
      }
      if (block.sound && !active) return;
    }
    block.sound = sound;
  }

  #hostMatches({ args, fail }: Directive): boolean {
    if (args.length === 0 || args.includes("")) return fail("Host has an empty pattern");
    let found = false;
    for (const arg of args) {
      const negated = arg.startsWith("!");
      if (!matchesPattern(this.#context.host, negated ? arg.slice(1) : arg)) continue;
      if (negated) return false;
      found = true;
    }
    return found;
  }

  async #include(
    directive: Directive,
    at: FileKind & { depth: number; inert: boolean },
  ): Promise<void> {
    const { args, fail } = directive;
    if (args.length === 0 || args.includes("")) fail("Include names no file");
    const { account, environment, circumstances } = this.#context;
    for (const arg of args) {
      let path = expandTokens(arg, {
        tokens: await circumstances.tokens(),
        environment,
        lenient: true,
        fail,
      });
      if (path.startsWith("~")) {
        if (!at.fromUser) fail("a system-wide file cannot include a file of a home directory");
        path = await expandTilde(path, account, fail);
      }
      if (!path.startsWith("/")) path = at.fromUser ? `${account.home}/.ssh/${path}` : `/etc/ssh/${path}`;
      const { sources } = this.#context.settings;
      // What a pattern finds changes with its directory; a pattern in the directory's own name is past watching.
      const directory = path.slice(0, path.lastIndexOf("/")) || "/";
      if (/[*?[{\\]/.test(directory)) this.#context.settings.volatile = true;
      sources.add(directory).add(path);
      for (const file of await expandGlob(path)) {
        await this.#readFile(file, { ...at, checkOwner: true, depth: at.depth + 1 });
      }
    }
  }
}

/** Reads one line; undefined for an empty one. Throws `TargetError` for one that has a keyword and nothing else. */
export function readDirective(line: string, where: string): Directive | undefined {
  const read = readConfigLine(line);
  if (read === undefined) return undefined;
  const fail = (why: string, fix?: string) => {
    throw badConfig(where, why, fix);
  };
  if (read.rest === "") fail(`no argument after ${JSON.stringify(read.written)}`);
  // Commands are taken as they stand: their quotes are the shell's.
  return { keyword: read.written, args: read.args ?? fail("a quote is not closed"), rest: read.rest, fail };
}

/** What the files hold, for all hosts of this process. */
export const configFiles = new ConfigFiles(readDirective);

/** Checks a keyword and its arguments and, where its block counts, takes them in. */
export function applyDirective(
  directive: Directive,
  at: { readonly where: string; readonly fromUser: boolean; readonly active: boolean },
  settings: Settings,
): void {
  const name = directive.keyword.toLowerCase();
  const keyword = keywords.get(name);
  if (keyword === undefined) return unknownKeyword(directive, name, settings);
  const values = keyword.read(directive);
  if (!at.active) return;
  if (keyword.name === "RefuseConnection") {
    throw new TargetError("bad-config", {
      what: "The configuration refuses this connection",
      where: at.where,
      why: values[0],
    });
  }
  settings.add(keyword, { values, where: at.where, fromUser: at.fromUser });
}

function unknownKeyword({ keyword, fail }: Directive, name: string, settings: Settings): void {
  if (matchPatternList(name, (settings.value("IgnoreUnknown") ?? "").toLowerCase()) === "yes") return;
  const near = nearestName(keyword, [...keywords.values()].map((known: Keyword) => known.name));
  fail(
    `unknown keyword ${JSON.stringify(keyword.slice(0, 60))}`,
    near ? `did you mean ${near}?` : "remove it, or name it in IgnoreUnknown above this line",
  );
}

export function badConfig(where: string, why: string, fix?: string): TargetError {
  return new TargetError("bad-config", { what: "Cannot use ssh_config", where, why, fix });
}
