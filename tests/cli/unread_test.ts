/** `carpool exec … | head`: whoever reads the output has gone, and the remote command hears of it. */
import { assertEquals } from "@std/assert";
import { gone, signalProcess } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { StockRig } from "../master/stock_rig.ts";
import { carpoolWords } from "./carpool.ts";

for (
  const [how, flags] of [["on a warm master", []], ["on a connection of its own", ["--no-share"]]] as const
) {
  Deno.test(`a command whose reader has gone is ended without a word, ${how}`, async () => {
    await using rig = await StockRig.start();
    const words = ["exec", "-n", "-F", rig.configFile, ...flags, "test", "--"];
    await rig.carpool([...words, "true"]); // the short way remembers it
    for (const command of ["echo $$; exec yes", "echo $$; head -c 3000001 /dev/zero; exec yes"]) {
      const script = '{ "$@"; echo "status $?" >&2; } | head -n 1';
      const args = ["-c", script, "sh", ...carpoolWords([...words, command])];
      const { stdout, stderr } = await run("/bin/sh", args, { env: rig.env, clearEnv: true });
      assertEquals(stderr, "status 141\n");
      await gone([Number(stdout)]);
    }
  });
}

Deno.test("a command that does not write any more is ended, too, when its reader has gone", async () => {
  await using rig = await StockRig.start();
  const words = ["exec", "-n", "-F", rig.configFile, "--no-share", "test", "--"];
  const command = "echo $$; head -c 300000 /dev/zero; exec sleep 1000";
  const script = '{ "$@"; echo "status $?" >&2; } | head -n 1';
  const args = ["-c", script, "sh", ...carpoolWords([...words, command])];
  const { stdout, stderr } = await run("/bin/sh", args, { env: rig.env, clearEnv: true });
  assertEquals(stderr, "status 141\n");
  await gone([Number(stdout)]);
});

for (
  const [how, flags] of [["on a warm master", []], ["on a connection of its own", ["--no-share"]]] as const
) {
  Deno.test(`Ctrl-C reaches the command, and is told as 130, ${how}`, async () => {
    await using rig = await StockRig.start();
    const words = ["exec", "-n", "-F", rig.configFile, ...flags, "test", "--"];
    await rig.carpool([...words, "true"]);
    await using running = rig.startCarpool([...words, "echo $$; exec sleep 1000"]);
    const [, pid] = await running.waitFor(/^(\d+)\n/);
    signalProcess(running.pid, "SIGINT");
    const { code, stderr } = await running.finished;
    assertEquals([code, stderr], [130, ""]);
    await gone([Number(pid)]);
  });
}
