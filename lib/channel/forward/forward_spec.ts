import { UsageError } from "../../base/errors.ts";

/**
 * One end of a forward: an address with its port, or the path of a Unix socket.
 *
 * As the listening end, host `""` is the default (loopback, or everywhere with GatewayPorts), `"*"` every address, and
 * port 0 any free port.
 */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** Which side listens, as ssh's `-L`, `-R` and `-D` have it. */
export type ForwardKind = "local" | "remote" | "dynamic";

/**
 * What to forward.
 *
 * - `local`: listen here, connect from the server.
 * - `remote`: listen on the server, connect from here; without `connect` each client says by SOCKS where it wants to.
 * - `dynamic`: listen here, connect from the server to wherever each client says by SOCKS.
 */
export interface ForwardSpec {
  /** Which side listens, and whether it speaks SOCKS. */
  readonly kind: ForwardKind;
  /** The listening end. */
  readonly listen: Endpoint;
  /** The other end, as the other side sees it; undefined for SOCKS. */
  readonly connect?: Endpoint;
}

/** A listening end in code: a port, `"address:port"`, `"[::1]:port"`, `"*:port"`, or the path of a Unix socket. */
export type ListenText = number | string;

/** A forward in code, for {@linkcode forwardSpec}. Anything with a slash is the path of a Unix socket. */
export type ForwardRequest =
  /** Listens here; `to` is as the server sees it. A `to` that is only a port means that port on the server itself. */
  | { readonly local: ListenText; readonly to: number | string }
  /** Listens on the server; `to` is as this machine sees it; without it the server's listener speaks SOCKS. */
  | { readonly remote: ListenText; readonly to?: number | string }
  /** Listens here and speaks SOCKS. */
  | { readonly dynamic: ListenText };

const HELP =
  'write { local: 8080, to: "db:5432" }, { remote: 9000, to: "localhost:3000" } or { dynamic: 1080 }';

/** `sun_path` less its final zero: 108 bytes on Linux, 104 on macOS and the BSDs. The server decides for its own. */
const MAX_PATH_BYTES = 107;

/** NI_MAXHOST less its final zero: what a resolver takes. */
const MAX_HOST_BYTES = 1024;

/**
 * The forward that a call asks for. Throws `UsageError` ("bad-value").
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(forwardSpec({ local: 8080, to: "db:5432" }), {
 *   kind: "local",
 *   listen: { host: "", port: 8080 },
 *   connect: { host: "db", port: 5432 },
 * });
 * ```
 */
export function forwardSpec(request: ForwardRequest): ForwardSpec {
  const kinds = (["local", "remote", "dynamic"] as const).filter((kind) => kind in request);
  const [kind] = kinds;
  if (kinds.length !== 1) {
    throw new UsageError({
      what: "Cannot read the forward",
      why: kinds.length === 0
        ? "neither local, remote nor dynamic is given"
        : `both ${kinds.join(" and ")} are given`,
      fix: HELP,
    }, "bad-value");
  }
  const listen = (request as Record<ForwardKind, ListenText>)[kind];
  const to = "to" in request ? request.to : undefined;
  const reject = (why: string): never => {
    const shown = `{ ${kind}: ${JSON.stringify(listen)}${
      to === undefined ? "" : `, to: ${JSON.stringify(to)}`
    } }`;
    throw new UsageError({ what: "Cannot read the forward", where: shown, why, fix: HELP }, "bad-value");
  };
  if (kind === "dynamic" && to !== undefined) reject("a dynamic forward has no end of its own");
  if (kind === "local" && to === undefined) reject("where it leads is missing");
  return {
    kind,
    listen: readEnd(listen, "listen", reject),
    ...(to === undefined ? {} : { connect: readEnd(to, "connect", reject) }),
  };
}

function readEnd(
  text: number | string,
  role: "listen" | "connect",
  reject: (why: string) => never,
): Endpoint {
  if (typeof text !== "number" && typeof text !== "string") {
    reject(`${text} is neither a number nor a string`);
  }
  const words = String(text);
  if (words.includes("/")) return checkedPath(words, reject);
  const match = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?([^:]*)$/.exec(words);
  if (match === null) {
    return reject(`${words} is neither a port, address:port nor a path; an IPv6 address goes in brackets`);
  }
  const host = match[1] ?? match[2];
  if (role === "connect") return checkedTarget(host ?? "localhost", match[3], reject);
  return checkedListener(host, match[3], reject);
}

/** @internal A listening address; `host` undefined: none was written, empty: every address (ssh(1), -L). */
export function checkedListener(
  host: string | undefined,
  port: string,
  reject: (why: string) => never,
): Endpoint {
  return {
    host: host === undefined ? "" : checkedHost(host || "*", reject),
    port: checkedPort(port, 0, reject),
  };
}

/** @internal An address to connect to. */
export function checkedTarget(host: string, port: string, reject: (why: string) => never): Endpoint {
  if (host === "") reject("the host to connect to is empty");
  return { host: checkedHost(host, reject), port: checkedPort(port, 1, reject) };
}

/** @internal */
export function checkedPath(path: string, reject: (why: string) => never): Endpoint {
  const bytes = new TextEncoder().encode(path).length;
  if (path.includes("\0")) reject("a path cannot hold a zero byte");
  if (bytes > MAX_PATH_BYTES) {
    reject(`the path of a socket has at most ${MAX_PATH_BYTES} bytes, this one has ${bytes}`);
  }
  return { path };
}

function checkedHost(host: string, reject: (why: string) => never): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x20\x7f]/.test(host)) reject("a host name cannot hold spaces or control characters");
  if (new TextEncoder().encode(host).length > MAX_HOST_BYTES) {
    reject(`a host name has at most ${MAX_HOST_BYTES} bytes`);
  }
  return host;
}

function checkedPort(text: string, least: number, reject: (why: string) => never): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port >= least && port <= 65535)) {
    reject(text === "" ? "a port is missing" : `${text} is not a port (${least} to 65535)`);
  }
  return port;
}
