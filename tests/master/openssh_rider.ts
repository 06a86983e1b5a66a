/** A process that boards a control socket, asks for sessions, and is killed before the answers: see the test beside. */
import { Connection } from "../../lib/channel/connection.ts";
import { openControlLink } from "../../lib/link/control_link.ts";

if (import.meta.main) {
  const [path, delayMs] = Deno.args;
  const connection = new Connection(await openControlLink(path, "rider"));
  for (let i = 0; i < 3; i++) connection.open("session").catch(() => {});
  if (delayMs !== "0") await new Promise((resolve) => setTimeout(resolve, Number(delayMs)));
  else await Promise.resolve().then(() => {}).then(() => {}); // the first bytes are on their way by then
  Deno.kill(Deno.pid, "SIGKILL");
}
