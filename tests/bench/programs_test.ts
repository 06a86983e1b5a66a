import { assert, assertEquals } from "@std/assert";
import { loopScript, parseTimes, processUse } from "../../bench/world/programs.ts";
import { run } from "../support/run.ts";

Deno.test("loop script runs a program as often as it is told, and says what CPU time that took", async () => {
  const directory = await Deno.makeTempDir({ prefix: "cp-loop-" });
  try {
    const words = ["/bin/sh", "-c", "echo x >>count; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"];
    const { success, stdout } = await run("/bin/sh", ["-c", loopScript, "sh", "3", ...words], {
      cwd: directory,
    });
    assert(success);
    assertEquals(await Deno.readTextFile(`${directory}/count`), "x\nx\nx\n");
    assert(parseTimes(stdout) > 0, stdout);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("loop script stops at the first program that fails", async () => {
  const { success } = await run("/bin/sh", ["-c", loopScript, "sh", "3", "/bin/false"]);
  assertEquals(success, false);
});

Deno.test("parseTimes reads the second line, minutes and seconds, user and system", () => {
  assertEquals(parseTimes("0m9.0s 0m9.0s\n1m0.250000s 0m0.500000s\n"), 60_750);
});

Deno.test("processUse reads memory and CPU time of a process", async () => {
  const use = await processUse(Deno.pid);
  assert(use.rssMB > 10 && use.rssMB < 10_000, String(use.rssMB));
  assert(use.cpuSeconds > 0 && use.cpuSeconds < 10_000, String(use.cpuSeconds));
});
