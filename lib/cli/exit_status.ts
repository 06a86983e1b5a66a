import type { RunEndEvent } from "../base/run_event.ts";

/** The exit statuses of `carpool`. */
export const exitStatus = {
  ok: 0,
  /** A step, a command or a copy failed. */
  failed: 1,
  /** Wrong use, or a file that cannot be used; nothing was contacted. */
  usage: 2,
  /** Nothing failed, but hosts could not be reached. */
  unreachable: 4,
  /** Ctrl-C, as a shell would say it: 128 + SIGINT. */
  interrupted: 130,
  /** `exec` on one host whose output nobody reads any more, as a shell would say it: 128 + SIGPIPE. */
  unread: 141,
  /** `exec` on one host: the command never ran, or its end is not known; as ssh has it. */
  sshFailed: 255,
} as const;

/** The exit status of a run over hosts. */
export function exitStatusOf(run: Pick<RunEndEvent, "status">): number {
  return exitStatus[run.status];
}
