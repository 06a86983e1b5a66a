/** What is said and answered when a command fails: loaded only then, so that one that works starts sooner. */
import { CarpoolError, UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest_name.ts";
import { plainText } from "../report/plain_text.ts";
import { exitStatus } from "./exit_status.ts";
import { write } from "./write.ts";

/** Says on stderr why a command ended, and answers its exit status. */
export function tellFailure(error: unknown): number {
  if (error instanceof Deno.errors.BrokenPipe) return exitStatus.failed;
  write(`carpool: ${plainText(messageOf(error))}\n`, "stderr");
  return exitStatusOfError(error);
}

/** There is no such command; perhaps one of those there are was meant. */
export function unknownCommand(name: string, commands: readonly string[]): UsageError {
  const nearest = nearestName(name, commands);
  return new UsageError({
    what: "Cannot read the command line",
    where: name,
    why: "there is no such command",
    fix: nearest ? `did you mean carpool ${nearest}?` : "see carpool --help",
  });
}

/** The exit status for an error that ended a command. */
export function exitStatusOfError(error: unknown): number {
  if (error instanceof DOMException && error.name === "AbortError") return exitStatus.interrupted;
  if (!(error instanceof CarpoolError)) return exitStatus.failed;
  // A place for the journal that cannot be used is found before anything is contacted, as a bad file is.
  if (error.code === "no-journal") return exitStatus.usage;
  switch (error.name) {
    case "UsageError":
    case "TargetError":
    case "JobFileError":
    case "JobProblemsError":
      return exitStatus.usage;
    case "LinkError":
    case "HostKeyError":
    case "MasterError":
      return exitStatus.unreachable;
    default:
      return exitStatus.failed;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof CarpoolError) return error.message;
  if (error instanceof DOMException && error.name === "AbortError") return "Interrupted";
  if (error instanceof Deno.errors.NotCapable) return `${error.message}; allow it, or run with --allow-all`;
  // Anything else is a mistake of ours: where it happened is what a report needs.
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
