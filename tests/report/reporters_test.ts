import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { jsonLines } from "../../lib/report/json_lines.ts";
import { LineBuffer } from "../../lib/report/line_buffer.ts";
import { lines, type LinesOptions } from "../../lib/report/lines.ts";
import { plainText } from "../../lib/report/plain_text.ts";

const at = { atMs: 0 };
const web1 = { ...at, host: "web1" };
const counts = { ok: 1, failed: 0, unknown: 0, skipped: 0, notRun: 0 };

const events: readonly RunEvent[] = [
  {
    ...at,
    type: "run-start",
    version: 1,
    job: "deploy",
    hosts: ["web1", "db"],
    steps: [{ step: "1", kind: "exec", title: "stop" }, { step: "2", kind: "copy", title: "copy a to b" }],
  },
  { ...web1, type: "host-start" },
  { ...web1, type: "host-ready", where: "me@web1:22", connection: "new", durationMs: 12 },
  { ...web1, type: "step-start", step: "1", kind: "exec", title: "stop" },
  { ...web1, type: "step-output", step: "1", stream: "stdout", text: "one\ntw" },
  {
    ...at,
    host: "db",
    type: "host-unreachable",
    error: { code: "refused", message: "Cannot connect: db:22: refused" },
  },
  {
    ...at,
    host: "db",
    type: "host-end",
    status: "unreachable",
    reason: "Cannot connect: db:22: refused",
    steps: { ...counts, ok: 0, notRun: 2 },
    connections: 0,
    durationMs: 3,
  },
  { ...web1, type: "step-output", step: "1", stream: "stderr", text: "oops\n" },
  { ...web1, type: "step-output", step: "1", stream: "stdout", text: "o\nlast" },
  { ...web1, type: "step-retry", step: "1", attempt: 1, why: "exit status 3", delayMs: 1 },
  {
    ...web1,
    type: "step-end",
    step: "1",
    status: "failed",
    outcome: "exited",
    code: 3,
    signal: null,
    timedOut: false,
    attempts: 2,
    durationMs: 5,
    bytes: 12,
  },
  {
    ...web1,
    type: "host-end",
    status: "failed",
    reason: "step 1 (stop): exit status 3",
    steps: { ...counts, ok: 0, failed: 1, notRun: 1 },
    connections: 1,
    durationMs: 1240,
  },
  {
    ...at,
    type: "run-end",
    job: "deploy",
    status: "failed",
    hosts: { ok: 0, failed: 1, unreachable: 1, skipped: 0, interrupted: 0 },
    connections: 1,
    durationMs: 1240,
  },
];

function shown(
  options: LinesOptions,
  which: readonly RunEvent[] = events,
): { stdout: string; stderr: string } {
  const text = { stdout: "", stderr: "" };
  const reporter = lines((piece, stream) => void (text[stream] += piece), options);
  for (const event of which) reporter.event(event);
  return text;
}

Deno.test("lines of a run have their host in front and end in a summary", () => {
  assertEquals(shown({}), {
    stdout: `deploy: 2 hosts, 2 steps
web1 > 1 stop
web1 | one
db   UNREACHABLE Cannot connect: db:22: refused
web1 ! oops
web1 | two
web1 | last
web1 attempt 1 of step 1: exit status 3; trying again
web1 FAILED 1 stop: exit status 3 (2 attempts)

db   unreachable
web1 failed at step 1: 0 ok, 1 failed, 1 not run, 1.24 s
2 hosts: 0 ok, 1 failed, 1 unreachable; 1 connection opened, 1.24 s
`,
    stderr: "",
  });
});

Deno.test("the end of lines sums up what was told when it happened, and tells what was not", () => {
  const end = (host: string, status: "failed" | "skipped" | "interrupted", reason: string): RunEvent => ({
    ...{ ...at, type: "host-end", host, status, reason, steps: counts, connections: 1, durationMs: 5 },
  });
  const step = (host: string, status: "failed" | "interrupted"): RunEvent => ({
    ...{ ...at, type: "step-end", host, step: "2", status, outcome: "exited", code: 1, signal: null },
    ...{ timedOut: false, attempts: 1, durationMs: 1, bytes: 0 },
  });
  const { stdout } = shown({}, [
    events[0]!,
    step("told", "failed"),
    end("told", "failed", "step 2 (copy a to b): exit status 1"),
    end("earlier", "failed", "step 2 (copy a to b): it may have run when the run broke off"),
    step("stopped", "interrupted"),
    end("stopped", "interrupted", "step 2 (copy a to b): stopped from here"),
    end("never", "skipped", "1 host failed (maxFailures)"),
    events.at(-1)!,
  ]);
  assertEquals(stdout.split("\n\n")[1]!.split("\n").slice(0, 4), [
    "told failed at step 2: 1 ok, 5 ms",
    "earlier failed: 1 ok, 5 ms; step 2 (copy a to b): it may have run when the run broke off",
    "stopped interrupted at step 2: 1 ok, 5 ms",
    "never skipped: 1 host failed (maxFailures)",
  ]);
});

Deno.test("a failure that is ignored says so first: why it failed may be long, and end with what to do", () => {
  const ended = events.find(({ type }) => type === "step-end") as Extract<RunEvent, { type: "step-end" }>;
  const message = "Cannot copy a: web1:b: no such file; check the path there";
  const { stdout } = shown({}, [
    events[0]!,
    { ...ended, attempts: 1, error: { code: "missing", message }, ignored: true },
  ]);
  assertEquals(stdout.split("\n")[1], `web1 FAILED (ignored) 1 stop: ${message}`);
});

Deno.test("a step that ran out of time says after how long where there was one attempt only", () => {
  const ended = events.find(({ type }) => type === "step-end") as Extract<RunEvent, { type: "step-end" }>;
  const told = (attempts: number) =>
    shown({}, [events[0]!, { ...ended, attempts, timedOut: true, durationMs: 300 }]).stdout.split("\n")[1];
  assertEquals([told(1), told(3)], [
    "web1 FAILED 1 stop: timed out after 300 ms",
    "web1 FAILED 1 stop: timed out (3 attempts)",
  ]);
});

Deno.test("lines of exec send output where it came from and the rest to standard error", () => {
  const { stdout, stderr } = shown({ style: "exec" });
  assertEquals(stdout, "web1: one\nweb1: two\nweb1: last\n");
  assertEquals(stderr.split("\n").filter((line) => line.startsWith("web1: ")), [
    "web1: oops",
    "web1: attempt 1 of step 1: exit status 3; trying again",
    "web1: FAILED exit status 3 (2 attempts)",
  ]);
});

const attacks: readonly [string, string, string][] = [
  ["colours", "\x1b[31mred\x1b[0m", "red"],
  ["a cleared screen", "a\x1b[2J\x1b[Hb", "ab"],
  ["a window title", "a\x1b]0;owned\x07b", "ab"],
  ["a title ended by ST", "a\x1b]0;owned\x1b\\b", "ab"],
  ["a title that never ends", "a\x1b]0;owned", "a"],
  ["a device control string", "a\x1bPq#0\x1b\\b", "ab"],
  ["8-bit CSI", "a\x9b31mb", "ab"],
  ["8-bit OSC", "a\x9d0;owned\x9cb", "ab"],
  ["a terminal reset", "a\x1bcb", "ab"],
  ["a character set", "a\x1b(0b", "ab"],
  ["backspaces", "secret\b\b\b\b\b\bpublic", "secretpublic"],
  ["bells and NUL", "a\x07\x00b", "ab"],
  ["a hyperlink", "\x1b]8;;http://evil\x07click\x1b]8;;\x07", "click"],
  ["an escape within an escape", "\x1b\x1b[31m[2Jx", "2Jx"],
  ["text turned around", "a\u202eb\u2066c\u2069", "abc"],
  ["tabs and letters of all kinds", "a\tgrün 漢字 😀", "a\tgrün 漢字 😀"],
];
for (const [name, text, expected] of attacks) {
  Deno.test(
    `plain text has no ${name}`.replace("no tabs", "its tabs"),
    () => assertEquals(plainText(text), expected),
  );
}

const isControl = (c: string) => {
  const code = c.codePointAt(0)!;
  return code < 0x20 && c !== "\n" && c !== "\t" || code >= 0x7f && code <= 0x9f;
};

Deno.test("no output, however cut, brings a control character to the terminal", () => {
  const piece = fc.oneof(
    fc.constantFrom("\x1b", "[", "]", "\x9b", "\r", "\n", "\x07", "2J", "\\", "P"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    const buffer = new LineBuffer();
    const all = [...pieces.flatMap((text) => buffer.push(text)), ...buffer.end()];
    assert(all.every((line) => ![...line].some((c) => isControl(c) || c === "\n")));
  }));
});

Deno.test("host names, titles and error messages cannot repaint either", () => {
  const evil = "\x1b[2J\x1b]0;x\x07evil\r";
  const hostile = JSON.parse(
    JSON.stringify(events).replaceAll("web1", JSON.stringify(evil).slice(1, -1))
      .replaceAll("stop", JSON.stringify(evil).slice(1, -1)),
  );
  const { stdout, stderr } = shown({ verbose: true }, hostile);
  assert(![...stdout + stderr].some(isControl));
});

Deno.test("a progress bar becomes lines, and a line feed after a carriage return ends one line", () => {
  const buffer = new LineBuffer();
  assertEquals(buffer.push("10%\r20%\r"), ["10%"]);
  assertEquals(buffer.push("\nnext"), ["20%"]);
  assertEquals(buffer.end(), ["next"]);
});

Deno.test("a line without an end is shown in pieces", () => {
  const buffer = new LineBuffer();
  let told = 0;
  for (let i = 0; i < 100; i++) told += buffer.push("x".repeat(1000)).join("").length;
  assert(told > 80_000);
});

Deno.test("JSON lines are one event a line, whole again when parsed, without raw control characters", () => {
  let text = "";
  const reporter = jsonLines((piece) => text += piece);
  const evil = {
    ...web1,
    type: "step-output",
    step: "1",
    stream: "stdout",
    text: "\x1b[2J\x9b\u2028\n\x7f\u202e",
  } as const;
  for (const event of [...events, evil]) reporter.event(event);
  assert(![...text].some(isControl));
  assertEquals(text.trimEnd().split("\n").map((line) => JSON.parse(line)), [...events, evil]);
});
