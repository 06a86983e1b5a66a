/** One byte to an echo and back, again and again: what a round trip over a link takes. */
import { broken, measured, tell } from "./report.ts";

interface PingOptions {
  readonly hostname: string;
  readonly port: number;
  readonly warmUp: number;
  readonly count: number;
}

const { hostname, port, warmUp, count }: PingOptions = JSON.parse(Deno.args[0]);
using connection = await Deno.connect({ hostname, port });
connection.setNoDelay(true);
const byte = new Uint8Array(1);
const once = async () => {
  await connection.write(byte);
  if (await connection.read(byte) !== 1) throw broken("the echo has gone");
};
for (let i = 0; i < warmUp; i++) await once();
tell(
  await measured(async () => {
    for (let i = 0; i < count; i++) await once();
    return { operations: count };
  }),
);
