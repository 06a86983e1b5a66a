import { UsageError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";

/** Nothing can be made where this machine keeps what is temporary. */
export function noTemporary(cause: unknown): UsageError {
  return new UsageError({
    what: "Cannot make a temporary file",
    where: Deno.env.get("TMPDIR") ?? "/tmp",
    why: systemWhy(cause),
    fix: "set TMPDIR to a directory that can be written",
    cause,
  });
}
