import type { RunEvent } from "../base/run_event.ts";
import { shellQuote } from "../base/shell_quote.ts";

/** What stands where a secret was. */
export const redacted = "***";

/** Takes secrets out of text: passwords, secret variables, what secret steps wrote. One for each run. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;
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
    this.#pattern = undefined;
  }

  /** Text without secrets. */
  text(text: string): string {
    if (this.idle) return text;
    return text.replace(this.#prepare(), redacted);
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
    const pattern = this.#prepare();
    const starts = this.#starts!;
    for (let at = 0; at < text.length;) {
      starts.lastIndex = at;
      const found = starts.exec(text);
      if (!found) return text.length;
      at = found.index;
      const rest = text.slice(at);
      // A longer secret may begin with a shorter one that is whole: what comes next decides which it is.
      for (const secret of this.#secrets) {
        if (secret.length > rest.length && secret.startsWith(rest)) return at;
      }
      pattern.lastIndex = at;
      const whole = pattern.exec(text);
      at = whole?.index === at ? at + whole[0].length : at + 1;
    }
    return text.length;
  }

  #prepare(): RegExp {
    if (this.#pattern) return this.#pattern;
    const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|\/-]/g, "\\$&");
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#starts = new RegExp([...new Set(longestFirst.map((one) => escape(one[0]!)))].join("|"), "g");
    return this.#pattern = new RegExp(longestFirst.map(escape).join("|"), "g");
  }
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
