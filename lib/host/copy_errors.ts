/** What went wrong while copying, as the four parts of a message. */
import { CopyError, type CopyErrorCode } from "../base/errors.ts";
import { FX } from "../wire/sftp.ts";
import { parentPath, shown } from "./copy_names.ts";
import type { SftpClient } from "./sftp_client.ts";
import { isStatus, space } from "./sftp_files.ts";

/** A file system that has less than this left is full, as far as a copy is concerned. */
const FULL_BELOW_BYTES = 256 * 1024;

/** An error of this machine's file system. Errors that are already ours pass through. */
export function localError(cause: unknown, what: string, path: string): unknown {
  if (!(cause instanceof Error) || cause instanceof CopyError) return cause;
  const code = localCode(cause);
  if (code === undefined) return cause;
  return new CopyError(code, {
    what,
    where: shown(path),
    why: code === "missing" ? "there is no such file or directory here" : shown(systemWords(cause)),
    fix: LOCAL_FIX[code] ??
      (cause instanceof Deno.errors.NotCapable ? "allow it on Deno's command line" : undefined),
    cause,
  });
}

const LOCAL_FIX: Partial<Record<CopyErrorCode, string>> = {
  missing: "check the path",
  "no-space": "free some space there",
};

/** Undefined for what is no failure of the file system: a bug, or the reason of a signal. */
function localCode(cause: Error & { code?: unknown }): CopyErrorCode | undefined {
  if (cause instanceof Deno.errors.NotFound) return "missing";
  if (cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable) {
    return "denied";
  }
  if (cause.code === "ENOSPC" || cause.code === "EDQUOT") return "no-space";
  // Deno names only some of them: EFBIG has neither a class nor a code.
  if (/\(os error \d+\)/.test(cause.message)) return "local-failed";
  return Object.values(Deno.errors).some((type) => cause instanceof type) ? "local-failed" : undefined;
}

/** Deno's text without what our own message already says: "No space left on device (os error 28)". */
function systemWords(cause: Error): string {
  return cause.message.replace(/(\(os error \d+\)).*$/s, "$1");
}

/**
 * Restates a refusal of the server for the file that the user named. A bare FAILURE is all that OpenSSH says of a full
 * disk: then the server is asked how full it is.
 */
export async function remoteError(
  sftp: SftpClient,
  error: unknown,
  what: string,
  path: string,
): Promise<unknown> {
  if (!isStatus(error)) return error;
  const where = `${sftp.where}:${shown(path)}`;
  if (error.status === FX.FAILURE) {
    const left = await space(sftp, parentPath(path), { urgent: true }).catch(() => undefined);
    const full = left !== undefined && left.freeBytes < FULL_BELOW_BYTES;
    if (left !== undefined && (full || left.freeFiles === 0)) {
      return new CopyError("no-space", {
        what,
        where,
        why: full
          ? `the disk is full (${left.freeBytes} of ${left.totalBytes} bytes are free)`
          : "the disk cannot hold more files (no inode is free)",
        fix: "free some space there",
        cause: error,
      });
    }
  }
  return new CopyError(error.code as CopyErrorCode, {
    what,
    where,
    why: error.why,
    fix: error.code === "missing"
      ? "check the path there"
      : error.code === "denied"
      ? "check the permissions there"
      : error.status === FX.FAILURE
      ? "look for a quota, a file size limit or a directory in the way"
      : undefined,
    cause: error,
  });
}

/** One error for all that a tree copy left out, thrown when everything else is in place. */
export function leftOutError(
  problems: readonly CopyError[],
  count: number,
  what: string,
  where: string,
  done: string,
): CopyError {
  const SHOWN = 3;
  const lines = problems.slice(0, SHOWN).map((problem) =>
    `${problem.where ?? ""} (${problem.why ?? problem.what})`
  );
  const more = count > SHOWN ? ` and ${count - SHOWN} more` : "";
  const [first] = problems;
  return new CopyError(first.code as CopyErrorCode, {
    what,
    where,
    why: `left out: ${lines.join(", ")}${more}; ${done}`,
    fix: first.fix,
    cause: problems.length === 1 ? first : new AggregateError(problems),
  });
}
