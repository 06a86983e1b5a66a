import { CarpoolError, type ErrorParts } from "../../base/errors.ts";

/**
 * - `in-use`: something listens there already.
 * - `cannot-listen`: the listener could not be made here for another reason.
 * - `refused`: the server refused the forward.
 * - `cannot-connect`: one connection could not be made; the forward itself goes on.
 * - `bad-socks`: a client of a SOCKS listener said something that is not SOCKS; the forward itself goes on.
 */
export type ForwardErrorCode = "in-use" | "cannot-listen" | "refused" | "cannot-connect" | "bad-socks";

/** A forward could not be opened, or one connection through it could not be made. */
export class ForwardError extends CarpoolError {
  override name = "ForwardError";
  declare readonly code: ForwardErrorCode;
  constructor(code: ForwardErrorCode, parts: ErrorParts) {
    super(code, { outcome: "not-started", ...parts });
  }
}
