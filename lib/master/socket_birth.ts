import { MasterError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { checkSocketPath } from "./places.ts";

/**
 * Binds a Unix socket so that it appears at `path` complete and private, or not at all: bound under a temporary name
 * with umask 0177, hard-linked to the final one (a loser sees that it exists), the temporary name removed. Where hard
 * links fail (some FUSE and overlay mounts) it is renamed; the caller holds a lock.
 *
 * Returns undefined when something is at `path` already.
 */
export function bindSocket(path: string): Deno.Listener | undefined {
  checkSocketPath(path);
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  const before = Deno.umask(0o177);
  let listener: Deno.Listener;
  try {
    listener = Deno.listen({ transport: "unix", path: temporary });
  } finally {
    Deno.umask(before);
  }
  try {
    try {
      // In this thread, as binding is: a keeper of a thousand hosts makes a thousand.
      Deno.linkSync(temporary, path);
      Deno.removeSync(temporary);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw error;
      if (exists(path)) throw new Deno.errors.AlreadyExists();
      Deno.renameSync(temporary, path);
    }
    return listener;
  } catch (error) {
    listener.close();
    removeIfThere(temporary); // may be gone with the listener
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw new MasterError("bad-path", {
      what: "Cannot make a control socket",
      where: path,
      why: systemWhy(error),
      fix: "check that its directory exists and is yours",
      cause: error,
      outcome: "not-started",
    });
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it is not there
  }
}
