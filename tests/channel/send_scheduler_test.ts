import { assertEquals } from "@std/assert";
import type { Channel } from "../../lib/channel/channel.ts";
import type { CloseInfo, Link } from "../../lib/channel/link.ts";
import { SendScheduler } from "../../lib/channel/send_scheduler.ts";

Deno.test("a link that says it has room and has none does not hold the event loop", async () => {
  let queuedBytes = 1 << 30;
  const link: Link = {
    where: "test",
    send: () => {},
    get queuedBytes() {
      return queuedBytes;
    },
    drained: () => Promise.resolve(),
    receive: () => {},
    closed: new Promise<CloseInfo>(() => {}),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  let sent = 0;
  const channel = { sendNext: () => void sent++, sendable: false } as unknown as Channel;
  new SendScheduler(link).wake(channel);
  await new Promise((resolve) => setTimeout(resolve, 5)); // comes only if the loop runs at all
  assertEquals(sent, 0);
  queuedBytes = 0;
  while (sent === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(sent, 1);
});
