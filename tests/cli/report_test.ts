import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { SaxesParser } from "../../lib/deps/saxes.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { carpool } from "./carpool.ts";

const hosts = ["127.0.0.2", "127.0.0.3"];
const job = `name: checks
hosts: ["127.0.0.[2-3]"]
steps:
  - name: say
    exec: echo '<b>same</b>'; printf '\\033[2Jcleared\\n'
  - name: differ
    exec: test "$(echo $SSH_CONNECTION | cut -d' ' -f3)" = 127.0.0.2 || { echo '::error::owned'; exit 3; }
`;

async function withServer(use: (sshd: Sshd, cwd: string) => Promise<void>): Promise<void> {
  await using sshd = await startSshd({ hosts });
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/checks.yaml`, job);
    await use(sshd, cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

function optionsFor(sshd: Sshd): string[] {
  return ["-F", sshd.configFile, "-o", "ControlMaster=no"];
}

/** What a run tells elsewhere than in the place that a test is about. */
const quiet = { GITHUB_ACTIONS: "" };

Deno.test("carpool run shows a run as JUnit, as GitHub annotations, as events, and as a page beside each", async () => {
  await withServer(async (sshd, cwd) => {
    const run = (args: readonly string[], env: Record<string, string> = quiet) =>
      carpool(["run", "./checks.yaml", ...optionsFor(sshd), ...args], { cwd, env });

    const junit = await run(["--output", "junit", "--report", "report.html"]);
    assertEquals(junit.code, 1, junit.stderr);
    const names: string[] = [];
    const parser = new SaxesParser();
    parser.on("error", (error) => {
      throw error;
    });
    parser.on("opentag", ({ name }) => void names.push(name));
    parser.write(junit.stdout).close();
    assertEquals(names.filter((name) => name === "testcase").length, 4);
    assertEquals(names.filter((name) => name === "failure").length, 1);
    assertStringIncludes(junit.stdout, "<system-out>&lt;b&gt;same&lt;/b&gt;\ncleared</system-out>");

    const page = await Deno.readTextFile(`${cwd}/report.html`);
    assertStringIncludes(page, "&lt;b&gt;same&lt;/b&gt;\ncleared");
    assertMatch(page, /4 commands and copies on 2 hosts/);
    assertEquals((await Deno.stat(`${cwd}/report.html`)).mode! & 0o777, 0o600);
    assertEquals([...Deno.readDirSync(cwd)].map(({ name }) => name).sort(), ["checks.yaml", "report.html"]);

    const github = await run([], { GITHUB_ACTIONS: "true" });
    assertMatch(
      github.stdout,
      /^::error title=127\.0\.0\.3%3A 2 differ failed::exit status 3%0A\| ::error::owned$/m,
    );
    assertMatch(github.stdout, /^::group::1 say: 127\.0\.0\.\[2-3\] \(2 hosts\)$/m);
    assert(!/^::error::owned/m.test(github.stdout));

    const json = await run(["--output", "json"], { GITHUB_ACTIONS: "true" });
    const events: RunEvent[] = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals([events[0].type, events.at(-1)!.type], ["run-start", "run-end"]);

    const lines = await run(["--output", "lines"], { GITHUB_ACTIONS: "true" });
    assertMatch(lines.stdout, /^127\.0\.0\.3 FAILED 2 differ: exit status 3$/m);
  });
});

Deno.test("carpool exec and carpool copy write reports too, of one host as well", async () => {
  await withServer(async (sshd, cwd) => {
    const one = await carpool([
      "exec",
      ...optionsFor(sshd),
      "--report",
      "one.html",
      hosts[0],
      "--",
      "echo hi",
    ], {
      cwd,
      env: quiet,
    });
    assertEquals([one.code, one.stdout], [0, `${hosts[0]}: hi\n`], one.stderr);
    assertStringIncludes(await Deno.readTextFile(`${cwd}/one.html`), "Nothing failed.");
    const copied = await carpool(
      ["copy", ...optionsFor(sshd), "--report", "copy.html", "checks.yaml", `${hosts[0]}:copied.yaml`],
      { cwd, env: quiet },
    );
    assertEquals(copied.code, 0, copied.stderr);
    assertStringIncludes(await Deno.readTextFile(`${cwd}/copy.html`), "copied.yaml");
  });
});

Deno.test("a run that cannot be planned leaves no report, and nothing else", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/x.yaml`, 'hosts: ["web[2-1]"]\nsteps: [{ exec: uptime }]\n');
    for (const output of ["lines", "junit"]) {
      const { code, stdout, stderr } = await carpool([
        "run",
        "./x.yaml",
        "--report",
        "r.html",
        "--output",
        output,
      ], {
        cwd,
        env: quiet,
      });
      assertEquals([code, stdout], [2, ""], stderr);
    }
    assertEquals([...Deno.readDirSync(cwd)].map(({ name }) => name), ["x.yaml"]);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

for (
  const [what, args, message] of [
    [
      "an output that is not there",
      ["--output", "xml"],
      /--output: found "xml"; auto, lines, json or junit is allowed/,
    ],
    [
      "a report that is no page",
      ["--report", "run.pdf"],
      /--report run\.pdf: the report is an HTML page; name it FILE\.html/,
    ],
    [
      "a report in no directory",
      ["--report", "no/such/run.html"],
      /Cannot write the report: no\/such\/run\.html: /,
    ],
  ] as const
) {
  Deno.test(`carpool run refuses ${what} before it contacts anybody`, async () => {
    const cwd = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${cwd}/x.yaml`, "hosts: [nowhere.invalid]\nsteps: [{ exec: uptime }]\n");
      const { code, stdout, stderr } = await carpool(["run", "./x.yaml", ...args], { cwd });
      assertEquals([code, stdout], [2, ""], stderr);
      assertMatch(stderr, message);
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  });
}
