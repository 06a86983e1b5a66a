import { TargetError } from "../base/errors.ts";
import { badConfig } from "./config_reader.ts";
import { connectionTokens } from "./connection_tokens.ts";
import { LocalAccount } from "./local_account.ts";
import { parseDestination } from "./destination.ts";
import type { Settings } from "./settings.ts";
import type { Destination, Target, TargetOptions } from "./target.ts";
import { expandTokens } from "./tokens.ts";

/** The hops of a ProxyJump value as typed; empty for `none`. */
export function splitJumps(value: string): string[] {
  const chain = value.replace(/#.*/, "").trim();
  return chain.toLowerCase() === "none" ? [] : chain.split(",").map((hop) => hop.trim());
}

/** The host of one hop, for `%j`; empty where it cannot be told. */
export function hostOfHop(hop: string): string {
  try {
    return parseDestination(hop).alias;
  } catch {
    return ""; // said by resolveJumps, with the place
  }
}

export interface JumpContext {
  readonly options: TargetOptions;
  /** The targets that lead here. */
  readonly path: readonly string[];
  readonly resolveHop: (
    destination: Destination,
    options: TargetOptions,
    path: readonly string[] | "alone",
  ) => Promise<Target>;
}

/**
 * Resolves the hops of ProxyJump, each by ssh_config itself, in the order in which they are passed. As for `ssh -J`,
 * a hop gets the configuration file of the target and none of its options; only the first may have jumps of its own.
 */
export async function resolveJumps(
  target: Target,
  settings: Settings,
  { options, path, resolveHop }: JumpContext,
): Promise<Target[]> {
  const setting = settings.get("ProxyJump");
  if (setting === undefined) return [];
  const fail = (why: string, fix?: string): never => {
    throw badConfig(setting.where, why, fix);
  };
  const tokens = await connectionTokens(await LocalAccount.load(target.environment), {
    host: target.host,
    originalHost: target.destination.alias,
    port: target.port,
    user: target.user,
    keyAlias: target.hostKeyAlias ?? target.destination.alias,
    jumpHost: "",
  });
  const hops = splitJumps(setting.values[0]).map((hop) =>
    readHop(expandTokens(hop, { tokens, fail }), setting.where)
  );
  if (path.includes(target.where)) throw loop(path, target.where);
  const here = [...path, target.where];
  const jumps: Target[] = [];
  for (const [i, hop] of hops.entries()) {
    const before = hops.slice(0, i).map(({ text }) => text).join(",");
    const jump = await resolveHop(hop, {
      configFile: options.configFile,
      systemConfigFile: options.systemConfigFile,
      environment: target.environment,
      batchMode: target.batchMode ? true : undefined,
      // Behind another hop, a jump of its own configuration does not count.
      proxyJump: i === 0 ? undefined : before,
    }, i === 0 ? here : "alone");
    if (jump.where === target.where) throw loop(here, jump.where);
    jumps.push(jump);
  }
  return jumps;
}

function readHop(text: string, where: string): Destination {
  try {
    return parseDestination(text);
  } catch (cause) {
    if (!(cause instanceof TargetError)) throw cause;
    throw badConfig(where, `ProxyJump ${JSON.stringify(text.slice(0, 100))}: ${cause.why}`, cause.fix);
  }
}

function loop(path: readonly string[], again: string): TargetError {
  return new TargetError("bad-config", {
    what: "Cannot reach the host through its jump hosts",
    where: path[0],
    why: `they lead in a circle: ${[...path, again].slice(0, 6).join(" → ")}`,
    fix: "give the jump host ProxyJump none",
  });
}
