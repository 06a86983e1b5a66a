import type { Link } from "../../lib/channel/link.ts";
import { Session } from "../../lib/channel/session.ts";
import * as m from "../../lib/wire/messages.ts";
import { connectionToServerEnd, endSession } from "./server_end.ts";

const BLOCK_BYTES = 32 * 1024;
const BLOCKS = 256;
const block = new Uint8Array(BLOCK_BYTES);

// 8 MiB through a window of 2 MiB: the server end waits for grants as a real one does.
const pulled = connectionToServerEnd((link, channel) => {
  sendBlocks(link, channel);
});

const TURN_BLOCKS = 16;

function sendBlocks(link: Link, channel: number): void {
  let left = BLOCKS;
  const turn = () => {
    for (let i = 0; i < TURN_BLOCKS && left > 0; i++, left--) link.send(m.encodeChannelData(channel, block));
    // In the next turn our side has read these and granted their window anew.
    if (left > 0) link.drained().then(turn);
    else endSession(link, channel);
  };
  turn();
}

Deno.bench("window: 8 MiB received and granted anew", async () => {
  const session = await Session.open(pulled);
  let received = 0;
  session.start({ kind: "exec", command: "cat" }, {
    onOutput: (data) => {
      received += data.length;
      session.consumed(data.length);
    },
    onOutputEnd: () => {},
  });
  await session.ended;
  if (received !== BLOCKS * BLOCK_BYTES) throw new Deno.errors.InvalidData(`${received} bytes`);
});
