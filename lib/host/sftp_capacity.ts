import type { SftpLimits } from "../wire/sftp_replies.ts";

/** What is asked of one server at a time. */
export interface SftpCapacity {
  /** Bytes for one READ. */
  readonly readBytes: number;
  /** Bytes for one WRITE. */
  readonly writeBytes: number;
  /** Files to keep open at once. */
  readonly openFiles: number;
}

/** What a server that does not say can surely take (draft-ietf-secsh-filexfer-02 §3: packets of 34000 bytes). */
const DEFAULT_CHUNK_BYTES = 32 * 1024;
/** Larger gains nothing that could be measured, and delays whoever shares the link. */
const MAX_CHUNK_BYTES = 128 * 1024;
const DEFAULT_OPEN_FILES = 64;
const MAX_OPEN_FILES = 256;

/** From what the server says of itself, if it does; a limit of 0 is not said. */
export function serverCapacity(limits: SftpLimits | undefined): SftpCapacity {
  const chunk = (limit = 0) => limit === 0 ? DEFAULT_CHUNK_BYTES : Math.min(MAX_CHUNK_BYTES, limit);
  // Half of what it may have open: directories are open, too.
  const handles = limits?.openHandles ? Math.max(1, Math.floor(limits.openHandles / 2)) : DEFAULT_OPEN_FILES;
  return {
    readBytes: chunk(limits?.readBytes),
    writeBytes: chunk(limits?.writeBytes),
    openFiles: Math.min(MAX_OPEN_FILES, handles),
  };
}
