import { MasterError } from "../base/errors.ts";
import { checkSocketPath } from "./places.ts";

/**
 * Binds a Unix socket so that it appears at `path` complete and private, or not at all: bound under a temporary name
 * with umask 0177, hard-linked to the final one (a loser sees that it exists), the temporary name removed. Where hard
 * links fail (some FUSE and overlay mounts) it is renamed; the caller holds a lock.
 *
 * Returns undefined when something is at `path` already.
 */
export async function bindSocket(path: string): Promise<Deno.Listener | undefined> {
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
      await Deno.link(temporary, path);
      await Deno.remove(temporary);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw error;
      if (await exists(path)) throw new Deno.errors.AlreadyExists();
      await Deno.rename(temporary, path);
    }
    return listener;
  } catch (error) {
    listener.close();
    await Deno.remove(temporary).catch(() => {}); // may be gone with the listener
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw new MasterError("bad-path", {
      what: "Cannot make a control socket",
      where: path,
      why: error instanceof Error ? error.message : String(error),
      fix: "check that its directory exists and is yours",
      cause: error,
      outcome: "not-started",
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
