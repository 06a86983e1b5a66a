import type { RunEvent } from "../base/run_event.ts";
import { shellQuote } from "../base/shell_quote.ts";

// What a terminal acts on and does not show: colours (`grep --color` puts them into the middle of a word), links, marks of
// no width. Whoever shows output takes them out, and would put a secret together again. Not \r: it ends a line there.
const unseen = [
  "(?:\\x1b\\[|\\x9b)[0-?]*[ -\\/]*[@-~]",
  "(?:\\x1b[\\]PX^_]|[\\x9d\\x90\\x98\\x9e\\x9f])[^\\x07\\x1b\\x9c\\n]*(?:\\x07|\\x1b\\\\|\\x9c)",
  "\\x1b[ -\\/]*[0-OQ-WYZ\\\\`-~]",
  "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1a\\x1c-\\x1f\\x7f-\\x8f\\x91-\\x97\\x99-\\x9a\\x9c]",
  "[\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff]",
].join("|");
const allUnseen = new RegExp(unseen, "g");
/** The beginning of a sequence at the end of a text: what follows decides. */
const unfinished =
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  /(?:\x1b(?:\[[0-?]*[ -\/]*|[ -\/]+|[\]PX^_][^\x07\x1b\x9c\n]*\x1b?)?|\x9b[0-?]*[ -\/]*|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c\n]*\x1b?)$/;
/** So much of what is not seen may stand inside of a secret that is cut in two. */
const unseenChars = 2048;
const hasUnseen =
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

/** What stands where a secret was. */
export const redacted = "***";

/** Takes secrets out of text: passwords, secret variables, what secret steps wrote. One for each run. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #longest = 0;
  #plain: Patterns | undefined;
  #within: Patterns | undefined;
  #starts: RegExp | undefined;

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** Whether there is anything to take out. */
  get idle(): boolean {
    return this.#secrets.size === 0;
  }

  /**
   * Adds a secret: as it is, as shells, JSON and URLs write it, and each line of it, as keys are often shown indented.
   */
  add(secret: string): void {
    const lines = secret.split(/\r?\n/).map((line) => line.trim());
    for (
      const one of [
        secret,
        secret.trim(),
        ...lines.filter((line) => lines.length === 1 || line.length >= 4),
      ]
    ) {
      if (one === "") continue;
      this.#secrets.add(one);
      this.#secrets.add(shellQuote(one).replace(/^'([^]*)'$/, "$1"));
      this.#secrets.add(JSON.stringify(one).slice(1, -1));
      this.#secrets.add(one.toWellFormed() === one ? encodeURIComponent(one) : one);
    }
    this.#longest = Math.max(...Array.from(this.#secrets, ({ length }) => length), 0);
    this.#plain = undefined;
    this.#within = undefined;
  }

  /** Text without secrets. */
  text(text: string): string {
    if (this.idle) return text;
    return text.replace(this.#prepare(text).all, redacted);
  }

  /** An event without secrets in what people read; names that programs go by stay. */
  event<T extends RunEvent>(event: T): T {
    if (this.idle) return event;
    const changed: Record<string, unknown> = {};
    const from = event as unknown as Readonly<Record<string, unknown>>;
    for (const key of ["text", "title", "why", "reason", "path"]) {
      const value = from[key];
      if (typeof value === "string") changed[key] = this.text(value);
    }
    const error = from.error as { readonly code: string; readonly message: string } | undefined;
    if (error) changed.error = { ...error, message: this.text(error.message) };
    if (event.type === "run-start") {
      changed.steps = event.steps.map((step) => ({ ...step, title: this.text(step.title) }));
    }
    return { ...event, ...changed };
  }

  /** Takes secrets out of text that comes in pieces. */
  stream(): RedactedStream {
    return new RedactedStream(this);
  }

  /**
   * How much of the text can be told: what follows may be the beginning of a secret whose rest is still to come.
   */
  safeLength(text: string): number {
    if (this.idle) return text.length;
    const { here } = this.#prepare(text);
    const cut = hasUnseen.test(text);
    const starts = this.#starts!;
    for (let at = 0; at < text.length;) {
      starts.lastIndex = at;
      const found = starts.exec(text);
      if (!found) return text.length;
      at = found.index;
      if (text.length - at < this.#longest + (cut ? unseenChars : 0)) {
        const rest = cut ? text.slice(at).replace(allUnseen, "").replace(unfinished, "") : text.slice(at);
        // A longer secret may begin with a shorter one that is whole: what comes next decides which it is.
        for (const secret of this.#secrets) {
          if (secret.length > rest.length && secret.startsWith(rest)) return at;
        }
      }
      here.lastIndex = at;
      at += here.exec(text)?.[0].length ?? 1;
    }
    return text.length;
  }

  /** Secrets as they stand in this text; where it has what is not seen, also those that have it between their letters. */
  #prepare(text: string): Patterns {
    if (this.#plain && this.#within) return hasUnseen.test(text) ? this.#within : this.#plain;
    const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|\/-]/g, "\\$&");
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#starts = new RegExp([...new Set(longestFirst.map((one) => escape(one[0]!)))].join("|"), "g");
    const letters = (secret: string) => Array.from({ length: secret.length }, (_, i) => escape(secret[i]!));
    this.#plain = patternsOf(longestFirst.map(escape));
    this.#within = patternsOf(longestFirst.map((one) => letters(one).join(`(?:${unseen})*`)));
    return this.#prepare(text);
  }
}

/** The same pattern, for the whole of a text and for one place in it: elsewhere it is not looked for then. */
interface Patterns {
  readonly all: RegExp;
  readonly here: RegExp;
}

function patternsOf(sources: readonly string[]): Patterns {
  return { all: new RegExp(sources.join("|"), "g"), here: new RegExp(sources.join("|"), "y") };
}

/** One stream of text that secrets are taken out of, also where they are cut in two. */
export class RedactedStream {
  readonly #redactor: Redactor;
  #held = "";

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** What of it can be told so far. */
  push(text: string): string {
    const all = this.#held + text;
    const safe = this.#redactor.safeLength(all);
    this.#held = all.slice(safe);
    return this.#redactor.text(all.slice(0, safe));
  }

  /** The rest. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return this.#redactor.text(rest);
  }
}
