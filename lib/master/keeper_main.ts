/**
 * The keeper's program: one detached process per user, started by whoever first needs a master. It holds nothing of
 * its starter (streams, directory, terminal, environment) and ends by itself when the last master has left.
 *
 * Usage: keeper_main.ts DIRECTORY
 */
import type { Link } from "../channel/link.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { openControlLink } from "../link/control_link.ts";
import { Keeper } from "./keeper.ts";
import { FileLog } from "./log.ts";
import { makePrivate, placeAt } from "./places.ts";
import { bindSocket } from "./socket_birth.ts";

if (import.meta.main) await keep(Deno.args[0]);

/** Runs until there is nothing to keep. */
export async function keep(directory: string): Promise<void> {
  await makePrivate(directory);
  const place = placeAt(directory);
  const log = new FileLog(place.logFile);
  Deno.chdir("/");
  Deno.umask(0o077);
  const listener = await bindSocket(place.keeperSocket);
  if (listener === undefined) return; // another one was faster: it serves
  const inode = Deno.lstatSync(place.keeperSocket).ino;
  log.info(`keeper started, Deno ${Deno.version.deno}`);

  const leave = (why: string) => {
    log.info(`keeper leaves: ${why}`);
    listener.close();
    try {
      if (Deno.lstatSync(place.keeperSocket).ino === inode) Deno.removeSync(place.keeperSocket);
    } catch {
      // Gone already, perhaps with its whole directory.
    }
  };
  const keeper = new Keeper({
    directory,
    log,
    openLink,
    rideLink: openControlLink,
    onIdle: () => leave("nothing to keep"),
  });

  // A directory that vanishes (a logout that cleans /run/user) takes the sockets with it: nobody could find us again.
  const watch = setInterval(() => {
    try {
      if (Deno.lstatSync(place.keeperSocket).ino === inode) return;
    } catch {
      // not there
    }
    clearInterval(watch);
    listener.close();
    keeper.drain();
    log.info("keeper drains: its socket has vanished");
  }, 5_000);
  Deno.unrefTimer(watch);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      leave(signal);
      keeper.exit();
      setTimeout(() => Deno.exit(0), 600);
    });
  }
  Deno.addSignalListener("SIGHUP", () => {}); // a logout ends terminals, not connections

  for await (const conn of listener) keeper.serve(conn).catch((error) => log.error("a client failed", error));
  clearInterval(watch);
  await keeper.emptied;
  Deno.exit(0); // signal listeners and idle sockets must not hold an empty keeper
}

/** ssh2 is loaded here, with the first connection, and never in a client that finds a master. */
async function openLink(target: Target, prompter: Prompter): Promise<Link> {
  const { openLink } = await import("../link/open_link.ts");
  return await openLink(target, { prompter });
}
