/** The relay between real clients and a real sshd: a passenger that does not behave costs the others nothing. */
import { assert, assertEquals } from "@std/assert";
import { run, type Running } from "../support/run.ts";
import { signalProcess } from "../support/processes.ts";
import { StockRig } from "./stock_rig.ts";

/** Resident memory of a process in bytes. Deno reads /proc only with all permissions; the shell reads it always. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await run("/bin/sh", ["-c", `grep VmRSS /proc/${pid}/status`]);
  return Number(/(\d+) kB/.exec(stdout)![1]) * 1024;
}

Deno.test("a stopped passenger does not cost the others their connection when sshd asks for a sign of life", async () => {
  await using rig = await StockRig.start({
    config: ["ClientAliveInterval 1", "ClientAliveCountMax 2"],
    logLevel: "DEBUG2",
  });
  await rig.openMaster();
  // The first channel is the one that sshd asks on.
  await using first = rig.startStock(["-O", "proxy", "test", "echo up; sleep 1000"]);
  await first.waitFor(/up/);
  signalProcess(first.pid, "SIGSTOP");
  try {
    await using other = rig.startStock(["-O", "proxy", "test", "echo up; sleep 6; echo still here"]);
    const { code, stdout, stderr } = await other.finished;
    assertEquals([code, stdout], [0, "up\nstill here\n"], stderr);
    // Without our answers sshd would have hung up after three intervals: it did ask.
    assert(
      /keepalive@openssh\.com|client_alive/i.test(rig.sshd.log()),
      "sshd never asked for a sign of life",
    );
    assertEquals((await rig.stock(["-O", "proxy", "test", "echo new"])).stdout, "new\n");
    assertEquals(rig.sshd.connections(), 1);
  } finally {
    signalProcess(first.pid, "SIGCONT");
  }
});

Deno.test("a passenger that never reads 100 MB costs the keeper no more than a window while nine others finish", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  const keeper = await rig.keeperPid();
  const before = await residentBytes(keeper);
  await using stuck = rig.startStock(["-O", "proxy", "test", "echo up; exec head -c 100000000 /dev/zero"]);
  await stuck.waitFor(/up/);
  signalProcess(stuck.pid, "SIGSTOP");
  try {
    const others: Running[] = Array.from(
      { length: 9 },
      (_, i) => rig.startStock(["-O", "proxy", "test", `head -c 20000000 /dev/zero; echo ${i}`]),
    );
    for (const [i, other] of others.entries()) {
      const { code, stdoutBytes, stderr } = await other.finished;
      assertEquals([code, stdoutBytes.length], [0, 20_000_002], stderr);
      assertEquals(String.fromCharCode(stdoutBytes.at(-2)!), String(i));
    }
    const grown = await residentBytes(keeper) - before;
    // 280 MB are under way in all. What grows is garbage that the engine has not collected yet: it levels off at some
    // 150 MB, whatever passes (450 MB gave 143), and is no more for the passenger that does not read.
    assert(grown < 200 * 1024 * 1024, `the keeper has grown by ${grown} bytes`);
  } finally {
    signalProcess(stuck.pid, "SIGCONT");
  }
  // What it did not read was kept for it, by the server.
  const { code, stdoutBytes } = await stuck.finished;
  assertEquals([code, stdoutBytes.length], [0, 100_000_003]);
  assertEquals(rig.sshd.connections(), 1);
});
