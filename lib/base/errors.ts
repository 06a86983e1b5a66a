/**
 * What became of a command, as far as Carpool can truthfully tell.
 *
 * - `not-started`: the request never left this machine, or the server refused it before running anything.
 * - `exited`: the server reported an exit status.
 * - `signalled`: the server reported that a signal ended it.
 * - `unknown`: the request was written, and the connection was lost before the server told how it ended.
 *
 * Only `not-started` may be retried without asking.
 */
export type Outcome = "not-started" | "exited" | "signalled" | "unknown";

/** The four parts of a message: what failed, where, why, and what to do about it. */
export interface ErrorParts {
  /** What could not be done: "Cannot open a session". */
  readonly what: string;
  /** Where: `deploy@db1:22`, `deploy.yaml:4:9`. */
  readonly where?: string;
  /** Why, in the words of whoever refused it. */
  readonly why?: string;
  /** What the reader can do. */
  readonly fix?: string;
  /** The error underneath, if any. */
  readonly cause?: unknown;
  /** What became of the command that this error ended, if there was one. */
  readonly outcome?: Outcome;
}

/** `what: where: why; fix`, leaving out the parts that are not known. */
export function formatParts(parts: ErrorParts): string {
  const head = [parts.what, parts.where, parts.why].filter((part) => part !== undefined && part !== "").join(
    ": ",
  );
  return parts.fix ? `${head}; ${parts.fix}` : head;
}

/** The base of every error that Carpool throws; `code` is stable, `message` is for people. */
export class CarpoolError extends Error {
  /**
   * The class's name: it tells errors apart where `instanceof` cannot, as across two copies of the module.
   */
  override name = "CarpoolError";
  /** A short, stable, kebab-case code, unique within the class. */
  readonly code: string;
  /** What could not be done. */
  readonly what: string;
  /** The host, file or path it happened at; undefined where there is none. */
  readonly where: string | undefined;
  /** Why, in the words of whoever refused it; undefined where nobody said. */
  readonly why: string | undefined;
  /** What the reader can do; undefined where nothing is known to help. */
  readonly fix: string | undefined;
  /** What became of the command that this error ended; undefined where there was none. */
  readonly outcome: Outcome | undefined;

  /** Builds the message from its parts: `what: where: why; fix`. */
  constructor(code: string, parts: ErrorParts) {
    super(formatParts(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.what = parts.what;
    this.where = parts.where;
    this.why = parts.why;
    this.fix = parts.fix;
    this.outcome = parts.outcome;
  }
}

/** Wrong use of a command or an option. */
export class UsageError extends CarpoolError {
  /** @ignore */
  override name = "UsageError";
  /** @ignore */
  constructor(parts: ErrorParts, code: "usage" | "bad-option" | "bad-value" = "usage") {
    super(code, parts);
  }
}

/**
 * What is wrong with a destination or its configuration; `unsupported`: it asks for what Carpool cannot do.
 */
export type TargetErrorCode =
  | "bad-destination"
  | "bad-config"
  | "bad-host-pattern"
  | "unsupported";

/** A destination or its configuration cannot be used; nothing was contacted. */
export class TargetError extends CarpoolError {
  /** @ignore */
  override name = "TargetError";
  /** @ignore */
  constructor(code: TargetErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}

/**
 * How a connection failed; `lost`: it broke; `closed`: it was ended from here; `incompatible`: this Deno or
 * ssh2 is.
 */
export type LinkErrorCode =
  | "unknown-host"
  | "refused"
  | "unreachable"
  | "timeout"
  | "proxy-failed"
  | "handshake-failed"
  | "auth-failed"
  | "lost"
  | "closed"
  | "incompatible";

/** The connection to a host could not be made, or was lost. */
export class LinkError extends CarpoolError {
  /** @ignore */
  override name = "LinkError";
  /** How it failed. */
  declare readonly code: LinkErrorCode;
  /** @ignore */
  constructor(code: LinkErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

/**
 * What is wrong with a host key; `refused`: somebody was asked, and said no; `unsupported`: it cannot be
 * checked.
 */
export type HostKeyErrorCode = "unknown" | "changed" | "revoked" | "refused" | "unsupported";

/** The host key is unknown, changed, revoked, or was not accepted. */
export class HostKeyError extends CarpoolError {
  /** @ignore */
  override name = "HostKeyError";
  /** @ignore */
  constructor(code: HostKeyErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}

/** The peer broke the protocol (RFC 4251–4254, PROTOCOL.mux). */
export class ProtocolError extends CarpoolError {
  /** @ignore */
  override name = "ProtocolError";
  /** @ignore */
  constructor(parts: ErrorParts, code: "truncated" | "malformed" | "violation" | "too-large" = "violation") {
    super(code, parts);
  }
}

/** The reason codes of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1). */
export type OpenFailureReason = 1 | 2 | 3 | 4;

/** How a channel failed; `closed`: it ended before it said what was waited for. */
export type ChannelErrorCode = "open-failed" | "request-failed" | "closed";

/** A channel could not be opened, or a request on it was refused. */
export class ChannelError extends CarpoolError {
  /** @ignore */
  override name = "ChannelError";
  /** The server's reason code, where it gave one (RFC 4254 §5.1). */
  readonly reason: number | undefined;
  /** @ignore */
  constructor(code: ChannelErrorCode, parts: ErrorParts & { readonly reason?: number }) {
    super(code, parts);
    this.reason = parts.reason;
  }
}

/**
 * How a forward failed.
 *
 * - `in-use`: something listens there already.
 * - `cannot-listen`: the listener could not be made here for another reason.
 * - `refused`: the server refused the forward.
 * - `cannot-connect`: one connection could not be made; the forward itself goes on.
 * - `bad-socks`: a client of a SOCKS listener said something that is not SOCKS; the forward itself goes on.
 */
export type ForwardErrorCode = "in-use" | "cannot-listen" | "refused" | "cannot-connect" | "bad-socks";

/** A forward could not be opened, or one connection through it could not be made. */
export class ForwardError extends CarpoolError {
  /** @ignore */
  override name = "ForwardError";
  /** How it failed. */
  declare readonly code: ForwardErrorCode;
  /** @ignore */
  constructor(code: ForwardErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}

/**
 * Why a master cannot be used; `wedged`: it takes connections and does not answer; `foreign-socket`: somebody
 * else owns its socket; `mismatch`: it is connected as somebody or something else; `gone`: nobody listens.
 */
export type MasterErrorCode =
  | "no-keeper"
  | "wedged"
  | "foreign-socket"
  | "bad-path"
  | "refused"
  | "mismatch"
  | "gone";

/** A master or the keeper cannot be used. */
export class MasterError extends CarpoolError {
  /** @ignore */
  override name = "MasterError";
  /** @ignore */
  constructor(code: MasterErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

/** How a command ended that was expected to succeed. */
export interface CommandEnd {
  /** The command, as it was given. */
  readonly command: string;
  /** `user@host:port`. */
  readonly host: string;
  /** The exit status; null unless `outcome` is `exited`. */
  readonly code: number | null;
  /** The signal's name without SIG; null unless `outcome` is `signalled`. */
  readonly signal: string | null;
  /** What became of it. */
  readonly outcome: Outcome;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** A command that had to succeed did not; `result` has everything about it. */
export class CommandError<Result extends CommandEnd = CommandEnd> extends CarpoolError {
  /** @ignore */
  override name = "CommandError";
  /** How the command ended, with all it wrote. */
  readonly result: Result;
  /** @ignore */
  constructor(result: Result) {
    const status = result.signal === null ? `status ${result.code}` : `signal ${result.signal}`;
    const said = result.stderr.trim().split("\n").at(-1)?.slice(0, 200);
    super("failed", {
      what: "Command failed",
      where: result.host,
      why: said ? `${status}: ${said}` : status,
      outcome: result.outcome,
    });
    this.result = result;
  }
}

/** Why a copy failed; `escapes`: a remote name would have led out of the local directory. */
export type CopyErrorCode =
  | "missing"
  | "local-failed"
  | "remote-failed"
  | "no-space"
  | "denied"
  | "escapes"
  | "unsupported"
  | "interrupted";

/** A file or a tree could not be copied; nothing half-written lies under a real name. */
export class CopyError extends CarpoolError {
  /** @ignore */
  override name = "CopyError";
  /** @ignore */
  constructor(code: CopyErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

/** A task or inventory file cannot be used; nothing was contacted. */
export class JobFileError extends CarpoolError {
  /** @ignore */
  override name = "JobFileError";
  /** 1-based; undefined where the file has no position to point at. */
  readonly line: number | undefined;
  /** 1-based. */
  readonly column: number | undefined;
  /** @ignore */
  constructor(
    parts: ErrorParts & { readonly line?: number; readonly column?: number },
    code = "bad-job-file",
  ) {
    super(code, { outcome: "not-started", ...parts });
    this.line = parts.line;
    this.column = parts.column;
  }
}
