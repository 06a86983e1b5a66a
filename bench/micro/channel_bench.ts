import type { Connection } from "../../lib/channel/connection.ts";
import { Session } from "../../lib/channel/session.ts";
import { connectionToServerEnd, endSession } from "./server_end.ts";

const command = { kind: "exec", command: "true" } as const;
const connection = connectionToServerEnd(endSession);

async function exec(over: Connection): Promise<void> {
  const session = await Session.open(over);
  session.start(command, { onOutput: () => {}, onOutputEnd: () => {} });
  const { code } = await session.ended;
  if (code !== 0) throw new Deno.errors.InvalidData(`exit status ${code}`);
}

// What a warm exec costs without a server, a socket or crypto: all that is left is ours.
Deno.bench("channel: a session from open to close", { group: "exec", baseline: true }, async () => {
  await exec(connection);
});

Deno.bench("channel: 10 sessions side by side", { group: "exec" }, async () => {
  await Promise.all(Array.from({ length: 10 }, () => exec(connection)));
});
