/**
 * The keeper's program: one detached process per user, started by whoever first needs a master. It holds nothing of
 * its starter (streams, directory, terminal, environment) and ends by itself when the last master has left.
 *
 * Usage: keeper_main.ts DIRECTORY
 */
import type { Link } from "../channel/link.ts";
import { openControlLink } from "../link/control_link.ts";
import { acceptAll } from "./accept_all.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import { FileLog } from "./log.ts";
import { makePrivate, placeAt } from "./places.ts";
import { bindSocket } from "./socket_birth.ts";

/** How often it looks whether its socket is still there. */
const WATCH_MS = 5_000;

/** What the last answers may take to leave before the process ends. */
const PARTING_MS = 600;

if (import.meta.main) await keep(Deno.args[0]);

/** Runs until there is nothing to keep. */
export async function keep(directory: string): Promise<void> {
  Deno.chdir("/");
  Deno.umask(0o077);
  await makePrivate(directory);
  const place = placeAt(directory);
  const log = new FileLog(place.logFile);
  const listener = bindSocket(place.keeperSocket);
  if (listener === undefined) return; // another one was faster: it serves
  const { ino } = Deno.lstatSync(place.keeperSocket);
  const inCharge = () => inodeOf(place.keeperSocket) === ino;
  log.info(`keeper started, Deno ${Deno.version.deno}`);

  const leave = (why: string) => {
    log.info(`keeper leaves: ${why}`);
    if (inCharge()) Deno.removeSync(place.keeperSocket);
    listener.close();
  };
  const keeper = new Keeper({
    place,
    log,
    openLink,
    rideLink: openControlLink,
    inCharge,
    onIdle: () => leave("nothing to keep"),
  });

  // A fault in one connection must not cost the others theirs.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("a fault of ours", event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error("a fault of ours", event.error);
  });

  // A directory that vanishes (a logout that cleans /run/user) takes the sockets with it: nobody could find us again.
  const watch = setInterval(() => {
    if (inCharge()) return;
    clearInterval(watch);
    log.info("keeper drains: its socket has vanished, or is another's");
    keeper.drain();
    listener.close();
  }, WATCH_MS);
  Deno.unrefTimer(watch);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      leave(signal);
      keeper.exit();
      setTimeout(() => Deno.exit(0), PARTING_MS);
    });
  }
  Deno.addSignalListener("SIGHUP", () => {}); // a logout ends terminals, not connections

  await acceptAll(listener, (conn) => keeper.serve(conn), log);
  clearInterval(watch);
  await keeper.emptied();
  log.info("keeper ends");
  Deno.exit(0); // signal listeners and idle sockets must not hold an empty keeper
}

function inodeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).ino;
  } catch {
    return null; // gone, perhaps with its whole directory
  }
}

/** ssh2 is loaded here, with the first connection, and never in a client that finds a master. */
async function openLink(...args: Parameters<KeeperOptions["openLink"]>): Promise<Link> {
  const { openLink } = await import("../link/open_link.ts");
  return await openLink(...args);
}
