import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { type OptionSpec, readArguments } from "../../lib/cli/arguments.ts";
import { parsePlace } from "../../lib/cli/copy.ts";
import { targetOptionsOf, targetOptionSpecs } from "../../lib/cli/target_options.ts";

const read = (args: string[], wordsBeforeRest?: number) =>
  readArguments("exec", args, [
    ...targetOptionSpecs,
    { name: "tty", letter: "t", kind: "flag" } as OptionSpec,
  ], {
    wordsBeforeRest,
  });

Deno.test("ssh's ways to write options are understood", async () => {
  const line = await read([
    "-p2222",
    "-oPort=22",
    "-o",
    "User=a b",
    "-vv",
    "-Av",
    "-i/k",
    "-i",
    "-k",
    "--user=",
    "web1",
  ]);
  assertEquals(line.words, ["web1"]);
  assertEquals([line.text("port"), line.list("option"), line.list("identity")], [
    "2222",
    ["Port=22", "User=a b"],
    ["/k", "-k"],
  ]);
  assertEquals([line.count("verbose"), line.flag("agent"), line.flag("tty"), line.text("user")], [
    3,
    true,
    false,
    "",
  ]);
});

Deno.test("options end behind the host, as ssh's do, and at --", async () => {
  const first = await read(["-t", "web1", "-p", "22", "ls", "-l", "-p"], 1);
  assertEquals([first.words, first.rest, first.text("port")], [["web1"], ["ls", "-l", "-p"], "22"]);
  const second = await read(["web1", "--", "-x", "--", "y"], 1);
  assertEquals([second.words, second.rest], [["web1"], ["-x", "--", "y"]]);
});

Deno.test("words that look like numbers or dotted options stay as they were written", async () => {
  const line = await read(["-o", "a.b=1", "-l", "007", "1e3"]);
  assertEquals([line.words, line.list("option"), line.text("user")], [["1e3"], ["a.b=1"], "007"]);
  await assertRejects(() => read(["--option.x=1"]), UsageError, "--option.x: there is no such option");
});

Deno.test("the letters become the options of connect", async () => {
  const line = await read([
    "-F",
    "cfg",
    "-i",
    "k1",
    "-J",
    "gate",
    "-l",
    "me",
    "-p",
    "22",
    "-S",
    "sock",
    "-A",
    "-oX=y",
  ]);
  assertEquals(targetOptionsOf("exec", line), {
    configFile: "cfg",
    identityFile: ["k1"],
    proxyJump: "gate",
    user: "me",
    port: 22,
    configLines: ["X=y"],
    controlPath: "sock",
    share: undefined,
    verbose: undefined,
    via: undefined,
    forwardAgent: true,
  });
  assertEquals(targetOptionsOf("exec", await read(["--no-share"])).share, false);
});

Deno.test("places to copy are read as scp reads them", () => {
  const places: [string, string | undefined, string][] = [
    ["web1:/srv", "web1", "/srv"],
    ["me@web1:", "me@web1", "."],
    ["./a:b", undefined, "./a:b"],
    ["/a:b", undefined, "/a:b"],
    ["dir/a:b", undefined, "dir/a:b"],
    ["plain", undefined, "plain"],
    [":x", undefined, ":x"],
    ["[::1]:/x", "[::1]", "/x"],
    ["me@[fe80::1%eth0]:x:y", "me@[fe80::1%eth0]", "x:y"],
    ["web[01-20,3]:/srv/", "web[01-20,3]", "/srv/"],
    ["@web:~/x", "@web", "~/x"],
  ];
  for (const [text, host, path] of places) assertEquals(parsePlace(text), { text, host, path });
});
