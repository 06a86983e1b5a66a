import { readConfigLine } from "./config_line.ts";
import { applyDirective, badConfig, readDirective } from "./config_reader.ts";
import type { Setting, Settings } from "./settings.ts";
import { keywords } from "./keywords.ts";
import type { Destination, TargetOptions } from "./target.ts";

/** Options whose value is that of the keyword with the same name. */
const KEYWORD_OPTIONS = [
  ...[
    "user",
    "port",
    "hostName",
    "identitiesOnly",
    "identityAgent",
    "forwardAgent",
    "proxyJump",
    "proxyCommand",
  ],
  ...[
    "strictHostKeyChecking",
    "userKnownHostsFile",
    "globalKnownHostsFile",
    "hostKeyAlias",
    "connectTimeout",
  ],
  ...["serverAliveInterval", "serverAliveCountMax", "ciphers", "macs", "kexAlgorithms", "hostKeyAlgorithms"],
  ...["compression", "addressFamily", "bindAddress", "batchMode", "sendEnv", "controlMaster", "controlPath"],
  ...["controlPersist", "identityFile"],
] as const satisfies readonly (keyof TargetOptions)[];

/** What the caller asked for, as keywords of ssh_config and the words behind them; without `configLines`. */
export function namedOptions(
  options: TargetOptions,
): { readonly keyword: string; readonly words: string[] }[] {
  return KEYWORD_OPTIONS.flatMap((name) => {
    const value = options[name];
    const words = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(spell);
    return words.length === 0 ? [] : [{ keyword: name[0].toUpperCase() + name.slice(1), words }];
  });
}

/** Takes in what the caller asked for: before any file is read, so that it wins. */
export function applyOptions(options: TargetOptions, settings: Settings): void {
  for (const { keyword, words } of namedOptions(options)) {
    const where = `option ${keyword[0].toLowerCase()}${keyword.slice(1)}`;
    // Each IdentityFile is a line of its own.
    for (const args of keyword === "IdentityFile" ? words.map((word) => [word]) : [words]) {
      const directive = { keyword, args, rest: args.join(" "), fail: failAt(where) };
      applyDirective(directive, { where, fromUser: true, active: true }, settings);
    }
  }
  for (const line of options.configLines ?? []) applyLine(line, settings);
}

/** Takes in one `-o Keyword=value`. What follows the keyword may be secret: it is not part of where. */
function applyLine(line: string, settings: Settings): void {
  const written = readConfigLine(line)?.written ?? "";
  const where = `-o ${/^\w{1,60}$/.test(written) ? written : "…"}`;
  if (/[\r\n]/.test(line)) throw badConfig(where, "it has more than one line");
  const directive = readDirective(line, where);
  if (directive === undefined) throw badConfig(where, "it is empty", "write -o Keyword=value");
  if (/^(host|match|include)$/i.test(written)) throw badConfig(where, `${written} stands in files only`);
  applyDirective(directive, { where, fromUser: true, active: true }, settings);
}

const FROM_DESTINATION = "the destination";

/** Takes in the user and the port of the destination. */
export function applyDestination({ user, port }: Destination, settings: Settings): void {
  const add = (name: string, value: string) => {
    settings.add(keywords.get(name)!, { values: [value], where: FROM_DESTINATION, fromUser: true });
  };
  if (user !== undefined) add("user", user);
  if (port !== undefined) add("port", String(port));
}

/** Whether somebody typed the value as it is, so that its `%` are no tokens. */
export function isTyped({ where }: Setting): boolean {
  return where === FROM_DESTINATION || where === "option user";
}

function spell(value: unknown): string {
  return value === true ? "yes" : value === false ? "no" : String(value);
}

function failAt(where: string) {
  return (why: string, fix?: string): never => {
    throw badConfig(where, why, fix);
  };
}
