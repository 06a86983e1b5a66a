import { assertEquals } from "@std/assert";
import { Session } from "../../lib/channel/session.ts";
import { RemoteProcess } from "../../lib/host/remote_process.ts";
import { Peer } from "../channel/peer.ts";

Deno.test("a command that runs out of time on a connection that says nothing any more is not waited for", async () => {
  const peer = new Peer();
  const opening = Session.open(peer.connection);
  await peer.confirm({ sender: 1 });
  const process = new RemoteProcess(await opening, "sleep 1000", { timeoutMs: 1 });
  const { outcome, timedOut } = await process.status; // TERM, KILL and CLOSE were sent meanwhile, to nobody
  assertEquals([outcome, timedOut], ["unknown", true]);
  assertEquals(await new Response(process.stdout).text(), "");
  await peer.hangUp();
});
