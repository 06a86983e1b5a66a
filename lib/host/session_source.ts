import type { Session } from "../channel/session.ts";
import type { SshRide } from "./ssh_ride.ts";

/** How much is to be moved. */
export interface Load {
  readonly bytes: number;
  /** Whether it is one file. */
  readonly single: boolean;
}

/** Where a copy gets its sessions from: a host's connection, or a lane of its own for bulk. */
export interface SessionSource {
  /** Opens a session, when its turn has come. */
  open(signal?: AbortSignal): Promise<Session>;
  /** Sessions that it may hold at once; at least 1. */
  readonly parallel: number;
  /** Where they lead, for messages: `deploy@web1:22`. */
  readonly where: string;
  /**
   * Another source for so many bytes of file data, to be disposed when they have passed: a lane of its own; undefined
   * where they had better go through this one.
   */
  lane?(load: Load): Promise<(SessionSource & Disposable) | undefined>;
  /**
   * The same for one file that is to be sent, where the way is so long that it had better begin here than wait for the
   * other source's login; undefined where that does not pay.
   */
  further?(load: Load): Promise<(SessionSource & Disposable) | undefined> | undefined;
  /** How the installed `ssh` can move the bytes of a large file over the same connection; undefined where it cannot. */
  ride?(): Promise<SshRide | undefined>;
}
