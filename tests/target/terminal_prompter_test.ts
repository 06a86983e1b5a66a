import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { AskpassPrompter } from "../../lib/target/askpass_prompter.ts";
import { choosePrompter } from "../../lib/target/choose_prompter.ts";
import { printable } from "../../lib/target/printable.ts";
import { TerminalPrompter } from "../../lib/target/terminal_prompter.ts";
import { provide } from "../support/tools.ts";
import { TempHome } from "../support/temp_home.ts";

const program = fromFileUrl(new URL("./terminal_program.ts", import.meta.url));

/** Runs the program on a pseudo-terminal of `script`, then asks `stty` how the terminal was left. */
async function onTerminal(
  mode: string,
  dialogue: readonly (readonly [string, string])[],
  { permissions = "--allow-run=/bin/sh", redirect = "</dev/null", interrupt = false } = {},
): Promise<string> {
  const script = await provide("script", "bsdutils");
  const deno = `'${Deno.execPath()}' run --no-prompt --quiet ${permissions} '${program}' ${mode}`;
  const child = new Deno.Command(script.path, {
    // A trap with something in it, unlike an ignored signal, is not passed on to the program.
    args: [
      "-qec",
      `${interrupt ? "trap : INT; " : ""}${deno} ${redirect}; echo "status $?"; stty -a`,
      "/dev/null",
    ],
    env: script.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  let output = "";
  const steps = [...dialogue];
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    // Typed only once the question stands there: what comes before would be echoed by the terminal itself.
    while (steps.length > 0 && output.includes(steps[0][0])) {
      await writer.write(encoder.encode(steps.shift()![1]));
    }
  }
  await writer.close().catch(() => {});
  await child.status;
  return output;
}

/** The terminal shows and gathers lines again. */
function assertRestored(output: string): void {
  const settings = output.slice(output.indexOf("speed "));
  assertMatch(settings, /(?<!-)\bicanon\b/);
  assertMatch(settings, /(?<!-)\becho\b/);
  assertMatch(settings, /(?<!-)\bisig\b/);
}

/** The terminal is asked by a shell; or, where none may be run, standard input is. */
const ways = {
  "by a shell": {},
  "on standard input": { permissions: "--allow-run=/nothing", redirect: "" },
};
for (const [way, options] of Object.entries(ways)) {
  Deno.test(`terminal asked ${way} does not show a secret, and edits it`, async () => {
    const output = await onTerminal("secret", [["Secret: ", "wrong\x15sesame\x7f\x7fm!\x7fé\n"]], options);
    assertMatch(output, /<sesamé>/);
    assertEquals(output.replace("<sesamé>", "").includes("ses"), false, output);
    assertMatch(output, /a notice\r\n/);
    assertRestored(output);
  });

  Deno.test(`terminal asked ${way} shows a line as it is typed`, async () => {
    const output = await onTerminal("line", [["Line: ", "yes\n"]], options);
    assertMatch(output, /Line: yes\r\n<yes>/);
    assertRestored(output);
  });

  Deno.test(`terminal asked ${way} asks one question at a time`, async () => {
    const output = await onTerminal("two", [["First: ", "one\n"], ["Second: ", "two\n"]], options);
    assertMatch(output, /First: \r\nSecond: two\r\n<one><two>/);
  });

  Deno.test(`terminal asked ${way} gives no answer for Ctrl-D`, async () => {
    const output = await onTerminal("secret", [["Secret: ", "\x04"]], options);
    assertMatch(output, /<null>/);
    assertRestored(output);
  });

  Deno.test(`terminal asked ${way} is restored when Ctrl-C ends the program`, async () => {
    const output = await onTerminal("secret", [["Secret: ", "abc\x03"]], { ...options, interrupt: true });
    assertRestored(output);
    assertEquals(output.includes("<null>"), false, "the program did not go on");
  });
}

Deno.test("terminal is restored when asking is aborted, and nothing waits for a key any more", async () => {
  // `script` itself only notices the end of its child once something is typed.
  const output = await onTerminal("abort", [["status", "\n"]]);
  assertMatch(output, /Secret: \r\n<TimeoutError>\r\nstatus 0/);
  assertRestored(output);
});

Deno.test("terminal that is not there gives no answer", async () => {
  const { stdout } = await new Deno.Command("setsid", {
    args: ["-w", Deno.execPath(), "run", "--no-prompt", "--quiet", "--allow-run=/bin/sh", program, "secret"],
    stdin: "null",
    stderr: "null",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "<null>\n");
});

async function askpass(home: TempHome, body: string): Promise<string> {
  return await home.write("askpass", `#!/bin/sh\n${body}\n`, 0o700);
}

Deno.test("askpass gets the question and gives the first line", async () => {
  await using home = await TempHome.make();
  const path = await askpass(home, `printf '%s|%s|%s\\nmore\\n' "$1" "$SSH_ASKPASS_PROMPT" "$MINE"`);
  const prompter = new AskpassPrompter(path, { MINE: "m", SSH_ASKPASS_PROMPT: "confirm" });
  assertEquals(await prompter.secret("Pass\x1b[31mword: "), "Password: ||m");
  assertEquals(await prompter.line("Sure? "), "Sure? ||m");
});

Deno.test("askpass that fails, talks without end or is missing gives no answer", async () => {
  await using home = await TempHome.make();
  const ask = (path: string) => new AskpassPrompter(path, home.env).secret("x");
  assertEquals(await ask(await askpass(home, "echo half; exit 1")), null);
  assertEquals(
    await ask(await askpass(home, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")),
    null,
  );
  assertEquals(await ask(await askpass(home, "printf ''")), "");
  assertEquals(await ask(`${home.path}/missing`), null);
});

Deno.test("askpass is ended when asking is aborted", async () => {
  await using home = await TempHome.make();
  const pidFile = `${home.path}/pid`;
  const path = await askpass(home, `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000`);
  const controller = new AbortController();
  using watcher = Deno.watchFs(home.path); // first: what happens before it is there, it does not tell
  const asked = new AskpassPrompter(path, home.env).secret("x", controller.signal);
  for await (const _ of watcher) if (await Deno.stat(pidFile).then(() => true, () => false)) break;
  controller.abort(new DOMException("enough", "AbortError"));
  assertEquals(await asked.catch((error) => error.message), "enough");
});

const there = () => true;
const none = () => false;
const choices: [string, Record<string, string>, () => boolean, boolean, string][] = [
  ["the terminal", {}, there, false, "terminal"],
  ["the terminal before a desktop", { DISPLAY: ":0", SSH_ASKPASS: "/a" }, there, false, "terminal"],
  ["nobody", {}, none, false, "nobody"],
  ["nobody without a desktop", { SSH_ASKPASS: "/a" }, none, false, "nobody"],
  ["askpass on a desktop", { DISPLAY: ":0", SSH_ASKPASS: "/a" }, none, false, "askpass"],
  ["askpass under Wayland", { WAYLAND_DISPLAY: "w", SSH_ASKPASS: "/a" }, none, false, "askpass"],
  ["askpass by force", { SSH_ASKPASS_REQUIRE: "force", SSH_ASKPASS: "/a" }, there, false, "askpass"],
  [
    "askpass preferred",
    { SSH_ASKPASS_REQUIRE: "prefer", DISPLAY: ":0", SSH_ASKPASS: "/a" },
    there,
    false,
    "askpass",
  ],
  [
    "the terminal where the preferred has no desktop",
    { SSH_ASKPASS_REQUIRE: "prefer", SSH_ASKPASS: "/a" },
    there,
    false,
    "terminal",
  ],
  [
    "nobody when never",
    { SSH_ASKPASS_REQUIRE: "never", DISPLAY: ":0", SSH_ASKPASS: "/a" },
    none,
    false,
    "nobody",
  ],
  ["nobody in batch mode", { SSH_ASKPASS_REQUIRE: "force", SSH_ASKPASS: "/a" }, there, true, "nobody"],
];
for (const [name, environment, terminal, batchMode, expected] of choices) {
  Deno.test(`who is asked: ${name}`, () => {
    const prompter = choosePrompter({ batchMode, environment }, terminal);
    const kind = prompter instanceof TerminalPrompter
      ? "terminal"
      : prompter instanceof AskpassPrompter
      ? "askpass"
      : "nobody";
    assertEquals([kind, prompter.interactive], [expected, expected !== "nobody"]);
  });
}

Deno.test("printable leaves nothing that a terminal would act on", () => {
  assertEquals(printable("a\x1b[31mb\x1b]0;title\x07c\x9b1md\re\r\nf\tg\u202eh\x00"), "abc1md\ne\nf\tgh");
  assert(printable("\n\t é 漢字") === "\n\t é 漢字");
});
