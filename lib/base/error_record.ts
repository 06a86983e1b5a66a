import * as errors from "./errors.ts";

/** An error on its way to another process: plain data, no stack, no cause. */
export interface ErrorRecord {
  readonly name: string;
  readonly code: string;
  readonly what: string;
  readonly where?: string;
  readonly why?: string;
  readonly fix?: string;
  readonly outcome?: errors.Outcome;
}

const CLASSES: Readonly<Record<string, new (code: never, parts: errors.ErrorParts) => errors.CarpoolError>> =
  {
    CarpoolError: errors.CarpoolError,
    TargetError: errors.TargetError,
    LinkError: errors.LinkError,
    HostKeyError: errors.HostKeyError,
    ChannelError: errors.ChannelError,
    MasterError: errors.MasterError,
  };

/** Makes a record of any error; what is no `CarpoolError` keeps only its message. */
export function toRecord(error: unknown): ErrorRecord {
  if (error instanceof errors.CarpoolError) {
    const { name, code, what, where, why, fix, outcome } = error;
    return { name, code, what, where, why, fix, outcome };
  }
  const why = error instanceof Error ? error.message : String(error);
  return { name: "CarpoolError", code: "internal", what: "Something failed in the keeper", why };
}

/** Makes the error again, of its own class where that has a code; its message is the same. */
export function fromRecord(record: ErrorRecord): errors.CarpoolError {
  const Class = CLASSES[record.name] ?? errors.CarpoolError;
  const error = new Class(record.code as never, record);
  error.name = record.name;
  return error;
}
