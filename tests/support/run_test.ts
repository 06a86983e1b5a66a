import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CarpoolError } from "../../lib/base/errors.ts";
import { alive, processesUnder } from "./processes.ts";
import { run, start } from "./run.ts";
import { TempHome } from "./temp_home.ts";

Deno.test("run feeds and captures bytes as they are", async () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
  const result = await run("cat", [], { stdin: bytes });
  assertEquals(result.stdoutBytes, bytes);
});

Deno.test("run tells the exit status and stderr when a program fails", async () => {
  const result = await run("sh", ["-c", "echo no >&2; exit 7"]);
  assertEquals([result.code, result.success, result.stderr], [7, false, "no\n"]);
});

Deno.test("run kills a program and its children at its deadline", async () => {
  const script = "sleep 1000 & echo $!; wait";
  const error = await assertRejects(() => run("sh", ["-c", script], { deadlineMs: 300 }), CarpoolError);
  const child = Number(/^(\d+)$/m.exec(error.message)?.[1]);
  assert(child > 0, error.message);
  assertEquals(alive([child]), []);
});

Deno.test("run does not fail when the program leaves its input unread", async () => {
  assertEquals((await run("true", [], { stdin: new Uint8Array(1 << 20) })).code, 0);
});

Deno.test("a running program is gone with its children when disposed", async () => {
  let pids: number[];
  {
    await using running = start("sh", ["-c", "sleep 1000 & echo up; wait"]);
    await running.waitFor(/up/);
    pids = [running.pid, ...processesUnder(running.pid).map(({ pid }) => pid)];
    assertEquals(pids.length, 2);
  }
  assertEquals(alive(pids), []);
});

Deno.test("waiting for output rejects when the program ends without it", async () => {
  await using running = start("echo", ["something"]);
  const error = await assertRejects(() => running.waitFor(/other/), CarpoolError);
  assertStringIncludes(error.message, "something");
});

Deno.test("a temporary home hides the caller's", async () => {
  let path: string;
  {
    await using home = await TempHome.make();
    path = home.path;
    const { stdout } = await run("/usr/bin/env", [], { env: home.env, clearEnv: true });
    assertStringIncludes(stdout, `HOME=${path}\n`);
    for (const name of ["SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DISPLAY"]) assert(!stdout.includes(`${name}=`));
    const written = await home.write(".ssh/config", "Host x\n");
    assertEquals((await Deno.stat(written)).mode! & 0o777, 0o600);
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});
