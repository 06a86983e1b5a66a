import type { SftpReply } from "../wire/sftp_replies.ts";

/** How one request is to be treated. */
export interface SendOptions {
  /** Ends the wait. A request that is already written stays written; a handle that it opens is closed again. */
  readonly signal?: AbortSignal;
  /** Bytes of file data that it moves, either way; default 0. */
  readonly bytes?: number;
  /** Past the queue: for cleaning up, and for whoever already holds budget and would wait for itself. */
  readonly urgent?: boolean;
  /** Keep the budget after the reply, until `release` is called: its data is still in memory. */
  readonly hold?: boolean;
  /** Budget that the caller got from `SftpClient.reserve`; instead of `bytes`. */
  readonly reservation?: Reservation;
}

/** Room for one request. */
export interface Reservation {
  /** Gives it back; idempotent. */
  release(): void;
}

/** A request that has been written. */
export interface Sent {
  readonly reply: Promise<SftpReply>;
  /** Gives held budget back; idempotent. */
  release(): void;
}
