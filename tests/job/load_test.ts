import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { fc } from "fast-check";
import { JobFileError } from "../../lib/base/errors.ts";
import { checkJob } from "../../lib/job/check.ts";
import { loadJob } from "../../lib/job/load.ts";
import { JobProblemsError } from "../../lib/job/problems.ts";

async function withFiles<T>(files: Record<string, string>, use: (cwd: string) => Promise<T>): Promise<T> {
  const cwd = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${cwd}/${name}`.replace(/\/[^\/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${cwd}/${name}`, text);
    }
    return await use(cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

const messageOf = (text: string) =>
  withFiles({ "a.yaml": text }, async (cwd) => {
    const error = await assertRejects(() => loadJob("a.yaml", { cwd }), JobFileError);
    return error.message.replace(/^Cannot use the task file: /, "");
  });

/** A bad file, and the start of its message: line, column, what was found, and the nearest name or what is allowed. */
const bad: readonly [string, string, string][] = [
  ["an unknown key of the job", "stpes: []\n", 'a.yaml:1:1: unknown key "stpes"; did you mean "steps"?'],
  ["no steps", "name: x\n", 'a.yaml:1:1: "steps" is missing; give it a list of steps'],
  [
    "empty steps",
    "steps: []\n",
    'a.yaml:1:8: found an empty list for "steps"; allowed here: a list of at least one step',
  ],
  ["an empty file", "", "a.yaml:1:1: found nothing (null); allowed here: a map with hosts and steps"],
  ["a list", "- exec: ls\n", "a.yaml:1:1: found a list; allowed here: a map with hosts and steps"],
  [
    "an unknown key of a step",
    "steps:\n  - exec: ls\n    tiemout: 3s\n",
    'a.yaml:3:5: unknown key "tiemout"; did you mean "timeout"? allowed here: exec, name, when, tags, env, cwd,',
  ],
  [
    "another step's key",
    "steps:\n  - copy: a\n    to: b\n    args: /\n",
    'a.yaml:4:5: unknown key "args"; did you mean "tags"? allowed here: copy, to',
  ],
  [
    "a key indented less than its step",
    "steps:\n  - exec: ls\n   cwd: /\n",
    "a.yaml:3:1: a key that does not stand below the others of its list item; indent it as they are, or begin",
  ],
  [
    "a key indented more than its step",
    "steps:\n  - exec: ls\n     cwd: /\n",
    'a.yaml:2:11: a ": " inside text that has no quotes; put quotes around the whole text; or is the next line',
  ],
  [
    "a step indented less than the others",
    "steps:\n  - exec: ls\n - exec: ls\n",
    "a.yaml:3:1: a list item that does not stand below the others of its list; indent it as they are",
  ],
  [
    "a key without its colon",
    "hosts [a]\nsteps:\n  - exec: ls\n",
    'a.yaml:1:1: a line that is neither a list item nor a key with its value; is a ":" missing?',
  ],
  [
    "a pattern that YAML takes for an alias",
    "steps:\n  - copy: a\n    to: b\n    exclude: *.map\n",
    "a.yaml:4:14: *.map without quotes is an alias in YAML, and nothing is called &.map; put quotes around",
  ],
  [
    "text that begins with a reserved character",
    "steps:\n  - exec: @daily\n",
    "a.yaml:2:11: plain value cannot start with reserved character @; put quotes around the whole text",
  ],
  [
    "a backslash in double quotes",
    'steps:\n  - exec: "grep \\d"\n',
    "a.yaml:2:17: invalid escape sequence \\d; in double quotes \\ begins an escape",
  ],
  ["a misspelt kind", "steps:\n  - exce: ls\n", 'a.yaml:2:5: unknown key "exce"; did you mean "exec"?'],
  [
    "a step of no kind",
    "steps:\n  - name: x\n",
    "a.yaml:2:5: the step does not say what to do; give it one of: exec,",
  ],
  [
    "a step of two kinds",
    "steps:\n  - exec: a\n    copy: b\n",
    'a.yaml:2:5: the step has both "exec" and "copy"',
  ],
  ["an empty step", "steps:\n  - {}\n", "a.yaml:2:5: the step does not say what to do"],
  ["a step that is text", "steps:\n  - uptime\n", 'a.yaml:2:5: found "uptime" for a step; a step is a map'],
  ["a copy without to", "steps:\n  - copy: ./x\n", 'a.yaml:2:5: "to" is missing; give it a path'],
  [
    "a bad duration",
    "steps:\n  - exec: a\n    timeout: soon\n",
    'a.yaml:3:14: found "soon" for "timeout"; allowed here: a duration such as',
  ],
  [
    "no duration at all",
    "steps:\n  - exec: a\n    timeout: 0\n",
    'a.yaml:3:14: found the number 0 for "timeout"',
  ],
  [
    "negative retries",
    "steps:\n  - exec: a\n    retries: -1\n",
    'a.yaml:3:14: found the number -1 for "retries"; allowed here: a whole number from 0',
  ],
  [
    "a boolean command",
    "steps:\n  - exec: true\n",
    'a.yaml:2:11: found the boolean true for "exec"; allowed here: a command line (text needs quotes here)',
  ],
  [
    "a bad variable name",
    "env: { 1A: x }\nsteps:\n  - exec: a\n",
    'a.yaml:1:8: found the key "1A"; allowed here: a variable name',
  ],
  [
    "a list as a variable",
    "env: { A: [] }\nsteps:\n  - exec: a\n",
    'a.yaml:1:11: found an empty list for "A"; allowed here: text, a number',
  ],
  [
    "a strategy key",
    "strategy: { paralel: 3 }\nsteps:\n  - exec: a\n",
    'a.yaml:1:13: unknown key "paralel"; did you mean "parallel"?',
  ],
  [
    "a share beyond all",
    "strategy: { batch: 120% }\nsteps:\n  - exec: a\n",
    'a.yaml:1:20: found "120%" for "batch"',
  ],
  [
    "a group in a group",
    "steps:\n  - parallel:\n      - parallel: []\n",
    "a.yaml:3:9: a parallel group inside a parallel group",
  ],
  [
    "a key in a group",
    "steps:\n  - parallel:\n      - exec: a\n        retires: 2\n",
    'a.yaml:4:9: unknown key "retires"; did you mean "retries"?',
  ],
  [
    "a host that is a number",
    "hosts: [1]\nsteps:\n  - exec: a\n",
    'a.yaml:1:9: found the number 1 for "hosts"',
  ],
  ["a duplicate key", "steps:\n  - exec: a\n    exec: b\n", "a.yaml:3:5: the same key twice in one map"],
  ["a tab", "steps:\n\t- exec: a\n", "a.yaml:2:1: a tab in the indentation; YAML is indented with spaces"],
  ["an unquoted range", "hosts: [web[01-20]]\nsteps:\n  - exec: a\n", "a.yaml:1:12: "],
  ["a second document", "steps:\n  - exec: a\n---\nsteps: []\n", "a.yaml:3:1: a second document (---)"],
  ["a tag", "steps: !!js/function x\n", "a.yaml:1:8: unresolved tag"],
  [
    "a key of every object",
    "constructor: 1\nsteps:\n  - exec: a\n    __proto__: {}\n",
    'a.yaml:1:1: unknown key "constructor"; allowed here',
  ],
  ["too much nesting", "[".repeat(50_000), "a.yaml: it is nested too deeply"],
  [
    "a bomb of aliases",
    "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n",
    "a.yaml: its aliases stand for too much",
  ],
  ["a file of 1 MiB and a byte", " ".repeat(1024 * 1024 + 1), "a.yaml: it has 1048577 bytes"],
];

for (const [name, text, message] of bad) {
  Deno.test(`a task file with ${name} gets its place and what is allowed`, async () => {
    assertStringIncludes(await messageOf(text), message);
  });
}

Deno.test("a task file tells all its mistakes at once, in its own order", async () => {
  const message = await messageOf(
    "steps:\n  - exec: a\n    tiemout: 1\n  - copy: a\n  - exec: b\n    retries: x\nenv: 3\n",
  );
  assertEquals(message.split("\n").map((line) => line.replace(/^(a.yaml:\d+:\d+).*/, "$1")), [
    "a.yaml:3:5",
    "a.yaml:4:5",
    "a.yaml:6:14",
    "a.yaml:7:6",
  ]);
});

Deno.test("a bad task file's error carries its first place and is known not to have started anything", async () => {
  await withFiles({ "a.yaml": "steps:\n  - exec: a\n    x: 1\n" }, async (cwd) => {
    const error = await assertRejects(() => loadJob("a.yaml", { cwd }), JobProblemsError);
    assertEquals([error.line, error.column, error.outcome, error.where], [3, 5, "not-started", "a.yaml:3:5"]);
  });
});

Deno.test("a task file that is not UTF-8 is refused", async () => {
  await withFiles({}, async (cwd) => {
    await Deno.writeFile(`${cwd}/a.yaml`, new Uint8Array([0x73, 0xff, 0xfe]));
    await assertRejects(() => loadJob("./a.yaml", { cwd }), JobFileError, "it is not UTF-8 text");
  });
});

Deno.test("the task file of the design loads with its defaults", async () => {
  const text = `name: deploy
hosts: [web]                       # a comment
strategy: { parallel: 20, batch: 25%, maxFailures: 1, maxUnreachable: 2 }
env: { APP: shop }
steps:
  - name: stop the service
    exec: systemctl --user stop $APP
  - copy: ./dist/
    to: /srv/shop/
  - exec: ./migrate.sh
    cwd: /srv/shop
    timeout: 30s
    retries: 2
    creates: /srv/shop/.migrated   # guard: skipped when it exists
  - parallel:
      - exec: curl -fsS localhost:8080/health
      - exec: systemctl --user is-active $APP
  - fetch: /srv/shop/build.log
    to: ./logs/{host}.log
`;
  await withFiles({ "tasks/deploy.yaml": text }, async (cwd) => {
    const job = await loadJob("deploy", { cwd });
    assertEquals(job.file, "tasks/deploy.yaml");
    assertEquals(job.strategy, { parallel: 20, batch: "25%", maxFailures: 1, maxUnreachable: 2 });
    assertEquals(job.steps.map((step) => step.kind), ["exec", "copy", "exec", "parallel", "fetch"]);
    assertEquals(job.steps[2], {
      kind: "exec",
      where: "tasks/deploy.yaml:10:5",
      name: undefined,
      timeoutMs: 30_000,
      retries: 2,
      command: "./migrate.sh",
      env: {},
      cwd: "/srv/shop",
      creates: "/srv/shop/.migrated",
    });
  });
});

Deno.test("a TypeScript task file is checked by the same schema", async () => {
  const files = {
    "good.ts": `export default { hosts: "web1", steps: [{ exec: "uptime", timeout: 2.5 }] };`,
    "bad.ts": `export default { steps: [{ exec: "uptime", tiemout: 3 }] };`,
    "none.ts": `export const steps = 1;`,
    "broken.ts": `export default {`,
  };
  await withFiles(files, async (cwd) => {
    const job = await loadJob("./good.ts", { cwd });
    assertEquals([job.name, job.hosts, job.steps[0]!.kind], ["good", ["web1"], "exec"]);
    const error = await assertRejects(() => loadJob("./bad.ts", { cwd }), JobFileError);
    assertStringIncludes(
      error.message,
      './bad.ts: steps[0].tiemout: unknown key "tiemout"; did you mean "timeout"?',
    );
    await assertRejects(() => loadJob("./none.ts", { cwd }), JobFileError, "it has no default export");
    await assertRejects(() => loadJob("./broken.ts", { cwd }), JobFileError, "it does not load");
  });
});

Deno.test("a task that is not there gets the nearest name", async () => {
  await withFiles({ "tasks/deploy.yaml": "", "tasks/uptime.ts": "" }, async (cwd) => {
    await assertRejects(() => loadJob("deplyo", { cwd }), JobFileError, 'did you mean "deploy"?');
    await assertRejects(() => loadJob("zzz", { cwd }), JobFileError, "known tasks: deploy, uptime");
    await assertRejects(() => loadJob("other.yaml", { cwd }), JobFileError, "other.yaml: no such file");
  });
});

Deno.test("the tasks that come with carpool load", async () => {
  const root = new URL("../..", import.meta.url).pathname;
  const names = (await Array.fromAsync(Deno.readDir(`${root}/tasks`))).map((entry) => entry.name);
  assert(names.length >= 2);
  for (const name of names) assert((await loadJob(`tasks/${name}`, { cwd: root })).steps.length > 0);
});

Deno.test("checking a job never throws anything but its own error", () => {
  fc.assert(fc.property(fc.anything(), fc.anything(), (steps, rest) => {
    try {
      checkJob({ ...(rest as object), steps: [steps, { exec: steps }, { parallel: [steps] }] }, undefined);
    } catch (error) {
      assert(error instanceof JobProblemsError, String(error));
      assertMatch(error.message, /^Cannot use the task file: /);
    }
  }));
});
