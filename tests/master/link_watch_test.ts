import { assertEquals } from "@std/assert";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import { LinkWatch } from "../../lib/master/link_watch.ts";
import { Relay } from "../../lib/master/relay.ts";
import * as m from "../../lib/wire/messages.ts";

/** A relay whose server answers keepalives while `alive`, and is silent otherwise. */
function rig(quietMs: number) {
  const [ours, theirs] = memoryLinkPair("tester@server:22");
  const server = { alive: true, heard: [] as string[] };
  theirs.receive((payload) => {
    if (payload[0] !== m.MSG.GLOBAL_REQUEST) return;
    server.heard.push(m.decodeGlobalRequest(payload).name);
    if (server.alive) theirs.send(m.encodeGlobalReply(false));
  });
  const relay = new Relay(ours, { maxSessions: 10 });
  const watch = new LinkWatch(relay, { aliveIntervalMs: 0, aliveCountMax: 3, quietMs, probeDeadlineMs: 30 });
  return { ours, theirs, server, relay, watch };
}

Deno.test("a cable pulled between two commands is found: the open that nothing follows is looked at again", async () => {
  const { ours, server, watch } = rig(30);
  server.alive = false;
  watch.beforeOpen(); // the link was heard a moment ago
  assertEquals(server.heard, []);
  const { how, why } = await ours.closed;
  assertEquals([how, why], ["lost", "the server did not answer within 0.03 s"]);
  assertEquals(server.heard, ["keepalive@openssh.com"]);
});

Deno.test("an open that waits while the server is alive costs a keepalive, not the link", async () => {
  const { ours, theirs, server, watch } = rig(30);
  watch.beforeOpen();
  while (server.heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(await watch.probe(1000) !== null, true);
  assertEquals(server.heard, ["keepalive@openssh.com", "keepalive@openssh.com"]);
  await ours.close();
  await theirs.closed;
});
