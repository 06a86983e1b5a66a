import { UsageError } from "../../base/errors.ts";
import {
  checkedListener,
  checkedPath,
  checkedTarget,
  type Endpoint,
  type ForwardKind,
  type ForwardSpec,
} from "./forward_spec.ts";

const LETTERS = { local: "-L", remote: "-R", dynamic: "-D" } as const;

const FORMS = {
  local: "write -L [bind:]port:host:hostport, with a path for either end where it is a Unix socket",
  remote:
    "write -R [bind:]port:host:hostport, with a path for either end where it is a Unix socket; or -R port",
  dynamic: "write -D [bind:]port",
} as const;

interface Field {
  readonly text: string;
  /** It holds a slash: a Unix socket. */
  readonly isPath: boolean;
}

/**
 * Reads what follows ssh's `-L`, `-R` or `-D` (ssh(1)). The two words of `LocalForward` and `RemoteForward`
 * (ssh_config(5)) are read as one, joined by a colon. An empty or `*` bind address means every address; no bind
 * address the default. An IPv6 address goes in brackets; a backslash takes the next character as it is. Throws
 * `UsageError` ("bad-value").
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseForward("local", "[::1]:8080:db:5432"), {
 *   kind: "local",
 *   listen: { host: "::1", port: 8080 },
 *   connect: { host: "db", port: 5432 },
 * });
 * ```
 */
export function parseForward(kind: ForwardKind, text: string): ForwardSpec {
  const reject = (why: string): never => {
    const where = `${LETTERS[kind]} ${text}`;
    throw new UsageError({ what: "Cannot read the forward", where, why, fix: FORMS[kind] }, "bad-value");
  };
  const fields = splitFields(text.trim(), reject);
  const [listenFields, connectFields] = divide(kind, fields) ??
    reject(`${fields.length} part${fields.length === 1 ? "" : "s"} of that kind do not make a forward`);
  const listen = readListen(listenFields, reject);
  return connectFields.length === 0
    ? { kind, listen }
    : { kind, listen, connect: readConnect(connectFields, reject) };
}

/** Which fields are the listening end and which the other; undefined when they make no forward. */
function divide(
  kind: ForwardKind,
  fields: readonly Field[],
): [readonly Field[], readonly Field[]] | undefined {
  const paths = fields.map(({ isPath }) => isPath ? "/" : ".").join("");
  const at = (count: number): [readonly Field[], readonly Field[]] => [
    fields.slice(0, count),
    fields.slice(count),
  ];
  if (paths === "/" || paths === ".") return kind === "local" ? undefined : at(1);
  if (paths === "..") return kind === "local" ? undefined : at(2);
  if (kind === "dynamic") return undefined;
  if (/^([./]\/|[./]\.\.)$/.test(paths)) return at(1);
  if (/^\.\.(\/|\.\.)$/.test(paths)) return at(2);
  return undefined;
}

function readListen(fields: readonly Field[], reject: (why: string) => never): Endpoint {
  const [first, second] = fields;
  if (first.isPath) return checkedPath(first.text, reject);
  return second === undefined
    ? checkedListener(undefined, first.text, reject)
    : checkedListener(first.text, second.text, reject);
}

function readConnect(fields: readonly Field[], reject: (why: string) => never): Endpoint {
  const [first, second] = fields;
  return first.isPath ? checkedPath(first.text, reject) : checkedTarget(first.text, second.text, reject);
}

/** Cuts at colons, except within brackets and after a backslash. */
function splitFields(text: string, reject: (why: string) => never): Field[] {
  const fields: Field[] = [];
  let rest = text;
  for (;;) {
    const bracketed = /^\[([^\]]*)\](:|$)/.exec(rest);
    if (rest.startsWith("[") && bracketed === null) reject("a bracket is not closed before the next colon");
    const match = bracketed ?? /^((?:\\.|[^:\\])*)(:|$)/s.exec(rest);
    if (match === null) return reject("a backslash has nothing behind it");
    const word = bracketed ? match[1] : match[1].replace(/\\(.)/gs, "$1");
    fields.push({ text: word, isPath: word.includes("/") });
    if (match[2] === "") return fields;
    rest = rest.slice(match[0].length);
  }
}

/** As ssh would write it, for messages: `-L 8080:db:5432`. */
export function formatForward(spec: ForwardSpec): string {
  const ends = spec.connect === undefined ? [spec.listen] : [spec.listen, spec.connect];
  return `${LETTERS[spec.kind]} ${ends.map(formatEndpoint).join(":")}`;
}

/** `db:5432`, `[::1]:80`, a bare port where the host is the default one, or a path. */
export function formatEndpoint(endpoint: Endpoint): string {
  if ("path" in endpoint) return endpoint.path;
  const { host, port } = endpoint;
  if (host === "") return `${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
