/** What somebody sees who does not ask Carpool: the kernel's table of connections, and the server's processes. */
import { assertEquals } from "@std/assert";
import { processesUnder } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { StockRig } from "./stock_rig.ts";

/** Established TCP connections to a local port, as the server's side of /proc/net/tcp has them. */
async function establishedTo(port: number): Promise<number> {
  const { stdout } = await run("/bin/sh", ["-c", "cat /proc/net/tcp"]);
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const ESTABLISHED = "01";
  return stdout.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, at, , state]) => at?.endsWith(local) && state === ESTABLISHED).length;
}

Deno.test("ten sessions of five processes and three stock clients are one TCP connection and one server process", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster(["-o", "ControlPersist=60"]);
  const ride = ["-S", rig.socket, "-F", rig.configFile];
  const command = "echo up; exec sleep 1000";
  const programs = Array.from(
    { length: 4 },
    () => rig.startCarpool(["exec", ...ride, "test", "--", command]),
  );
  const stocks = Array.from({ length: 3 }, () => rig.startStock(["-O", "proxy", "test", command]));
  await using stack = new AsyncDisposableStack();
  for (const running of [...programs, ...stocks]) stack.use(running);
  for (const running of [...programs, ...stocks]) await running.waitFor(/up/);
  await using here = await rig.connect({ controlPath: rig.socket });
  const mine = await Promise.all(Array.from({ length: 3 }, () => here.spawn(command)));
  for (const { stdout } of mine) await stdout.getReader().read();

  assertEquals(rig.sshd.connections(), 1);
  assertEquals(await establishedTo(rig.sshd.port), 1);
  assertEquals(rig.sshd.sessions(), 10);
  // sshd has one process for each connection; below it are the sessions' own.
  const [listener] = rig.sshd.listenerPids();
  const perConnection = processesUnder(listener).filter(({ parent }) => parent === listener);
  assertEquals(perConnection.length, 1);
  const [master] = await rig.masters();
  assertEquals([master.kind, master.sessions], ["carpool", 10]);
  for (const session of mine) await session[Symbol.asyncDispose]();
});
