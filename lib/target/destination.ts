import { TargetError } from "../base/errors.ts";
import { parseAddress } from "./local_network.ts";
import type { Destination } from "./target.ts";

/**
 * Reads a destination as typed: `alias`, `user@host`, `user@host:port`, `[v6]:port`, `user@[v6]:port`, a bare IPv6
 * address, `ssh://[user@]host[:port][/]`. Throws `TargetError` ("bad-destination").
 *
 * What a shell or an option parser could take for more than a name is refused: the host and the user end up in
 * `%h` and `%r` of commands that ssh_config names (CVE-2023-51385).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseDestination("deploy@[::1]:2222"), {
 *   text: "deploy@[::1]:2222",
 *   alias: "::1",
 *   user: "deploy",
 *   port: 2222,
 * });
 * ```
 */
export function parseDestination(text: string): Destination {
  const refuse: Refuse = (why, fix) => {
    throw new TargetError("bad-destination", {
      what: "Cannot use the destination",
      // Somebody may have put a password into it.
      where: quoted(text.replace(/^(ssh:\/\/[^:@/]*):[^@]*@/i, "$1:…@")),
      why,
      fix: fix ?? "write alias, user@host, user@host:port, user@[IPv6]:port or ssh://user@host:port",
    });
  };
  const { user, host, port } = /^ssh:\/\//i.test(text) ? readUri(text, refuse) : readPlain(text, refuse);
  if (host === "") return refuse("it has no host name");
  if (host.length > 1025) return refuse("the host name is too long");
  const hostProblem = hostNameProblem(host);
  if (hostProblem) return refuse(hostProblem);
  if (user !== undefined) {
    const userProblem = userNameProblem(user);
    if (userProblem) return refuse(userProblem);
  }
  return {
    text,
    alias: host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: readPort(port, refuse) }),
  };
}

type Refuse = (why: string, fix?: string) => never;
interface Parts {
  readonly user?: string;
  readonly host: string;
  readonly port?: string;
}

function readPlain(text: string, refuse: Refuse): Parts {
  const at = text.lastIndexOf("@");
  if (at === 0) refuse("the user name before @ is empty");
  const user = at < 0 ? undefined : text.slice(0, at);
  return { user, ...readHostPort(text.slice(at + 1), refuse) };
}

/** `ssh://[user[;params]@]host[:port][/]` (draft-ietf-secsh-scp-sftp-ssh-uri-04). */
function readUri(text: string, refuse: Refuse): Parts {
  const rest = text.slice("ssh://".length);
  const slash = rest.indexOf("/");
  if (slash >= 0 && slash !== rest.length - 1) refuse("an ssh:// destination cannot have a path");
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const at = authority.lastIndexOf("@");
  if (at < 0) return readHostPort(authority, refuse);
  const encoded = authority.slice(0, at).split(";")[0];
  if (encoded === "") refuse("the user name before @ is empty");
  if (encoded.includes(":")) {
    refuse("a password does not belong into a destination", "leave it out: it is asked for");
  }
  return { user: decodeUser(encoded, refuse), ...readHostPort(authority.slice(at + 1), refuse) };
}

function decodeUser(encoded: string, refuse: Refuse): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return refuse("the user name is not properly percent-encoded");
  }
}

function readHostPort(text: string, refuse: Refuse): Parts {
  if (text.startsWith("[")) {
    const match = /^\[([^[\]]*)\](?::(.*))?$/s.exec(text);
    if (!match) return refuse("after [address] only :port may follow");
    return { host: match[1], port: match[2] };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { host: text };
  // Two colons are no port: a bare IPv6 address, perhaps with a zone.
  if (text.indexOf(":", colon + 1) >= 0) {
    if (!/^[0-9a-f:.]+(%[\w.-]+)?$/i.test(text) || parseAddress(text) === undefined) {
      refuse("it has more than one colon and is no IPv6 address");
    }
    return { host: text };
  }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function readPort(text: string, refuse: Refuse): number {
  const port = portNumber(text);
  return port ?? refuse(`${quoted(text)} is not a port`, "a port is a number from 1 to 65535");
}

/** A TCP port from 1 to 65535, in decimal digits or as the service name `ssh`; undefined for anything else. */
export function portNumber(text: string): number | undefined {
  if (text === "ssh") return 22;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** Why a host name must not be used, as OpenSSH judges typed ones; undefined when it may. */
export function hostNameProblem(host: string): string | undefined {
  if (host.startsWith("-")) return "a host name cannot begin with -";
  if (hasControl(host)) return "the host name contains control characters";
  const bad = /['`"$\\;&<>|(){},\s]/.exec(host);
  return bad ? `the host name contains ${quoted(bad[0])}` : undefined;
}

/** Why a user name must not be used, as OpenSSH judges typed ones; undefined when it may. */
export function userNameProblem(user: string): string | undefined {
  if (user === "") return "the user name is empty";
  if (user.startsWith("-")) return "a user name cannot begin with -";
  if (hasControl(user)) return "the user name contains control characters";
  const bad = /['`";&<>|(){}]/.exec(user);
  if (bad) return `the user name contains ${quoted(bad[0])}`;
  if (/\s-/.test(user)) return "a word of the user name begins with -";
  return user.endsWith("\\") ? "the user name ends in a backslash" : undefined;
}

function hasControl(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /[\x00-\x1f\x7f-\x9f]/.test(text);
}

/** Quoted for a message: no control characters, not endless. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
