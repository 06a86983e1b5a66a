import { assertEquals } from "@std/assert";
import { type KeeperReply, LineConn } from "../../lib/master/keeper_protocol.ts";
import { unixPair } from "../link/unix_pair.ts";

Deno.test("messages to the keeper arrive whole and in order, short and long, whatever is in them", async () => {
  await using pair = await unixPair();
  const [here, there] = [new LineConn(pair.here), new LineConn(pair.there)];
  const lengths = [0, 1, 4095, 4096, 5, 70_000, 300_000, 2];
  const messages = lengths.map((length) => ({ type: "notice", message: "é\n€".repeat(length) } as const));
  const sending = (async () => {
    for (const message of messages) await here.send(message);
    here.close();
  })();
  for (const message of messages) assertEquals(await there.next<KeeperReply>(), message);
  assertEquals(await there.next<KeeperReply>(), undefined);
  await sending;
  there.close();
});
