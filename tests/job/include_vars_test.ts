import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { JobFileError, UsageError } from "../../lib/base/errors.ts";
import { loadJob } from "../../lib/job/load.ts";
import { planJob, type PlanOptions } from "../../lib/job/plan.ts";
import type { PlannedAction } from "../../lib/job/planned.ts";

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

/** The commands of a plan for one host, and of its secrets. */
async function planned(
  files: Record<string, string>,
  options: PlanOptions & { readonly hostVars?: Readonly<Record<string, unknown>> } = {},
) {
  return await withFiles(files, async (cwd) => {
    const job = await loadJob("./a.yaml", { cwd });
    const entry = { host: "web1", group: "web", ...(options.hostVars ? { vars: options.hostVars } : {}) };
    const plan = await planJob(job, [entry], { cwd, ...options });
    const commands = plan.hosts[0]!.steps.flatMap((step) =>
      (step.kind === "parallel" ? step.steps : [step]).map((action: PlannedAction) =>
        `${action.kind === "exec" ? action.command : action.title}${
          action.skip === undefined ? "" : " (skip)"
        }`
      )
    );
    return { commands, plan };
  });
}

const failure = async (files: Record<string, string>, options: PlanOptions = {}) => {
  const error = await assertRejects(() => planned(files, options), Error);
  return error.message.replace(/\/tmp\/\w+\//g, "");
};

Deno.test("an include puts another file's steps in its place, with variables, conditions and tags", async () => {
  const { commands, plan } = await planned({
    "a.yaml": `
vars: { app: shop, where: /srv }
env: { A: job }
steps:
  - exec: first
  - include: parts/restart.yaml
    vars: { service: "{{ app }}-web" }
    tags: restart
  - include: parts/restart.yaml
    when: app == 'other'
  - include: parts/restart.yaml
    vars: { service: db, where: /opt }
`,
    "parts/restart.yaml": `
hosts: [ignored]
vars: { service: none, grace: 3, where: /never }
env: { A: include, B: include }
before: [{ exec: "cd {{ where }}" }]
steps:
  - include: deeper.yaml
    vars: { what: "{{ service }}~" }
  - parallel: [{ exec: "restart {{ service }} {{ grace }}", when: grace > 1 }]
`,
    "parts/deeper.yaml": "steps: [{ exec: 'say {{ what }} {{ app }}', env: { B: step } }]\n",
  });
  assertEquals(commands, [
    ...["first", "cd /srv", "say 'shop-web~' shop", "restart shop-web 3"],
    ...[
      "cd {{ where }} (skip)",
      "say {{ what }} {{ app }} (skip)",
      "restart {{ service }} {{ grace }} (skip)",
    ],
    ...["cd /opt", "say 'db~' shop", "restart db 3"],
  ]);
  const deeper = plan.hosts[0]!.steps[2]! as PlannedAction;
  assertEquals([deeper.tags, deeper.env], [["restart"], { A: "include", B: "step" }]);
  assertEquals(plan.hosts[0]!.steps.map(({ step }) => step), [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
  ]);
});

Deno.test("a file that includes itself, or one that is not there, is told with its place", async () => {
  const loop = {
    "a.yaml": "steps:\n  - exec: x\n  - include: b/b.yaml\n",
    "b/b.yaml": "steps:\n  - include: ../a.yaml\n",
  };
  assertStringIncludes(
    await failure(loop),
    "b/b.yaml:2:14: the file includes itself: a.yaml > b.yaml > a.yaml; take one of them out",
  );
  assertStringIncludes(
    await failure({ "a.yaml": "steps:\n  - include: gone.yaml\n" }),
    'a.yaml:2:14: no such file: "gone.yaml"; looked for',
  );
  const wrong = {
    "a.yaml": "steps: [{ include: b.yaml }]\n",
    "b.yaml": "steps:\n  - exec: x\n    tiemout: 1\n",
  };
  assertStringIncludes(await failure(wrong), 'b.yaml:3:5: unknown key "tiemout"');
  const last = {
    "a.yaml": "steps: [{ include: b.yaml }]\n",
    "b.yaml": "steps: [{ exec: x }]\nfinally: [{ exec: y }]\n",
  };
  assertStringIncludes(await failure(last), 'b.yaml:2:1: an included file with "finally"');
});

Deno.test("a variable takes the first value of: var, vars file, inventory, task file", async () => {
  const files = {
    "a.yaml": "vars: { v: task, w: '{{ v }}+' }\nsteps: [{ exec: '{{ v }} {{ w }} {{ vars.v }}' }]\n",
    "one.yaml": "v: file one\n",
    "two.json": '{"v": "two"}',
  };
  const value = async (options: Parameters<typeof planned>[1]) => (await planned(files, options)).commands[0];
  assertEquals(await value({}), "task task+ task");
  assertEquals(await value({ hostVars: { v: "inv", "ansible-x": 1 } }), "inv inv+ inv");
  assertEquals(
    await value({ hostVars: { v: "inv" }, varsFiles: ["one.yaml"] }),
    "'file one' 'file one+' 'file one'",
  );
  assertEquals(await value({ varsFiles: ["one.yaml", "two.json"] }), "two two+ two");
  assertEquals(await value({ varsFiles: ["one.yaml"], vars: { v: "cli" } }), "cli cli+ cli");
  // What comes from outside is data, never an expression.
  assertEquals(await value({ vars: { v: "{{ host }}" } }), "'{{ host }}' '{{ host }}+' '{{ host }}'");
});

Deno.test("variables come from the environment and from files, with defaults", async () => {
  Deno.env.set("CARPOOL_TEST_VERSION", "1.10");
  const text = `
vars:
  version: { env: CARPOOL_TEST_VERSION }
  other: { env: CARPOOL_TEST_NOT_THERE, default: none }
  key: { file: key.txt, secret: true }
  tree: { value: { a: { b: 7 } } }
  items: [a b, c]
steps: [{ exec: "{{ version }} {{ other }} {{ key }} {{ tree.a.b }} {{ items }}" }]
`;
  const { commands, plan } = await planned({ "a.yaml": text, "key.txt": "s3cr3t\n" });
  assertEquals(commands, ["1.10 none s3cr3t 7 'a b' c"]);
  assertEquals(plan.secrets, ["s3cr3t"]);
  const missing = await failure({
    "a.yaml": "vars: { v: { env: CARPOOL_TEST_NOT_THERE } }\nsteps: [{ exec: x }]\n",
  });
  assertStringIncludes(
    missing,
    '"v" has no value: $CARPOOL_TEST_NOT_THERE is not set; give it one with --var v=…',
  );
});

Deno.test("text from the command line takes the kind of value that the task file has", async () => {
  const files = {
    "a.yaml": "vars: { n: 1, on: false, items: [a], text: '1', any: {} }\n" +
      "steps: [{ exec: '{{ n + 1 }} {{ !on }} {{ items }} {{ text }} {{ any }}' }]\n",
  };
  const vars = { n: "41", on: "true", items: "x, y z", text: "007", any: "3" };
  assertEquals((await planned(files, { vars })).commands, ["42 false x 'y z' 007 3"]);
  const told = async (vars: Record<string, string>) => await failure(files, { vars: { any: "1", ...vars } });
  assertStringIncludes(await told({ n: "many" }), '--var n: found "many"; allowed here: a number');
  assertStringIncludes(await told({ on: "yes" }), "allowed here: true or false");
  assertStringIncludes(await told({ itmes: "x" }), 'no variable of that name; did you mean "items"?');
});

Deno.test("a vars file that cannot be used is told with its place", async () => {
  const files = {
    "a.yaml": "vars: { v: 1 }\nsteps: [{ exec: x }]\n",
    "b.yaml": "v: 1\nhost: me\n",
    "c.yaml": "- 1\n",
  };
  assertStringIncludes(
    await failure(files, { varsFiles: ["b.yaml"] }),
    'b.yaml:2:1: found "host"; that name has',
  );
  assertStringIncludes(await failure(files, { varsFiles: ["c.yaml"] }), "c.yaml:1:1: it is no map");
  assertStringIncludes(await failure(files, { varsFiles: ["gone.yaml"] }), "gone.yaml: no such file");
});

/** A bad file, and what is said of it. */
const bad: readonly [string, string, string][] = [
  ["a bad expression", "steps:\n  - exec: echo {{ 1 + }}\n", 'a.yaml:2:11: in "1 +": unexpected token'],
  ["an open expression", "steps:\n  - exec: echo {{ x\n", "a.yaml:2:11: {{ has no }}; end the expression"],
  [
    "a value between quotes",
    'steps:\n  - exec: echo "{{ host }}"\n',
    "a.yaml:2:11: {{ host }} stands between quotes",
  ],
  ["a bad condition", "steps:\n  - exec: x\n    when: a b\n", 'a.yaml:3:11: in "a b": unexpected'],
  [
    "a condition in braces",
    "steps:\n  - exec: x\n    when: '{{ a }}'\n",
    '"when" is an expression already; leave out {{',
  ],
  [
    "an unknown variable",
    "vars: { port: 1 }\nsteps:\n  - exec: x {{ prot }}\n",
    'a.yaml:3:5: "prot" is not known; did you mean "port"?',
  ],
  [
    "an unknown name beside a result",
    "steps:\n  - exec: x\n    register: r\n  - exec: y\n    when: r.ok && nope\n",
    'a.yaml:4:5: in "r.ok && nope" "nope" is not known',
  ],
  [
    "a variable of a reserved name",
    "vars: { host: 1 }\nsteps: [{ exec: x }]\n",
    'a.yaml:1:9: found the variable "host"; that name has a meaning',
  ],
  [
    "a variable with two values",
    "vars: { a: { env: A, file: b } }\nsteps: [{ exec: x }]\n",
    'a.yaml:1:12: the variable "a" has both env and file',
  ],
  [
    "an unknown key of a variable",
    "vars: { a: { vlaue: 1 } }\nsteps: [{ exec: x }]\n",
    'a.yaml:1:14: unknown key "vlaue"; did you mean "value"?',
  ],
  [
    "a register that is no name",
    "steps:\n  - exec: x\n    register: a-b\n",
    'a.yaml:3:15: found "a-b"; a name has letters',
  ],
  [
    "a wait for two things",
    "steps:\n  - wait: { port: 1, file: b }\n",
    'a.yaml:2:11: found a map for "wait"; allowed here: a map with one of',
  ],
  [
    "a wait for a bad port",
    "steps:\n  - wait: { port: 70000 }\n",
    'a.yaml:2:19: found the number 70000 for "port"; allowed here: a port from 1',
  ],
  [
    "an unknown key of a wait",
    "steps:\n  - wait: { prot: 1 }\n",
    'a.yaml:2:13: unknown key "prot"; did you mean "port"?',
  ],
  [
    "a mode without quotes",
    "steps:\n  - copy: a\n    to: b\n    mode: 0644\n",
    'a.yaml:4:11: found the number 644 for "mode"; allowed here: permission bits in octal, between quotes',
  ],
  [
    "an owner with a space",
    "steps:\n  - copy: a\n    to: b\n    owner: a b\n",
    'found "a b" for "owner"; allowed here: user, user:group',
  ],
  [
    "a user that is an option",
    "steps:\n  - exec: a\n    user: -x\n",
    'found "-x" for "user"; allowed here: an account name',
  ],
  [
    "an unknown way to become a user",
    "steps:\n  - exec: a\n    user: { name: a, by: doas }\n",
    'a.yaml:3:26: found "doas" for "by"; allowed here: sudo or su',
  ],
  [
    "a prompt without register",
    "steps:\n  - prompt: who\n",
    'a.yaml:2:5: "register" is missing; give it a name for the answer',
  ],
  [
    "a default that is no choice",
    "steps:\n  - { prompt: q, register: r, choices: [a], default: b }\n",
    'the default "b" is not among the choices; choices: a',
  ],
  [
    "a prompt in a group",
    "steps:\n  - parallel:\n      - prompt: q\n",
    'a step with "prompt" inside a parallel group',
  ],
  [
    "a mistake in onFailure",
    "steps:\n  - exec: a\n    onFailure:\n      - exce: b\n",
    'a.yaml:4:9: unknown key "exce"; did you mean "exec"?',
  ],
  [
    "a mistake in finally",
    "steps: [{ exec: a }]\nfinally:\n  - exec: a\n    x: 1\n",
    'a.yaml:4:5: unknown key "x"',
  ],
  [
    "a bad order",
    "strategy: { order: linaer }\nsteps: [{ exec: a }]\n",
    'found "linaer" for "order"; allowed here: free or linear',
  ],
  [
    "a tag with a space",
    "steps:\n  - exec: a\n    tags: a b\n",
    'found "a b" for "tags"; allowed here: a tag of letters',
  ],
  [
    "a local path that waits for the run",
    "steps:\n  - exec: a\n    register: r\n  - copy: 'x{{ r.stdout }}'\n    to: b\n",
    "a.yaml:4:5: its local path speaks of what only the run can tell",
  ],
];

for (const [name, text, message] of bad) {
  Deno.test(`a task file with ${name} is told with its place before anything runs`, async () => {
    assertStringIncludes(await failure({ "a.yaml": text }), message);
  });
}

Deno.test("Go templates in a command are left alone", async () => {
  const { commands } = await planned({ "a.yaml": "steps:\n  - exec: docker ps --format '{{.Names}}'\n" });
  assertEquals(commands, ["docker ps --format '{{.Names}}'"]);
});

Deno.test("a planned action is plain JSON, and one without new words is as it always was", async () => {
  const { plan } = await planned({
    "a.yaml": "steps: [{ exec: x }, { exec: y, when: 'true', delay: 2s, tags: t }]\n",
  });
  const copy = JSON.parse(JSON.stringify(plan));
  assertEquals(Object.keys(copy.hosts[0].steps[0]).sort(), [
    "command",
    "env",
    "kind",
    "retries",
    "step",
    "title",
  ]);
  assertEquals(copy.hosts[0].steps[1].delayMs, 2000);
  assert(!("scope" in plan.hosts[0]!));
});

Deno.test("errors of variables and tags are of the kinds that the command line tells as usage", async () => {
  const files = { "a.yaml": "vars: { a: 1 }\nsteps: [{ exec: x, tags: t }]\n" };
  await assertRejects(() => planned(files, { vars: { b: "1" } }), UsageError);
  await assertRejects(() => planned(files, { tags: ["u"] }), UsageError);
  await assertRejects(() => planned({ "a.yaml": "steps: [{ exec: '{{ a }}' }]\n" }), JobFileError);
});
