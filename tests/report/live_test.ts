import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { takeTerminal } from "../../lib/base/terminal_turn.ts";
import { live, type LiveOptions } from "../../lib/report/live.ts";
import { liveFrame } from "../../lib/report/live_frame.ts";
import { LiveState, type RunningStep } from "../../lib/report/live_state.ts";
import { widthOf } from "../../lib/report/spans.ts";
import { FakeClock, FakeTerminal } from "./fake_terminal.ts";
import { type MadeRun, madeRun } from "./made_run.ts";

function begin(options: LiveOptions = {}, columns = 80, rows = 24) {
  const terminal = new FakeTerminal(columns, rows);
  const clock = new FakeClock();
  const reporter = live(terminal, clock, options);
  /** Shows events as they happened; the clock follows them. */
  const show = (events: readonly RunEvent[]) => {
    let last = events[0]?.atMs ?? 0;
    for (const event of events) {
      clock.pass(event.atMs - last);
      last = event.atMs;
      reporter.event(event);
    }
  };
  return { terminal, clock, reporter, show };
}

/** The events of a run up to the moment when so many hosts are over. */
function until(hostsOver: number, options: MadeRun): RunEvent[] {
  let over = 0;
  const events: RunEvent[] = [];
  for (const event of madeRun(options)) {
    events.push(event);
    if (event.type === "host-end" && ++over === hostsOver) break;
  }
  return events;
}

Deno.test("live view of 200 hosts shows counts, steps, copies and the slowest hosts in twelve lines", () => {
  const { terminal, clock, show } = begin({}, 100, 40);
  show(until(70, { hosts: 200, steps: 10 }));
  clock.pass(100);
  const shown = terminal.text;
  assert(shown.length <= 12, shown.join("\n"));
  assertMatch(shown[0], /^█+░+ 70\/200 hosts {2}\d+ s {2}deploy$/);
  assertMatch(shown[1], /^70 ok {2}\d+ running {2}(\d+ connecting {2})?\d+ waiting$/);
  assert(shown.some((line) => /^ +\d+ now +\d+ done {2}\d+ /.test(line)), shown.join("\n"));
  assert(shown.some((line) => /^\d+ s web\d{3} \d+ /.test(line)), shown.join("\n"));
});

Deno.test("live view tells the progress of copies, of each and of all together", () => {
  const { terminal, clock, show } = begin();
  const events = madeRun({ hosts: 2, steps: 2 });
  const at = events.findLastIndex(({ type }) => type === "step-progress");
  show(events.slice(0, at + 1).filter((event) => event.type !== "step-end" || event.step !== "2"));
  clock.pass(100);
  assertStringIncludes(terminal.text.join("\n"), "copying 25 %  2.4 MB of 9.6 MB  on 2 hosts");
  assertMatch(terminal.text.join("\n"), /web2 2 25 % of 4\.8 MB {2}assets\/app\.js/);
});

Deno.test("live view puts the longest running steps first", () => {
  const state = new LiveState();
  const step = { kind: "exec", title: "x", step: "1" } as const;
  state.apply({ type: "run-start", version: 1, atMs: 0, job: "j", hosts: ["a", "b", "c"], steps: [step] });
  for (const [host, atMs] of [["b", 1], ["c", 2], ["a", 3]] as const) {
    state.apply({ type: "host-start", host, atMs });
    state.apply({ type: "step-start", host, atMs, ...step });
  }
  const lines = liveFrame(state, { columns: 80, rows: 4, nowMs: 9000, lastLine: () => undefined });
  assertEquals(
    lines.slice(2).map((spans) => spans.map((span) => typeof span === "string" ? span : span[0])[2]),
    [
      "b",
      "c",
    ],
  );
});

Deno.test("live view shows failures at once, above what moves", () => {
  const { terminal, clock, show } = begin();
  const events = madeRun({ hosts: 40, steps: 3, failing: 2 });
  const at = events.findIndex((event) => event.type === "step-end" && event.status === "failed");
  show(events.slice(0, at + 1));
  clock.pass(100);
  const shown = terminal.text;
  const failed = shown.findIndex((line) => line.includes("FAILED 3 ./migrate.sh: exit status 3"));
  assert(failed >= 0, shown.join("\n"));
  assertEquals(shown.slice(failed + 1, failed + 4), [
    "  | step 3 done",
    "  ! applying 0042_add_index.sql",
    '  ! ERROR: relation "orders" is locked',
  ]);
  assert(shown.findIndex((line) => line.includes("/40 hosts")) > failed, shown.join("\n"));
});

Deno.test("live view tells two hundred hosts that say the same once", () => {
  const { terminal, show } = begin();
  const output = (host: string) => host === "web007" ? "other\n" : "same\nlines\n";
  show(madeRun({ hosts: 200, steps: 1, output }));
  assertEquals(terminal.text.slice(0, 5), [
    "web[001-006,008-200] (199 hosts) stop the service",
    "  | same",
    "  | lines",
    "web007 stop the service",
    "  | other",
  ]);
});

Deno.test("live view tells hosts that cannot be reached for the same reason once, at the end too", () => {
  const { terminal, show } = begin();
  show(madeRun({ hosts: 9, steps: 1, unreachable: 4 }));
  const told = terminal.text.filter((line) => line.includes("Cannot connect"));
  assertEquals(
    told.at(-1),
    "web[6-9] (4 hosts) unreachable: Cannot connect: deploy@…:22: connection refused; is sshd running there?",
  );
});

Deno.test("live view of one host shows its output as it comes", () => {
  const { terminal, clock, show } = begin();
  const events = madeRun({ hosts: 1, steps: 1, output: () => "first\nsecond\nth" });
  const at = events.findIndex(({ type }) => type === "step-output");
  show(events.slice(0, at + 1));
  clock.pass(100);
  assertEquals(terminal.text.slice(0, 2), ["web1 | first", "web1 | second"]);
});

Deno.test("live view of a few hosts shows what a command writes that goes on and on", () => {
  for (const [hosts, shown] of [[3, true], [60, false]] as const) {
    const { terminal, clock, show, reporter } = begin();
    const events = madeRun({ hosts, steps: 1 });
    const at = events.findIndex(({ type }) => type === "step-output");
    show(events.slice(0, at));
    const started = events.slice(0, at).find((event) => event.type === "step-start")!;
    const more = { type: "step-output", host: started.host, step: "1", stream: "stdout" } as const;
    for (const [afterMs, text] of [[5000, "early\n"], [20_000, "late\n"]] as const) {
      reporter.event({ ...more, atMs: started.atMs + afterMs, text });
    }
    clock.pass(100);
    const lines = terminal.text.filter((line) => / \| (early|late)$/.test(line) && line.startsWith("web"));
    assertEquals(lines, shown ? [`${started.host} | early`, `${started.host} | late`] : []);
  }
});

Deno.test("live view streams what is too long to be compared, and loses nothing", () => {
  const { terminal, show } = begin();
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
  show(madeRun({ hosts: 2, steps: 1, output: () => `${lines.join("\n")}\n` }));
  for (const host of ["web1", "web2"]) {
    assertEquals(terminal.text.filter((line) => line.startsWith(`${host} | line`)).length, lines.length);
  }
});

Deno.test("live view ends in a summary that is no longer for a thousand hosts", () => {
  const { terminal, show } = begin({}, 120);
  show(madeRun({ hosts: 1000, steps: 4, failing: 3, unreachable: 2, output: () => "" }));
  assertEquals(terminal.text.slice(-4, -1), [
    "web[0001-0995] (995 hosts) ok",
    "web[0999-1000] (2 hosts) unreachable: Cannot connect: deploy@…:22: connection refused; is sshd running there?",
    "web[0996-0998] (3 hosts) failed (2 ok, 1 failed, 1 not run): step 3 (./migrate.sh): exit status 3",
  ]);
  assertMatch(
    terminal.text.at(-1)!,
    /^1000 hosts: 995 ok, 3 failed, 2 unreachable; 998 connections opened, /,
  );
});

for (const columns of [1, 2, 5, 13, 40, 80, 200]) {
  Deno.test(`live view at ${columns} columns never lets a line of its own wrap`, () => {
    for (const rows of [1, 2, 3, 8, 60]) {
      const { terminal, clock, show } = begin({ color: true }, columns, rows);
      show(until(20, { hosts: 60, steps: 6, output: () => "" }));
      clock.pass(100);
      assert(terminal.lines.every(({ wrapped }) => !wrapped));
      assert(terminal.lines.length <= Math.max(1, rows - 1));
    }
  });
}

Deno.test("live view at 40 columns keeps what matters", () => {
  const { terminal, clock, show } = begin({}, 40, 20);
  show(until(20, { hosts: 200, steps: 6, output: () => "" }));
  clock.pass(100);
  assertMatch(terminal.text[0], /^█*░+ 20\/200 hosts {2}\d+ s {2}deploy$/);
  assertMatch(terminal.text[1], /^20 ok \d+ run (\d+ conn )?\d+ wait$/);
});

Deno.test("live view follows the terminal's size and leaves nothing of an earlier frame behind", () => {
  const widths = fc.array(fc.integer({ min: 3, max: 160 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(widths, (sizes) => {
      const { terminal, clock, show } = begin({}, 100, 30);
      show(until(30, { hosts: 60, steps: 6, output: () => "" }));
      for (const columns of sizes) {
        terminal.resize(columns);
        clock.pass(100);
        assert(terminal.lines.length <= 12, terminal.text.join("\n"));
        assert(terminal.lines.every(({ wrapped }) => !wrapped), terminal.text.join("\n"));
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("live view hides the cursor and gives it back, with nothing of itself left, however it ends", () => {
  const run = madeRun({ hosts: 20, steps: 3, output: () => "" });
  fc.assert(fc.property(fc.nat(run.length), (cut) => {
    const { terminal, clock, reporter, show } = begin();
    assertEquals(terminal.cursorShown, false);
    show(run.slice(0, cut));
    reporter.close!();
    reporter.close!();
    assertEquals(terminal.cursorShown, true);
    assertEquals([clock.waiting, terminal.listeners], [0, 0]);
    assert(!terminal.text.some((line) => /running|waiting|░/.test(line)), terminal.text.join("\n"));
    const before = terminal.written;
    run.slice(cut).forEach((event) => reporter.event(event));
    assertEquals(terminal.written, before);
  }));
});

Deno.test("live view has colours where they are wanted, and none where they are not", () => {
  const colours = (options: LiveOptions) => {
    const { terminal, show } = begin(options);
    show(madeRun({ hosts: 20, steps: 3, failing: 2, unreachable: 1 }));
    // deno-lint-ignore no-control-regex -- colours are what is looked for
    return terminal.written.match(/\x1b\[[0-9;]*m/g)?.length ?? 0;
  };
  assertEquals(colours({}), 0);
  // Where NO_COLOR is set, there are none for anybody.
  assertEquals(colours({ color: true }) > 0, !Deno.noColor);
});

Deno.test("live view draws at most ten frames a second, however many events there are", () => {
  const { terminal, clock, reporter } = begin();
  const run = madeRun({ hosts: 1000, steps: 10, output: () => "" });
  const before = terminal.writes;
  for (const event of run.slice(0, -1)) {
    clock.pass(0.1);
    reporter.event(event);
  }
  const frames = terminal.writes - before;
  assert(frames <= clock.now() / 100 + 1, `${frames} frames in ${clock.now()} ms`);
});

Deno.test("live view of 1,000 hosts writes no more for an event than that of 50", () => {
  const bytesFor = (hosts: number) => {
    const { terminal, clock, reporter } = begin({ color: true });
    const run = madeRun({ hosts, steps: 10, output: () => "" }).filter(({ type }) => type !== "run-end");
    for (const event of run) {
      clock.pass(1);
      reporter.event(event);
    }
    return terminal.written.length / run.length;
  };
  const [few, many] = [bytesFor(50), bytesFor(1000)];
  assert(many < few * 1.5, `${many} against ${few}`);
  assert(many < 20, `${many} characters for an event`);
});

Deno.test("live view looks at no more hosts than it shows", () => {
  let looked = 0;
  const state = new LiveState();
  const step = { kind: "exec", title: "x", step: "1" } as const;
  const hosts = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  state.apply({ type: "run-start", version: 1, atMs: 0, job: "j", hosts, steps: [step] });
  for (const host of hosts) state.apply({ type: "step-start", host, atMs: 0, ...step });
  const running: Map<string, RunningStep> = state.running;
  running.values = function () {
    const all = Map.prototype.values.call(this);
    const next = all.next.bind(all);
    all.next = () => {
      looked++;
      return next();
    };
    return all;
  };
  liveFrame(state, { columns: 80, rows: 24, nowMs: 0, lastLine: () => undefined });
  assert(looked > 0 && looked <= 13, `${looked}`);
});

Deno.test("live view goes away while somebody is asked something, and comes back", () => {
  const { terminal, clock, show } = begin();
  const events = until(2, { hosts: 20, steps: 3, output: () => "" });
  show(events);
  clock.pass(100);
  assert(terminal.text.length > 1);
  {
    using _turn = takeTerminal();
    assertEquals(terminal.text, []);
    assertEquals(terminal.cursorShown, true);
    terminal.write("Password: ");
    clock.pass(5000);
    assertEquals(terminal.text, ["Password:"]);
    terminal.write("\n");
  }
  assertEquals(terminal.cursorShown, false);
  assertEquals(terminal.text[0], "Password:");
  assertMatch(terminal.text[1], /2\/20 hosts/);
});

Deno.test("live view lets no output, name, title or message act on the terminal", () => {
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom(
        "\x1b[2J\x1b[H",
        "\x1b]0;owned\x07",
        "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
        "\x9b31m",
        "\x9d0;x\x9c",
        "\u202e",
        "\u2066",
        "\x1b",
        "\b\b",
        "\r",
        "\n",
        "\t",
        "\x1b[?25h",
        "\x1bP$q\x1b\\",
        "😀",
        "漢",
      ),
      fc.string({ unit: "binary" }),
    ),
    { minLength: 1, maxLength: 12 },
  ).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(hostile, fc.integer({ min: 10, max: 90 }), (text, columns) => {
      const { terminal, reporter, clock } = begin({ color: true, verbose: true }, columns);
      const base = madeRun({ hosts: 4, steps: 3, failing: 1, unreachable: 1, output: () => text });
      const events: RunEvent[] = JSON.parse(
        JSON.stringify(base).replaceAll("web2", JSON.stringify(text).slice(1, -1))
          .replaceAll("stop the service", JSON.stringify(text).slice(1, -1))
          .replaceAll("Cannot connect", JSON.stringify(text).slice(1, -1)),
      );
      for (const event of events) {
        // The terminal throws at whatever it was not meant to understand.
        reporter.event(event);
        clock.pass(60);
      }
      reporter.close!();
      // deno-lint-ignore no-control-regex -- what it may write, and nothing else
      const rest = terminal.written.replace(/\x1b\[(\d*[AJKm]|[\d;]*m|\?25[hl])/g, "");
      assert(
        // deno-lint-ignore no-control-regex -- what must not be left
        !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(rest),
        JSON.stringify(rest),
      );
    }),
    { numRuns: 150 },
  );
});

Deno.test("widths are those of a terminal: wide letters two, marks none", () => {
  assertEquals(["abc", "漢字", "e\u0301", "😀"].map(widthOf), [3, 4, 1, 2]);
});

Deno.test("live view tells a failure above what the host still wrote after it", () => {
  const { terminal, reporter } = begin({}, 100, 40);
  const events = madeRun({ hosts: 1, steps: 3, failing: 1 });
  const failed = events.findIndex((event) => event.type === "step-end" && event.status === "failed");
  const { atMs, host } = events[failed] as Extract<RunEvent, { type: "step-end" }>;
  const at = { atMs, host, step: "finally.1" };
  const last: RunEvent[] = [
    { ...at, type: "step-start", kind: "exec", title: "put back" },
    { ...at, type: "step-output", stream: "stdout", text: "put back\n" },
    {
      ...{ ...at, type: "step-end", status: "ok", outcome: "exited", code: 0, signal: null },
      ...{ timedOut: false, attempts: 1, durationMs: 1, bytes: 9 },
    },
  ];
  // All in one moment: no frame is drawn between them.
  const two = (event: RunEvent) => event.type === "run-start" ? { ...event, hosts: ["web1", "web2"] } : event;
  for (const event of [...events.slice(0, failed + 1), ...last, ...events.slice(failed + 1)]) {
    reporter.event(two(event));
  }
  const text = terminal.text.join("\n");
  assert(text.indexOf("FAILED 3") < text.indexOf("| put back"), text);
  assert(text.includes("| put back"), text);
});
