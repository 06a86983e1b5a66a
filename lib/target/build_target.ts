import { badConfig } from "./config_reader.ts";
import { connectionTokens } from "./connection_tokens.ts";
import { userNameProblem } from "./destination.ts";
import { Expander } from "./expander.ts";
import { hostOfHop, splitJumps } from "./jumps.ts";
import type { LocalAccount } from "./local_account.ts";
import { authenticationOf, reasonsOfKeywords, warningsOf } from "./shortfalls.ts";
import { specialKeys } from "./special_keys.ts";
import { isTyped } from "./option_lines.ts";
import { matchesPattern } from "./pattern.ts";
import type { Settings } from "./settings.ts";
import type { Destination, StrictHostKeyChecking, Target, TargetOptions } from "./target.ts";
import type { TokenValues } from "./tokens.ts";

export interface Ingredients {
  readonly destination: Destination;
  /** After HostName and canonicalisation. */
  readonly host: string;
  readonly options: TargetOptions;
  readonly environment: Readonly<Record<string, string>>;
  readonly account: LocalAccount;
  readonly settings: Settings;
  readonly warnings: Set<string>;
}

/** Makes a target of everything the configuration said; jumps are still missing. */
export async function buildTarget(from: Ingredients): Promise<Target> {
  const { destination, host, options, environment, account, settings } = from;
  const port = settings.number("Port", 22);
  const alias = settings.value("HostKeyAlias")?.toLowerCase();
  const hops = splitJumps(settings.value("ProxyJump") ?? "none");
  const names = {
    host,
    originalHost: destination.alias,
    port,
    keyAlias: alias ?? destination.alias,
    jumpHost: hops.length === 0 ? "" : hostOfHop(hops.at(-1)!),
  };
  const user = userOf(from, await connectionTokens(account, { ...names, user: undefined }));
  const hashed = [...settings].some(([, { values }]) => values.some((value) => value.includes("%C")));
  const tokens = await connectionTokens(account, { ...names, user }, { hashed });
  const expander = new Expander(account, environment, tokens);
  const where = `${user}@${host.includes(":") ? `[${host}]` : host}:${port}`;

  const identityFiles = await identityFilesOf(settings, expander);
  const certificateFiles = await Promise.all(settings.all("CertificateFile").map((it) => expander.path(it)));
  const controlPath = await controlPathOf(settings, expander);
  const otherPath = hashed && names.jumpHost !== ""
    ? await controlPathOf(
      settings,
      new Expander(
        account,
        environment,
        await connectionTokens(account, { ...names, user }, { hashJump: true }),
      ),
    )
    : controlPath;
  const authentication = authenticationOf(settings);
  const revokedHostKeysFiles = await filesOf(settings, "RevokedHostKeys", [], expander);
  const needsOpenSsh = [
    ...reasonsOfKeywords(settings),
    ...authentication.needsOpenSsh,
    ...await specialKeys({ identityFiles, certificateFiles, revokedHostKeysFiles }),
  ];
  for (const warning of warningsOf(settings)) from.warnings.add(warning);

  return {
    destination,
    where,
    host,
    port,
    user,
    addressFamily: (settings.value("AddressFamily") ?? "any") as Target["addressFamily"],
    bindAddress: settings.value("BindAddress"),
    connectTimeoutMs: milliseconds(settings.value("ConnectTimeout")),
    connectionAttempts: positive(settings, "ConnectionAttempts", 1),
    tcpKeepAlive: settings.flag("TCPKeepAlive", true),

    jumps: [],
    proxyCommand: hops.length > 0 ? undefined : proxyCommandOf(settings, tokens),

    identityFiles,
    certificateFiles,
    identitiesOnly: settings.flag("IdentitiesOnly", false),
    identityAgent: await agentOf(settings.get("IdentityAgent"), expander, environment.SSH_AUTH_SOCK),
    identityAgentIsNamed: (settings.value("IdentityAgent") ?? "SSH_AUTH_SOCK") !== "SSH_AUTH_SOCK",
    forwardAgent: await forwardAgentOf(settings, expander),
    authenticationMethods: authentication.methods,
    numberOfPasswordPrompts: Math.max(0, settings.number("NumberOfPasswordPrompts", 3)),
    batchMode: settings.flag("BatchMode", false),

    strictHostKeyChecking: (settings.value("StrictHostKeyChecking") ?? "ask") as StrictHostKeyChecking,
    hashKnownHosts: settings.flag("HashKnownHosts", false),
    hostKeyAlias: alias,
    hostKeyName: alias ?? (port === 22 ? host : `[${host}]:${port}`),
    userKnownHostsFiles: await filesOf(
      settings,
      "UserKnownHostsFile",
      ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
      expander,
    ),
    globalKnownHostsFiles: noneIsEmpty(
      settings.get("GlobalKnownHostsFile")?.values ??
        ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
    ),
    revokedHostKeysFiles,
    noHostAuthenticationForLocalhost: settings.flag("NoHostAuthenticationForLocalhost", false),
    requiredRsaBits: settings.number("RequiredRSASize", 1024),

    ciphers: settings.value("Ciphers"),
    macs: settings.value("MACs"),
    kexAlgorithms: settings.value("KexAlgorithms"),
    hostKeyAlgorithms: settings.value("HostKeyAlgorithms"),
    pubkeyAcceptedAlgorithms: settings.value("PubkeyAcceptedAlgorithms"),
    compression: settings.flag("Compression", false),
    rekeyLimitBytes: settings.number("RekeyLimit", 0) || undefined,
    rekeyLimitMs: milliseconds(settings.get("RekeyLimit")?.values[1]) || undefined,

    serverAliveIntervalMs: milliseconds(settings.value("ServerAliveInterval")) ?? 0,
    serverAliveCountMax: settings.number("ServerAliveCountMax", 3),

    env: environmentOf(from, expander),
    requestTty: (settings.value("RequestTTY") ?? "auto") as Target["requestTty"],

    controlMaster: (settings.value("ControlMaster") ?? "auto") as Target["controlMaster"],
    controlPath,
    controlPathIsNone: settings.value("ControlPath")?.toLowerCase() === "none",
    controlPathAlternatives: otherPath === undefined || otherPath === controlPath ? [] : [otherPath],
    controlPersistMs: controlPersistOf(settings.value("ControlPersist")),

    environment: options.environment ?? environment,
    sources: settings.volatile || hops.length > 0 ? undefined : [...settings.sources],
    warnings: [...from.warnings],
    needsOpenSsh,
  };
}

/** Typed, configured (tokens allowed but `%r` and `%C`), or the local user. */
function userOf({ settings, account, environment }: Ingredients, tokens: TokenValues): string {
  const setting = settings.get("User");
  if (setting === undefined) return account.userName;
  const typed = setting.values[0];
  const user = isTyped(setting)
    ? typed
    : new Expander(account, environment, tokens).text(typed, setting.where, { lenient: true });
  const problem = isTyped(setting) || user !== typed ? userNameProblem(user) : undefined;
  if (problem) throw badConfig(setting.where, problem);
  return user;
}

/** With tokens of its own: no others mean anything to ProxyCommand. */
function proxyCommandOf(settings: Settings, { h, k, n, p, r }: TokenValues): string | undefined {
  const setting = settings.get("ProxyCommand");
  if (setting === undefined || setting.values[0].toLowerCase() === "none") return undefined;
  if (setting.values[0].trim() === "-") {
    throw badConfig(setting.where, "ProxyCommand - would talk SSH on our own standard input and output");
  }
  return Expander.tokensOnly(setting, { h, k, n, p, r });
}

const DEFAULT_IDENTITIES = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

async function identityFilesOf(settings: Settings, expander: Expander): Promise<Target["identityFiles"]> {
  const configured = settings.all("IdentityFile");
  if (configured.length === 0) {
    const home = expander.account.home;
    return DEFAULT_IDENTITIES.map((name) => ({ path: `${home}/.ssh/${name}`, explicit: false }));
  }
  const named = configured.filter(({ values }) => values[0].toLowerCase() !== "none");
  return await Promise.all(
    named.map(async (setting) => ({ path: await expander.path(setting), explicit: setting.fromUser })),
  );
}

async function controlPathOf(settings: Settings, expander: Expander): Promise<string | undefined> {
  const setting = settings.get("ControlPath");
  if (setting === undefined || setting.values[0].toLowerCase() === "none") return undefined;
  return await expander.path(setting);
}

async function filesOf(
  settings: Settings,
  keyword: string,
  defaults: readonly string[],
  expander: Expander,
): Promise<string[]> {
  const { values, where } = settings.get(keyword) ?? { values: defaults, where: keyword };
  const paths = noneIsEmpty(values).map((value) => expander.path({ values: [value], where, fromUser: true }));
  return await Promise.all(paths);
}

function noneIsEmpty(values: readonly string[]): readonly string[] {
  return values.length === 1 && values[0].toLowerCase() === "none" ? [] : values;
}

async function agentOf(
  setting: ReturnType<Settings["get"]>,
  expander: Expander,
  socket: string | undefined,
): Promise<string | undefined> {
  const value = setting?.values[0];
  if (setting === undefined || value === "SSH_AUTH_SOCK") return socket || undefined;
  if (value === "none") return undefined;
  const variable = /^\$(\w+)$/.exec(value!)?.[1];
  return variable === undefined ? await expander.path(setting) : expander.environment[variable] || undefined;
}

async function forwardAgentOf(settings: Settings, expander: Expander): Promise<boolean | string> {
  const setting = settings.get("ForwardAgent");
  if (setting === undefined || setting.values[0] === "no") return false;
  if (setting.values[0] === "yes") return true;
  return await agentOf(setting, expander, expander.environment.SSH_AUTH_SOCK) ?? false;
}

/** What SendEnv selects, then SetEnv: it comes later and so wins, as on a server. */
function environmentOf(
  { settings, options, environment }: Ingredients,
  expander: Expander,
): Record<string, string> {
  const env: Record<string, string> = {};
  const patterns = settings.all("SendEnv").map(({ values }) => values[0]);
  for (const [name, value] of Object.entries(environment)) {
    if (patterns.some((pattern) => matchesPattern(name, pattern))) env[name] = value;
  }
  // Given as an option, it is data and has no tokens.
  if (options.setEnv !== undefined) return { ...env, ...options.setEnv };
  const setting = settings.get("SetEnv");
  const seen = new Set<string>();
  for (const word of setting?.values ?? []) {
    const name = word.slice(0, word.indexOf("="));
    if (seen.has(name)) continue;
    seen.add(name);
    env[name] = expander.text(word.slice(name.length + 1), setting!.where, { lenient: true });
  }
  return env;
}

function controlPersistOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return value === "yes" ? Infinity : value === "no" ? 0 : Number(value) * 1000;
}

/** Seconds as text; undefined for `none` and nothing. */
function milliseconds(seconds: string | undefined): number | undefined {
  return seconds === undefined || seconds === "none" ? undefined : Number(seconds) * 1000;
}

function positive(settings: Settings, name: string, otherwise: number): number {
  const setting = settings.get(name);
  const value = setting === undefined ? otherwise : Number(setting.values[0]);
  if (value < 1) throw badConfig(setting!.where, `${name} must be at least 1`);
  return value;
}
