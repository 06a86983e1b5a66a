import { canonicalize, normalizeAddress } from "./canonicalize.ts";
import { applyDestination, applyOptions } from "./option_lines.ts";
import { badConfig, ConfigReader } from "./config_reader.ts";
import type { MatchCircumstances } from "./config_match.ts";
import { connectionTokens } from "./connection_tokens.ts";
import { parseDestination } from "./destination.ts";
import { keywords } from "./keywords.ts";
import { LocalAccount, ownEnvironment } from "./local_account.ts";
import { runsInShell } from "./match_exec.ts";
import { resolveJumps } from "./jumps.ts";
import { Settings } from "./settings.ts";
import type { Destination, Target, TargetOptions } from "./target.ts";
import { buildTarget } from "./build_target.ts";
import { expandTokens } from "./tokens.ts";

/**
 * Finds out everything that is needed to connect: explicit options first, then `-o` lines, then the destination itself,
 * then the user's and the system's ssh_config. Runs what the configuration tells it to run (`Match exec`); contacts
 * nobody, except name servers where CanonicalizeHostname asks for it.
 *
 * Throws `TargetError`: "bad-destination", "bad-config" with file and line, or "unsupported".
 *
 * ```ts ignore
 * const target = await resolveTarget("deploy@web1", { configFile: "none" });
 * console.log(target.where); // deploy@web1:22
 * ```
 */
export function resolveTarget(
  destination: string | Destination,
  options: TargetOptions = {},
): Promise<Target> {
  return resolveHop(destination, options, []);
}

/**
 * `path` holds the targets that lead here, so that a jump host that needs itself is found; "alone" leaves jumps out,
 * for a hop that is reached through those before it.
 */
async function resolveHop(
  destination: string | Destination,
  options: TargetOptions,
  path: readonly string[] | "alone",
): Promise<Target> {
  const parsed = parsedDestination(destination);
  const environment = options.environment ?? ownEnvironment();
  const account = await LocalAccount.load(environment);
  const settings = new Settings();
  applyOptions(options, settings);
  applyDestination(parsed, settings);

  const warnings = new Set<string>();
  const reading = { destination: parsed, options, environment, account, settings, warnings };
  const wantFinalPass = await readFiles(reading, { host: parsed.alias, finalPass: false });
  let host = hostAfter(settings, parsed.alias);
  host = normalizeAddress(host) ?? await canonicalize(host.toLowerCase(), settings);
  const mode = settings.value("CanonicalizeHostname") ?? "no";
  if (wantFinalPass || mode !== "no") {
    settings.volatile = true;
    const keyword = keywords.get("hostname")!;
    settings.replace(keyword.name, keyword, { values: [host], where: "canonicalisation", fromUser: true });
    await readFiles(reading, { host, finalPass: true });
  }
  const target = await buildTarget({
    destination: parsed,
    host,
    options,
    environment,
    account,
    settings,
    warnings,
  });
  if (path === "alone") return target;
  const jumps = await resolveJumps(target, settings, { options, path, resolveHop });
  return jumps.length === 0 ? target : { ...target, jumps };
}

/** A destination that was given as an object is judged like one that was typed. */
function parsedDestination(destination: string | Destination): Destination {
  if (typeof destination === "string") return parseDestination(destination);
  const { alias, user, port, text } = destination;
  const host = alias.includes(":") ? `[${alias}]` : alias;
  const typed = `${user === undefined ? "" : `${user}@`}${host}${port === undefined ? "" : `:${port}`}`;
  return { ...parseDestination(typed), text };
}

/** HostName with its `%h`, or the name as typed. */
function hostAfter(settings: Settings, alias: string): string {
  const setting = settings.get("HostName");
  if (setting === undefined) return alias;
  const fail = (why: string, fix?: string): never => {
    throw badConfig(setting.where, why, fix);
  };
  return expandTokens(setting.values[0], { tokens: { h: alias }, fail });
}

interface Reading {
  readonly destination: Destination;
  readonly options: TargetOptions;
  readonly environment: Readonly<Record<string, string>>;
  readonly account: LocalAccount;
  readonly settings: Settings;
  readonly warnings: Set<string>;
}

/** Reads the files once; true where they ask for a final pass. */
async function readFiles(reading: Reading, pass: { host: string; finalPass: boolean }): Promise<boolean> {
  const { options, environment, account, settings } = reading;
  let wantFinalPass = false;
  const circumstances = circumstancesOf(reading, pass, () => wantFinalPass = true);
  const reader = new ConfigReader({ settings, account, environment, host: pass.host, circumstances });
  const { configFile, systemConfigFile = "/etc/ssh/ssh_config" } = options;
  if (configFile !== undefined) {
    if (configFile.toLowerCase() === "none") return false;
    const found = await reader.read(configFile, { fromUser: true, checkOwner: false });
    if (!found) throw badConfig(configFile, "there is no such file", "check the path after -F");
    return wantFinalPass;
  }
  await reader.read(`${account.home}/.ssh/config`, { fromUser: true, checkOwner: true });
  if (systemConfigFile.toLowerCase() !== "none") {
    await reader.read(systemConfigFile, { fromUser: false, checkOwner: false });
  }
  return wantFinalPass;
}

function circumstancesOf(
  { destination, environment, account, settings, warnings }: Reading,
  { finalPass }: { readonly finalPass: boolean },
  wantFinalPass: () => void,
): MatchCircumstances {
  const host = () => hostAfter(settings, destination.alias);
  const user = () => settings.value("User") ?? account.userName;
  return {
    finalPass,
    originalHost: destination.alias,
    localUser: () => account.userName,
    host,
    user,
    tag: () => settings.value("Tag") ?? "",
    tokens: () =>
      connectionTokens(account, {
        host: host(),
        originalHost: destination.alias,
        port: settings.number("Port", 22),
        user: user(),
        keyAlias: settings.value("HostKeyAlias") ?? host(),
        jumpHost: "",
      }),
    runs: (command, where) => runsInShell(command, where, environment),
    wantFinalPass,
    warn: (message) => warnings.add(message),
  };
}
