import { Connection } from "../channel/connection.ts";
import type { Link } from "../channel/link.ts";
import { ChannelError, LinkError } from "../base/errors.ts";
import { Writer } from "../wire/writer.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { type Carrier, carryOverChannel, dialProxyCommand, dialTcp } from "./dial.ts";
import { loadSsh2, openSsh2Link } from "./ssh2_link.ts";

export interface OpenLinkOptions {
  readonly prompter: Prompter;
  readonly signal?: AbortSignal;
  /** A connection to the last jump host, which is somebody else's to close: nothing before it is dialled. */
  readonly via?: Connection;
}

/**
 * Opens an authenticated connection of our own to a target: by TCP, through its ProxyCommand, or through its jump
 * hosts, each of which is authenticated and checked like any other host. Throws `LinkError` or `HostKeyError` that
 * names the hop which failed; everything opened on the way is closed then.
 */
export async function openLink(target: Target, options: OpenLinkOptions): Promise<Link> {
  // Loading takes as long as a far host's first answer: both at once. Whoever needs it tells when it cannot be loaded.
  loadSsh2().catch(() => {});
  if (options.via !== undefined) {
    return await openSsh2Link(target, await carryThrough(options.via, target, options.signal), options);
  }
  if (target.jumps.length === 0) {
    return await openSsh2Link(target, await dial(target, options.signal), options);
  }
  const hops: Connection[] = [];
  const closeHops = async () => {
    for (const hop of hops.reverse()) await hop.close();
  };
  try {
    for (const next of [...target.jumps, target]) {
      const via = hops.at(-1);
      // The first hop may have a ProxyCommand or jumps of its own; the others are reached through the one before.
      const link = via === undefined
        ? await openLink(next, options)
        : await openSsh2Link(next, await carryThrough(via, next, options.signal), options);
      if (next === target) {
        link.closed.then(closeHops);
        return link;
      }
      hops.push(new Connection(link));
    }
  } catch (error) {
    await closeHops();
    throw error;
  }
  throw new LinkError("proxy-failed", {
    what: "Cannot connect",
    where: target.where,
    why: "no hop was left",
  });
}

function dial(target: Target, signal: AbortSignal | undefined): Promise<Carrier> {
  return target.proxyCommand === undefined
    ? dialTcp(target, signal)
    : dialProxyCommand(target, target.proxyCommand, signal);
}

/** Opens a direct-tcpip channel (RFC 4254 §7.2) to the next hop. */
async function carryThrough(
  via: Connection,
  next: Target,
  signal: AbortSignal | undefined,
): Promise<Carrier> {
  // string host · uint32 port · string originator address · uint32 originator port
  const data = new Writer().utf8(next.host).uint32(next.port).utf8("127.0.0.1").uint32(0).finish();
  try {
    return carryOverChannel(await via.open("direct-tcpip", { data, signal }));
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw new LinkError("proxy-failed", {
      what: "Cannot connect through the jump host",
      where: `${next.where} via ${via.where}`,
      why: error.why,
      fix: "check the address as the jump host sees it, and that it allows TCP forwarding",
      cause: error,
      outcome: "not-started",
    });
  }
}
