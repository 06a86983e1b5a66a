/** How many round trips a copy takes, counted by the emulated link, over OpenSSH's own sftp-server. */
import { assert, assertEquals } from "@std/assert";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { copyToHost } from "../../lib/host/copy.ts";
import { fetchFromHost } from "../../lib/host/fetch.ts";
import { SftpClient } from "../../lib/host/sftp_client.ts";
import { realServer, snapshot, tempDir } from "./sftp_server.ts";

/** Longer than this machine takes for its part between two round trips, so that a pause is not taken for a wait. */
const RTT_MS = 300;

/** The round trips of `work`, once SFTP has started. */
async function roundTrips(work: (sftp: SftpClient) => Promise<unknown>): Promise<number> {
  const server = await realServer();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = await listener.accept();
    await Promise.allSettled([
      server.readable.pipeTo(connection.writable),
      connection.readable.pipeTo(server.writable),
    ]);
  })();
  const to = listener.addr as Deno.NetAddr;
  await using link = await emulateLink({ to: { hostname: to.hostname, port: to.port }, rttMs: RTT_MS });
  const connection = await Deno.connect({ hostname: link.hostname, port: link.port });
  const transport = {
    readable: connection.readable,
    writable: connection.writable,
    where: "emulated",
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  let count: number;
  {
    await using sftp = await SftpClient.open(transport);
    using meter = link.mark();
    await work(sftp);
    count = meter.counters().roundTrips;
  }
  await server[Symbol.asyncDispose]();
  listener.close();
  await serving;
  return count;
}

async function smallFiles(path: string, count: number): Promise<void> {
  await Deno.mkdir(path);
  for (let at = 0; at < count; at++) {
    await Deno.writeFile(`${path}/${at}`, new Uint8Array(2048).fill(at));
  }
}

Deno.test("copying 200 small files takes a few round trips, not a few for each", async () => {
  await using dir = await tempDir();
  await smallFiles(`${dir.path}/src`, 200);
  const count = await roundTrips((sftp) => copyToHost(sftp, `${dir.path}/src`, `${dir.path}/dst`));
  // What is there; MKDIR; OPENs; data with CLOSE; renames; the directory's mode: 6, and some for a busy machine.
  assert(count <= 8, `${count} round trips`);
  assertEquals(await snapshot(`${dir.path}/dst`), await snapshot(`${dir.path}/src`));
});

Deno.test("fetching 200 small files takes a few round trips, not a few for each", async () => {
  await using dir = await tempDir();
  await smallFiles(`${dir.path}/src`, 200);
  const count = await roundTrips((sftp) => fetchFromHost(sftp, `${dir.path}/src`, `${dir.path}/dst`));
  // What is there; OPENDIR; READDIRs; OPENs; READs: 5, and some for a busy machine.
  assert(count <= 7, `${count} round trips`);
  assertEquals(await snapshot(`${dir.path}/dst`), await snapshot(`${dir.path}/src`));
});

Deno.test("copying one small file takes four round trips", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "a");
  const count = await roundTrips((sftp) => copyToHost(sftp, `${dir.path}/a`, `${dir.path}/b`));
  assertEquals(count, 4);
});
