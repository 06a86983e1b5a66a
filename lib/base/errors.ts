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
  override name = "CarpoolError";
  /** A short, stable, kebab-case code, unique within the class. */
  readonly code: string;
  readonly what: string;
  readonly where: string | undefined;
  readonly why: string | undefined;
  readonly fix: string | undefined;
  readonly outcome: Outcome | undefined;

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
  override name = "UsageError";
  constructor(parts: ErrorParts, code: "usage" | "bad-option" | "bad-value" = "usage") {
    super(code, parts);
  }
}

export type TargetErrorCode =
  | "bad-destination"
  | "bad-config"
  | "bad-host-pattern"
  | "unsupported"
  | "bad-identity";

/** A destination or its configuration cannot be used; nothing was contacted. */
export class TargetError extends CarpoolError {
  override name = "TargetError";
  constructor(code: TargetErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}

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
  override name = "LinkError";
  declare readonly code: LinkErrorCode;
  constructor(code: LinkErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

export type HostKeyErrorCode = "unknown" | "changed" | "revoked" | "refused" | "unsupported";

/** The host key is unknown, changed, revoked, or was not accepted. */
export class HostKeyError extends CarpoolError {
  override name = "HostKeyError";
  constructor(code: HostKeyErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}

/** The peer broke the protocol (RFC 4251–4254, PROTOCOL.mux). */
export class ProtocolError extends CarpoolError {
  override name = "ProtocolError";
  constructor(parts: ErrorParts, code: "truncated" | "malformed" | "violation" | "too-large" = "violation") {
    super(code, parts);
  }
}

/** The reason codes of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1). */
export type OpenFailureReason = 1 | 2 | 3 | 4;

export type ChannelErrorCode = "open-failed" | "request-failed" | "closed" | "exhausted";

/** A channel could not be opened, or a request on it was refused. */
export class ChannelError extends CarpoolError {
  override name = "ChannelError";
  /** The server's reason code, where it gave one (RFC 4254 §5.1). */
  readonly reason: number | undefined;
  constructor(code: ChannelErrorCode, parts: ErrorParts & { readonly reason?: number }) {
    super(code, parts);
    this.reason = parts.reason;
  }
}

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
  override name = "MasterError";
  constructor(code: MasterErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

/** How a command ended that was expected to succeed. */
export interface CommandEnd {
  readonly command: string;
  /** `user@host:port`. */
  readonly host: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly outcome: Outcome;
  readonly stderr: string;
}

/** A command that had to succeed did not; `result` has everything about it. */
export class CommandError<Result extends CommandEnd = CommandEnd> extends CarpoolError {
  override name = "CommandError";
  readonly result: Result;
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
  override name = "CopyError";
  constructor(code: CopyErrorCode, parts: ErrorParts) {
    super(code, parts);
  }
}

/** A task or inventory file cannot be used; nothing was contacted. */
export class JobFileError extends CarpoolError {
  override name = "JobFileError";
  /** 1-based; undefined where the file has no position to point at. */
  readonly line: number | undefined;
  /** 1-based. */
  readonly column: number | undefined;
  constructor(
    parts: ErrorParts & { readonly line?: number; readonly column?: number },
    code = "bad-job-file",
  ) {
    super(code, { outcome: "not-started", ...parts });
    this.line = parts.line;
    this.column = parts.column;
  }
}
