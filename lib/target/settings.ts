import type { Keyword } from "./keywords.ts";
import { matchesPattern } from "./pattern.ts";

/** A value as it was found. */
export interface Setting {
  readonly values: readonly string[];
  /** Where it stands, for messages: `/home/me/.ssh/config:12`, `-o Port`, `option port`. */
  readonly where: string;
  /** From the user's file, a line or an option; not from the system's file. */
  readonly fromUser: boolean;
}

/** What the configuration said so far: the first value of each keyword, all values of those that collect. */
export class Settings {
  readonly #found = new Map<string, { readonly keyword: Keyword; readonly settings: Setting[] }>();
  /** Every file that was read or looked for, and the directories that an Include with a pattern looked through. */
  readonly sources = new Set<string>();
  /** Whether they depend on more than the sources: a command that was run, a network that was asked. */
  volatile = false;

  /** Takes a value in; a second one of a keyword that does not collect changes nothing. */
  add(keyword: Keyword, setting: Setting): void {
    const name = keyword.name.toLowerCase();
    if (name === "sendenv") return this.#addSendEnv(keyword, setting);
    // Whichever of the two comes first wins, even with `none` (ssh_config(5), ProxyJump; since 10 OpenSSH lets a
    // ProxyCommand pass behind a `ProxyJump none`, against its own manual).
    if (name === "proxyjump" && this.has("ProxyCommand")) return;
    if (name === "proxycommand" && this.has("ProxyJump")) return;
    const found = this.#found.get(name);
    if (found === undefined) this.#found.set(name, { keyword, settings: [setting] });
    else if (keyword.collects && !found.settings.some((known) => same(known, setting))) {
      found.settings.push(setting);
    }
  }

  /** A word with `-` before it takes away what earlier words of SendEnv named. */
  #addSendEnv(keyword: Keyword, setting: Setting): void {
    const found = this.#found.get("sendenv") ?? { keyword, settings: [] };
    let settings = found.settings;
    for (const word of setting.values) {
      if (word.startsWith("-")) {
        settings = settings.filter((known) => !matchesPattern(known.values[0], word.slice(1)));
      } else settings = [...settings, { ...setting, values: [word] }];
    }
    this.#found.set("sendenv", { keyword, settings });
  }

  has(name: string): boolean {
    return this.#found.has(name.toLowerCase());
  }

  /** The setting that counts; undefined where the configuration says nothing. */
  get(name: string): Setting | undefined {
    return this.#found.get(name.toLowerCase())?.settings[0];
  }

  /** The first word of {@linkcode get}. */
  value(name: string): string | undefined {
    return this.get(name)?.values[0];
  }

  /** Every setting of a keyword that collects. */
  all(name: string): readonly Setting[] {
    return this.#found.get(name.toLowerCase())?.settings ?? [];
  }

  /** yes or no. */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.value(name);
    return value === undefined ? otherwise : value === "yes";
  }

  number(name: string, otherwise: number): number {
    const value = this.value(name);
    return value === undefined ? otherwise : Number(value);
  }

  /** Puts another value in the place of the one that counts: HostName, once it is canonical. */
  replace(name: string, keyword: Keyword, setting: Setting): void {
    this.#found.set(name.toLowerCase(), { keyword, settings: [setting] });
  }

  /** Everything that was set, with its keyword. */
  *[Symbol.iterator](): Generator<readonly [Keyword, Setting]> {
    for (const { keyword, settings } of this.#found.values()) {
      for (const setting of settings) yield [keyword, setting];
    }
  }
}

function same(a: Setting, b: Setting): boolean {
  return a.fromUser === b.fromUser && a.values.length === b.values.length &&
    a.values.every((value, i) => value === b.values[i]);
}
