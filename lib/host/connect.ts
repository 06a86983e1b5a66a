import { Connection } from "../channel/connection.ts";
import { keepAlive } from "../channel/keepalive.ts";
import { choosePrompter } from "../target/choose_prompter.ts";
import type { Prompter } from "../target/prompter.ts";
import { resolveTarget } from "../target/resolve.ts";
import type { TargetOptions } from "../target/target.ts";
import { Host } from "./host.ts";

/** What {@linkcode connect} may be given: any option of ssh_config that Carpool knows, in camelCase, and these. */
export interface ConnectOptions extends TargetOptions {
  /** Who answers questions; default: the terminal or SSH_ASKPASS, as ssh(1) would choose; nobody without them. */
  readonly prompter?: Prompter;
  readonly signal?: AbortSignal;
}

/**
 * Connects to a host: an alias of `ssh_config`, `user@host:port`, `ssh://…`. Throws `TargetError` (nothing was
 * contacted), `LinkError` or `HostKeyError`, each saying what failed, where, why, and what to do.
 *
 * ```ts ignore
 * await using web = await connect("deploy@web1");
 * const { stdout } = await web.exec("uname -sr");
 * ```
 */
export async function connect(destination: string, options: ConnectOptions = {}): Promise<Host> {
  const target = await resolveTarget(destination, options);
  const prompter = options.prompter ?? choosePrompter(target);
  for (const warning of target.warnings) prompter.notice(warning);
  const { openLink } = await import("../link/open_link.ts");
  const connection = new Connection(await openLink(target, { prompter, signal: options.signal }));
  keepAlive(connection, { intervalMs: target.serverAliveIntervalMs, countMax: target.serverAliveCountMax });
  return new Host(connection, target, { maxSessions: options.maxSessions });
}
