import { ForwardError } from "../../base/errors.ts";
import { systemWhy } from "../../base/system_why.ts";
import type { Endpoint, ForwardSpec } from "./forward_spec.ts";
import { formatForward } from "./forward_text.ts";

export interface ListenHereOptions {
  /** A forward without a bind address listens everywhere, not on loopback (ssh_config(5)). Default false. */
  readonly gatewayPorts?: boolean;
  /** Removes a socket that is at the path already (ssh_config(5)). Never removes anything else. Default false. */
  readonly streamLocalBindUnlink?: boolean;
  /** The umask that the Unix socket is made under (ssh_config(5)). Default 0o177: for its owner only. */
  readonly streamLocalBindMask?: number;
}

/** The listeners of one forward: of one address, or of one per address family. */
export interface LocalListener {
  readonly listeners: readonly Deno.Listener[];
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
}

/** Listens here for a forward. Throws `ForwardError` ("in-use" or "cannot-listen"). */
export async function listenHere(
  spec: ForwardSpec,
  where: string,
  options: ListenHereOptions = {},
): Promise<LocalListener> {
  try {
    return "path" in spec.listen
      ? { listeners: [await listenOnPath(spec.listen.path, options)], port: undefined }
      : await listenOnPort(spec.listen, options.gatewayPorts ?? false);
  } catch (error) {
    throw listenError(error, spec, where);
  }
}

async function listenOnPort(
  endpoint: Exclude<Endpoint, { readonly path: string }>,
  gatewayPorts: boolean,
): Promise<LocalListener> {
  const [first, second] = addressesOf(endpoint.host, gatewayPorts);
  const listeners: Deno.TcpListener[] = [];
  try {
    listeners.push(Deno.listen({ hostname: first, port: endpoint.port }));
  } catch (error) {
    // No such address family here: then the other one alone will do.
    if (second === undefined || !isAddressMissing(error)) throw error;
  }
  const port = listeners[0]?.addr.port ?? endpoint.port;
  if (listeners.length === 0) listeners.push(Deno.listen({ hostname: second, port }));
  else if (second !== undefined && await mayListen(second, port)) {
    try {
      listeners.push(Deno.listen({ hostname: second, port }));
    } catch {
      // Not there, or another's: as with ssh, one address family is enough.
    }
  }
  return { listeners, port: listeners[0].addr.port };
}

/** What to listen on, in order; the second is welcome but not needed. */
function addressesOf(host: string, gatewayPorts: boolean): readonly string[] {
  if (host === "*" || (host === "" && gatewayPorts)) {
    // Of `::`, only Windows keeps IPv4 out.
    return Deno.build.os === "windows" ? ["0.0.0.0", "::"] : ["::", "0.0.0.0"];
  }
  // A browser may take either for localhost; without the second, another user could have it and be taken for us.
  return host === "" || host === "localhost" ? ["127.0.0.1", "::1"] : [host];
}

/** Whether it can be tried without a question on the terminal. */
async function mayListen(hostname: string, port: number): Promise<boolean> {
  // `::` has taken IPv4 along.
  if (hostname === "0.0.0.0") return false;
  const host = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return (await Deno.permissions.query({ name: "net", host })).state === "granted";
}

function isAddressMissing(error: unknown): boolean {
  const code = (error as { readonly code?: string }).code;
  return error instanceof Deno.errors.AddrNotAvailable || code === "EAFNOSUPPORT";
}

async function listenOnPath(path: string, options: ListenHereOptions): Promise<Deno.Listener> {
  const { streamLocalBindUnlink = false, streamLocalBindMask = 0o177 } = options;
  if (streamLocalBindUnlink) await removeSocket(path);
  // The mask is the process's: nothing may come between, so there is no await here. Deno removes the socket at close.
  const before = Deno.umask(streamLocalBindMask);
  try {
    return Deno.listen({ transport: "unix", path });
  } finally {
    Deno.umask(before);
  }
}

async function removeSocket(path: string): Promise<void> {
  try {
    if ((await Deno.lstat(path)).isSocket) await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function listenError(cause: unknown, spec: ForwardSpec, where: string): ForwardError {
  const what = `Cannot listen for the forward ${formatForward(spec)}`;
  const why = systemWhy(cause);
  if (cause instanceof Deno.errors.AddrInUse) {
    return "path" in spec.listen
      ? new ForwardError("in-use", {
        what,
        where,
        why: `${spec.listen.path} exists`,
        fix: "remove it if nothing uses it, or turn StreamLocalBindUnlink on",
        cause,
      })
      : new ForwardError("in-use", {
        what,
        where,
        why: `port ${spec.listen.port} is in use on this machine`,
        fix: "take another port, or 0 for any free one",
        cause,
      });
  }
  return new ForwardError("cannot-listen", { what, where, why, fix: fixFor(cause, spec), cause });
}

function fixFor(cause: unknown, { listen }: ForwardSpec): string {
  if (cause instanceof Deno.errors.NotCapable) {
    return "path" in listen
      ? "allow it: --allow-net --allow-read --allow-write --allow-sys=umask"
      : "allow it: --allow-net";
  }
  if ("path" in listen) return "check that its directory exists and is yours";
  if (cause instanceof Deno.errors.PermissionDenied) return "take a port from 1024 on";
  return "take an address of this machine";
}
