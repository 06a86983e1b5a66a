import { assertEquals, assertThrows } from "@std/assert";
import { takeTerminal } from "../../lib/base/terminal_turn.ts";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { gathered } from "../../lib/report/gathered.ts";
import { jsonLines } from "../../lib/report/json_lines.ts";
import type { Reporter, Sink } from "../../lib/report/reporter.ts";

const event = (host: string): RunEvent => ({ type: "host-start", atMs: 1, host });

/** A reporter that says the host of each event, to standard error where it begins with `!`. */
const hosts = (sink: Sink): Reporter => ({
  event: (event) => {
    const { host } = event as { host: string };
    sink(`${host}\n`, host.startsWith("!") ? "stderr" : "stdout");
  },
});

function pieces() {
  const written: string[] = [];
  return { written, sink: (text: string, stream: string) => void written.push(`${stream}: ${text}`) };
}

/** Never by itself within a test. */
const never = { gatherMs: 2 ** 30 };

Deno.test("gathered lines leave together, in order, when the reporter is closed", () => {
  const { written, sink } = pieces();
  const reporter = gathered(sink, hosts, never);
  for (const host of ["a", "b", "!c", "!d", "e"]) reporter.event(event(host));
  reporter.close?.();
  assertEquals(written, ["stdout: a\nb\n", "stderr: !c\n!d\n", "stdout: e\n"]);
  reporter.close?.();
  assertEquals(written.length, 3);
});

Deno.test("gathered lines leave by themselves soon", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const reporter = gathered(resolve, hosts, { gatherMs: 1 });
  reporter.event(event("a"));
  reporter.event(event("b"));
  assertEquals(await promise, "a\nb\n");
  reporter.close?.();
});

Deno.test("two thousand events cost few writes, and much text does not wait", () => {
  const { written, sink } = pieces();
  const reporter = gathered(sink, jsonLines, never);
  for (let i = 0; i < 2000; i++) reporter.event(event(`web${i}`));
  const before = written.length;
  reporter.close?.();
  assertEquals([before, written.length], [1, 2], "64 Ki characters at a time");
  const lines = written.join("").replaceAll("stdout: ", "").trim().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).host), Array.from({ length: 2000 }, (_, i) => `web${i}`));
});

Deno.test("whoever takes the terminal for a question finds everything written that was told before", () => {
  const { written, sink } = pieces();
  const reporter = gathered(sink, hosts, never);
  reporter.event(event("a"));
  {
    using _turn = takeTerminal();
    assertEquals(written, ["stdout: a\n"]);
  }
  reporter.close?.();
});

Deno.test("an error of the place where it is written is thrown where something is told next", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const broken: Sink = () => {
    resolve();
    throw new Error("broken pipe");
  };
  const reporter = gathered(broken, hosts, { gatherMs: 1 });
  reporter.event(event("a"));
  await promise;
  await new Promise((resolve) => setTimeout(resolve, 0)); // the writer's own turn is over then
  assertThrows(() => reporter.event(event("b")), Error, "broken pipe");
  reporter.close?.();
});

Deno.test("what was told is written when the program is ended at once", async () => {
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { gathered } from ${module("../../lib/report/gathered.ts")};
    import { jsonLines } from ${module("../../lib/report/json_lines.ts")};
    import { write } from ${module("../../lib/cli/write.ts")};
    const reporter = gathered(write, jsonLines, { gatherMs: 2 ** 30 });
    reporter.event({ type: "host-start", atMs: 1, host: "a" });
    Deno.exit(130);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", "--no-config", program],
    stderr: "inherit",
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals([code, said && JSON.parse(said).host], [130, "a"]);
});
