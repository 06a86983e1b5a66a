import type { LocalAccount } from "./local_account.ts";

/** What each `%x` stands for; a function where finding out costs something. */
export type TokenValues = Readonly<Record<string, string | (() => string)>>;

export interface ExpandOptions {
  readonly tokens?: TokenValues;
  /** Where given, `${NAME}` is replaced too. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Leaves unknown tokens alone: for keywords that had none in older OpenSSH, where a `%` stood for itself. */
  readonly lenient?: boolean;
  /** Called with the reason when a token or a variable is unknown. */
  readonly fail: (why: string, fix?: string) => never;
}

/** Replaces `%x`, `%%` and, where asked for, `${NAME}` in a value of ssh_config. */
export function expandTokens(text: string, options: ExpandOptions): string {
  const { tokens, environment, lenient, fail } = options;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (environment && c === "$" && text[i + 1] === "{") {
      const close = text.indexOf("}", i);
      const name = text.slice(i + 2, close);
      if (close < 0 || name === "") return fail("a ${ has no name and } after it");
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (value === undefined) {
        return fail(`the environment has no ${name}`, `set ${name}, or write the value itself`);
      }
      out += value;
      i = close;
    } else if (tokens && c === "%") {
      const letter = text[++i] ?? "";
      const value = letter === "%" ? "%" : Object.hasOwn(tokens, letter) ? tokens[letter] : undefined;
      if (value !== undefined) out += typeof value === "string" ? value : value();
      else if (lenient) out += `%${letter}`;
      else {return fail(
          `%${letter} means nothing here`,
          `use ${Object.keys(tokens).map((t) => `%${t}`).join(" ")} or %%`,
        );}
    } else out += c;
  }
  return out;
}

/** Replaces a leading `~` or `~name`. */
export async function expandTilde(
  path: string,
  account: LocalAccount,
  fail: (why: string, fix?: string) => never,
): Promise<string> {
  const match = /^~([^/]*)(?:\/+(.*))?$/s.exec(path);
  if (!match) return path;
  const [, name, rest = ""] = match;
  const home = name === "" ? account.home : await account.homeOf(name);
  if (home === undefined) return fail(`there is no user ${JSON.stringify(name)}`, "write the whole path");
  return home.endsWith("/") ? home + rest : `${home}/${rest}`;
}
