import { resolve } from "../deps/node_path.ts";
import { namedOptions } from "../target/option_lines.ts";
import type { Target, TargetOptions } from "../target/target.ts";

/** Silent servers are asked for a sign of life this often, where ServerAliveInterval does not say. */
const ALIVE_INTERVAL_S = 60;

/** Ours to decide, or said by the target already, or about sessions, which a master has none of. */
const LEFT_OUT = new Set([
  ...["User", "Port", "IdentityFile", "IdentityAgent", "UserKnownHostsFile", "GlobalKnownHostsFile"],
  ...["ControlMaster", "ControlPath", "ControlPersist", "ServerAliveInterval", "ServerAliveCountMax"],
  ...["BatchMode", "SendEnv"],
]);

export interface OpenSshArguments {
  /** What the target was resolved with. */
  readonly options: TargetOptions;
  /** Where the master's socket is to lie. */
  readonly controlPath: string;
  /** Nobody can be asked. */
  readonly batch: boolean;
}

/**
 * The arguments that make `ssh` a detached master for a target, meaning the same as the target does. `ssh` reads the
 * configuration by itself; files are passed as resolved, because its directory will be `/`. Of each option ssh takes
 * the first: what must not be overruled comes first.
 */
export function openSshArguments(
  target: Target,
  { options, controlPath, batch }: OpenSshArguments,
): string[] {
  const args = ["-M", "-N", "-f", "-S", controlPath];
  const add = (keyword: string, value: string) => args.push("-o", `${keyword}=${value}`);
  if (options.configFile !== undefined) {
    const { configFile } = options;
    args.push("-F", configFile.toLowerCase() === "none" ? configFile : resolve(configFile));
  }
  args.push("-p", String(target.port), "-l", target.user);
  add("ControlPersist", "no"); // its timer does not see what runs in proxy mode
  add("ClearAllForwardings", "yes"); // forwards are Carpool's to make
  add("RemoteCommand", "none");
  add("PermitLocalCommand", "no");
  add("ServerAliveInterval", String(target.serverAliveIntervalMs / 1000 || ALIVE_INTERVAL_S));
  add("ServerAliveCountMax", String(target.serverAliveCountMax));
  if (batch) add("BatchMode", "yes");
  args.push(...fileOptions(target));
  for (const { keyword, words } of namedOptions(options)) {
    if (!LEFT_OUT.has(keyword)) {
      add(keyword, keyword === "ProxyCommand" ? words[0] : words.map(quoted).join(" "));
    }
  }
  for (const line of options.configLines ?? []) args.push("-o", line);
  return [...args, "--", target.destination.alias];
}

/**
 * The files of a target as options of `ssh`, as resolved: where `ssh` has another directory, or takes another for its home,
 * it would find others. Of keys those that somebody named; with `keys: "all"` those that are tried unasked, too.
 */
export function fileOptions(
  target: Target,
  { keys = "named" }: { readonly keys?: "named" | "all" } = {},
): string[] {
  const args: string[] = [];
  const add = (keyword: string, value: string) => args.push("-o", `${keyword}=${value}`);
  for (const { path, explicit } of target.identityFiles) {
    if (explicit || keys === "all") add("IdentityFile", pathWord(path));
  }
  for (const path of target.certificateFiles) add("CertificateFile", pathWord(path));
  const agent = target.identityAgent;
  if (agent !== target.environment.SSH_AUTH_SOCK) {
    add("IdentityAgent", agent === undefined ? "none" : pathWord(agent));
  }
  add("UserKnownHostsFile", pathWords(target.userKnownHostsFiles));
  add("GlobalKnownHostsFile", target.globalKnownHostsFiles.map(quoted).join(" ") || "none"); // takes no tokens
  for (const path of target.revokedHostKeysFiles.slice(0, 1)) add("RevokedHostKeys", pathWord(path));
  return args;
}

function pathWords(paths: readonly string[]): string {
  return paths.map(pathWord).join(" ") || "none";
}

/** These take tokens: a `%` that is part of a name is doubled. */
function pathWord(path: string): string {
  return quoted(path.replaceAll("%", "%%"));
}

/** One argument of ssh_config, where a blank would end it. */
export function quoted(word: string): string {
  return /[\s"'#\\]/.test(word) ? `"${word.replace(/["\\]/g, "\\$&")}"` : word;
}
