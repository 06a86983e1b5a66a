import { badConfig } from "./config_reader.ts";
import type { LocalAccount } from "./local_account.ts";
import type { Setting } from "./settings.ts";
import { expandTilde, expandTokens, type TokenValues } from "./tokens.ts";

/** Expands `~`, tokens and `${NAME}` in values, with the place of the value in every complaint. */
export class Expander {
  readonly account: LocalAccount;
  readonly environment: Readonly<Record<string, string>>;
  readonly #tokens: TokenValues;

  constructor(account: LocalAccount, environment: Readonly<Record<string, string>>, tokens: TokenValues) {
    this.account = account;
    this.environment = environment;
    this.#tokens = tokens;
  }

  /** Tokens and `${NAME}`; `lenient` leaves unknown tokens alone. */
  text(value: string, where: string, options: { readonly lenient?: boolean } = {}): string {
    const { environment } = this;
    return expandTokens(value, {
      tokens: this.#tokens,
      environment,
      lenient: options.lenient,
      fail: failAt(where),
    });
  }

  /** `~`, tokens and `${NAME}`, made absolute. */
  async path({ values: [value], where }: Setting): Promise<string> {
    const path = this.text(await expandTilde(value, this.account, failAt(where)), where);
    return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  }

  /** Tokens alone: for commands, where `${NAME}` is the shell's. */
  static tokensOnly({ values: [value], where }: Setting, tokens: TokenValues): string {
    return expandTokens(value, { tokens, fail: failAt(where) });
  }
}

function failAt(where: string) {
  return (why: string, fix?: string): never => {
    throw badConfig(where, why, fix);
  };
}
