// The live view on a real pseudo-terminal.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { provide } from "../support/tools.ts";

const program = fromFileUrl(import.meta.resolve("./live_program.ts"));

interface Shown {
  readonly output: string;
  /** What stands behind the last escape sequence that hides or shows the cursor: `h` shows. */
  readonly cursor: string | undefined;
  readonly status: string | undefined;
}

/** Runs the program on a terminal; `keys` are typed one by one, each when the text before it has been shown once more. */
async function onTerminal(
  args: readonly string[],
  { keys = [], env = {} }: { keys?: readonly (readonly [RegExp, string])[]; env?: Record<string, string> } =
    {},
): Promise<Shown> {
  const script = await provide("script", "bsdutils");
  const flags =
    "run --no-prompt --quiet --no-check --allow-read --allow-write --allow-env --allow-run --allow-sys";
  const command =
    `stty rows 24 cols 80; trap : INT; '${Deno.execPath()}' ${flags} '${program}' ${args.join(" ")};` +
    ' echo "left with $?"';
  const child = new Deno.Command(script.path, {
    args: ["-qec", command, "/dev/null"],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH")!,
      HOME: Deno.env.get("HOME") ?? "/",
      TERM: "xterm",
      ...script.env,
      ...env,
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  let output = "";
  let from = 0;
  const left = [...keys];
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    while (left.length > 0 && left[0][0].test(output.slice(from))) {
      from = output.length;
      await writer.write(new TextEncoder().encode(left.shift()![1]));
    }
  }
  await writer.close().catch(() => {});
  await child.status;
  return {
    output,
    // deno-lint-ignore no-control-regex -- what is looked for
    cursor: [...output.matchAll(/\x1b\[\?25([hl])/g)].at(-1)?.[1],
    status: /left with (\d+)/.exec(output)?.[1],
  };
}

// Colours may stand behind it.
const drawn = /\/60/;

for (
  const [how, mode, status] of [
    ["the run is over", "whole", "0"],
    ["it ends early", "early", "0"],
    ["an exception ends the program", "throw", "1"],
    ["a rejection that nobody waits for ends the program", "reject", "1"],
    ["the program exits in the middle", "exit", "3"],
  ] as const
) {
  Deno.test(`live view gives the cursor back when ${how}`, async () => {
    const shown = await onTerminal([mode]);
    assertMatch(shown.output, drawn);
    assertEquals([shown.cursor, shown.status], ["h", status], shown.output);
  });
}

Deno.test("live view gives the cursor back on Ctrl-C", async () => {
  const shown = await onTerminal(["interrupt"], { keys: [[drawn, "\x03"]] });
  assertEquals([shown.cursor, shown.status], ["h", "0"], shown.output);
});

Deno.test("live view gives the cursor back on a second Ctrl-C, which leaves at once", async () => {
  const shown = await onTerminal(["twice"], { keys: [[drawn, "\x03"], [/noticed/, "\x03"]] });
  assertEquals([shown.cursor, shown.status], ["h", "130"], shown.output);
});

Deno.test("live view follows a terminal that becomes narrower", async () => {
  const { output } = await onTerminal(["narrow"], { env: { NO_COLOR: "1" } });
  // Forty columns count `run` and `wait` where eighty say `running` and `waiting`.
  assertMatch(output, /\d+ running/);
  assertMatch(output, /\d+ run [\s\S]*\d+ wait/);
});

Deno.test("live view has colours on a terminal, and none with NO_COLOR", async () => {
  // deno-lint-ignore no-control-regex -- colours
  const colour = /\x1b\[[0-9;]*m/;
  assertMatch((await onTerminal(["whole"])).output, colour);
  const { output } = await onTerminal(["whole"], { env: { NO_COLOR: "1" } });
  assert(!colour.test(output));
  assertMatch(output, drawn);
});

Deno.test("--output lines and a dumb terminal have no live view", async () => {
  for (
    const shown of [
      await onTerminal(["whole", "--output", "lines"]),
      await onTerminal(["whole"], { env: { TERM: "dumb" } }),
    ]
  ) {
    assertEquals(shown.cursor, undefined);
    assertMatch(shown.output, /60 hosts: .*58 ok.*2 failed/);
  }
});

Deno.test("live view takes nothing of the terminal when a report cannot be written", async () => {
  const shown = await onTerminal(["whole", "--report", "/nowhere/x.html"]);
  assertEquals([shown.cursor, shown.status], [undefined, "1"], shown.output);
  assertStringIncludes(shown.output, "Cannot write the report");
});

Deno.test("a report is written also when the program exits in the middle", async () => {
  const file = await Deno.makeTempFile({ suffix: ".html" });
  try {
    await onTerminal(["exit", "--report", file]);
    const page = await Deno.readTextFile(file);
    assertStringIncludes(page, "broken off");
    assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(file);
  }
});
