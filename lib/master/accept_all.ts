import type { Log } from "./log.ts";

/** After a failed accept (no descriptors left, say), the next is tried this much later. */
const PAUSE_MS = 100;

/** Hands over every connection until the listener is closed. Neither a failed accept nor one client ends it. */
export async function acceptAll(
  listener: Deno.Listener,
  serve: (conn: Deno.Conn) => Promise<void>,
  log: Log,
): Promise<void> {
  for (;;) {
    let conn: Deno.Conn;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      log.error("a client could not be accepted", error);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      continue;
    }
    serve(conn).catch((error) => log.error("a client failed", error));
  }
}
