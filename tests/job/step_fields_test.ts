import { assert, assertEquals, assertRejects } from "@std/assert";
import { CarpoolError, UsageError } from "../../lib/base/errors.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { type FakeAnswer, type FakeCall, FakeHost } from "./fake_host.ts";
import { answering, runJobOn, type Told } from "./run_job_here.ts";
import type { StepLedger } from "../../lib/job/resume.ts";
import type { JobDefinition } from "../../lib/job/job.ts";

type Options = NonNullable<Parameters<typeof runJobOn>[2]>;

/** Runs a job over fake hosts that answer by a function. */
async function run(
  definition: JobDefinition,
  answer: (call: FakeCall, host: string) => FakeAnswer = () => ({}),
  options: Options & { readonly names?: readonly string[] } = {},
): Promise<Told & { readonly hosts: readonly FakeHost[] }> {
  const hosts: FakeHost[] = [];
  const make = (name: string) => {
    const host = new FakeHost(name, (call) => answer(call, name));
    hosts.push(host);
    return host;
  };
  const names = options.names ?? ["a"];
  const told = await runJobOn(definition, Object.fromEntries(names.map((name) => [name, make])), options);
  return { ...told, hosts };
}

const calls = ({ hosts }: { readonly hosts: readonly FakeHost[] }) => hosts.flatMap((host) => host.calls);

Deno.test("when decides before the run what variables can tell, and says why a step is skipped", async () => {
  const told = await run({
    vars: { web: true, count: 3 },
    steps: [
      { exec: "one", when: "web && count > 2" },
      { exec: "two", when: "count > 5" },
      { exec: "three", when: false },
      { exec: "four", when: ({ vars }) => (vars as { count: number }).count === 3 },
      { exec: "five", when: () => false },
    ],
  });
  assertEquals(calls(told), ["one", "four"]);
  assertEquals(told.ends, ["1 ok", "2 skipped", "3 skipped", "4 ok", "5 skipped"]);
  const skips = told.events.filter((event) => event.type === "step-skip");
  assertEquals(skips.map(({ reason }) => reason), [
    "when: count > 5 is false",
    "when: false is false",
    "when: its function says no",
  ]);
});

Deno.test("a registered result decides about later steps and is put into them", async () => {
  const told = await run({
    steps: [
      { exec: "readlink current", register: "old", ignoreErrors: true },
      { exec: "rollback to {{ old.stdout }}", when: "old.ok" },
      { exec: "first time", when: "old.failed && old.code == 1" },
      { exec: "count {{ size(old.lines) }} {{ old.changed }}" },
    ],
  }, ({ command }) => command === "readlink current" ? { stdout: "releases/it's 4\n" } : {});
  assertEquals(calls(told), ["readlink current", `rollback to 'releases/it'\\''s 4'`, "count 1 true"]);
  assertEquals(told.ends, ["1 ok", "2 ok", "3 skipped", "4 ok"]);
});

Deno.test("a step that was skipped registers that it was", async () => {
  const told = await run({
    steps: [
      { exec: "one", when: "false", register: "r" },
      { exec: "two", when: "r.skipped && r.stdout == ''" },
      { exec: "three", when: "r.ok" },
    ],
  });
  assertEquals(calls(told), ["two"]);
});

Deno.test("a failure that is ignored is told, counted apart, and does not stop the host", async () => {
  const told = await run(
    { steps: [{ exec: "bad", ignoreErrors: true }, { exec: "next" }] },
    ({ command }) => ({ code: command === "bad" ? 3 : 0 }),
  );
  assertEquals(told.ends, ["1 failed ignored", "2 ok"]);
  const { status, steps } = told.result.hosts[0]!;
  assertEquals([told.result.status, status], ["ok", "ok"]);
  assertEquals(steps, { ok: 1, failed: 0, unknown: 0, skipped: 0, notRun: 0, ignored: 1 });
});

Deno.test("onFailure runs after the retries, on that host only, and the host has failed all the same", async () => {
  const told = await run(
    {
      steps: [
        { exec: "deploy", retries: 1, onFailure: [{ exec: "undo" }, { exec: "tell somebody" }] },
        { exec: "never" },
      ],
    },
    ({ command }, host) => ({ code: command === "deploy" && host === "a" ? 1 : 0 }),
    { names: ["a", "b"] },
  );
  assertEquals(told.hosts[0]!.calls, ["deploy", "deploy", "undo", "tell somebody"]);
  assertEquals(told.hosts[1]!.calls, ["deploy", "never"]);
  assertEquals(told.ends.filter((end) => end.includes("onFailure")), [
    "1.onFailure.1 ok",
    "1.onFailure.2 ok",
  ]);
  assertEquals(told.result.hosts.map(({ status, reason }) => [status, reason]), [
    ["failed", "step 1 (deploy): exit status 1"],
    ["ok", undefined],
  ]);
});

Deno.test("unless skips its step when the command succeeds, in the step's directory with its variables", async () => {
  const told = await run({
    steps: [
      { exec: "make", unless: "test -s done", cwd: "/srv", env: { A: "1" } },
      { exec: "other", unless: "false" },
    ],
  }, ({ command }) => ({ code: command === "false" ? 1 : 0 }));
  assertEquals(calls(told), ["test -s done", "false", "other"]);
  assertEquals([told.hosts[0]!.options[0]!.cwd, told.hosts[0]!.options[0]!.env], ["/srv", { A: "1" }]);
  assertEquals(told.ends, ["1 skipped", "2 ok"]);
});

Deno.test("delay stands between two attempts", async () => {
  const told = await run({ steps: [{ exec: "x", retries: 2, delay: "1ms" }] }, ({ before }) => ({
    code: before < 2 ? 1 : 0,
  }), { retryDelayMs: 10_000 });
  const retries = told.events.filter((event) => event.type === "step-retry");
  assertEquals(retries.map(({ delayMs }) => delayMs), [1, 1]);
});

Deno.test("a quiet step shows its output only when it fails", async () => {
  const told = await run({
    steps: [{ exec: "good", quiet: true }, { exec: "bad", quiet: true }],
  }, ({ command }) => ({ stdout: `${command} says\n`, code: command === "bad" ? 1 : 0 }));
  assertEquals(told.output, { "2": "bad says\n" });
  const types = told.events.map((event) => event.type);
  assert(types.lastIndexOf("step-output") < types.lastIndexOf("step-end"));
});

Deno.test("a secret step shows neither command nor output, and what it registered nowhere", async () => {
  const told = await run({
    steps: [
      { exec: "vault read hunter-path", secret: true, register: "token" },
      { exec: "use {{ token.stdout }}" },
    ],
  }, ({ command }) => ({ stdout: command.startsWith("vault") ? "s3cr3t-value\n" : `got ${command}\n` }));
  assertEquals(calls(told), ["vault read hunter-path", "use s3cr3t-value"]);
  assert(!told.text.includes("hunter-path") && !told.text.includes("s3cr3t-value"), told.text);
  assertEquals(told.output["2"], "got use ***\n");
});

Deno.test("a secret variable reaches the command and no event, also where output cuts it in two", async () => {
  const bytes = new TextEncoder().encode("token is hunter2, really\n");
  const told = await run(
    {
      vars: { token: { value: "hunter2", secret: true } },
      steps: [{ name: "log in with {{ token }}", exec: "login {{ token }}" }, { exec: "fail {{ token }}" }],
    },
    ({ command }) => ({
      stdout: [bytes.subarray(0, 12), bytes.subarray(12)],
      code: command.startsWith("fail") ? 1 : 0,
    }),
  );
  assertEquals(calls(told), ["login hunter2", "fail hunter2"]);
  assertEquals(told.output["1"], "token is ***, really\n");
  assert(!told.text.includes("hunter2"), told.text);
  assertEquals(told.result.hosts[0]!.reason, "step 2 (fail ***): exit status 1");
});

Deno.test("tags choose steps; always and never have their own meaning", async () => {
  const definition: JobDefinition = {
    steps: [
      { exec: "a", tags: "deploy" },
      { exec: "b", tags: ["check", "deploy"] },
      { exec: "c", tags: "always" },
      { exec: "d", tags: ["never", "reset"] },
      { exec: "e" },
    ],
  };
  const chosen = async (options: Options) => calls(await run(definition, undefined, options)).join("");
  assertEquals(await chosen({}), "abce");
  assertEquals(await chosen({ tags: ["deploy"] }), "abc");
  assertEquals(await chosen({ tags: ["check"], skipTags: ["always"] }), "b");
  assertEquals(await chosen({ skipTags: ["check"] }), "ace");
  assertEquals(await chosen({ tags: ["reset"] }), "cd");
  await assertRejects(() => chosen({ tags: ["depoly"] }), UsageError, 'did you mean "deploy"?');
});

Deno.test("before, steps, after and finally run in this order, finally also after a failure", async () => {
  const definition: JobDefinition = {
    before: [{ exec: "b" }],
    steps: [{ exec: "s" }],
    after: [{ exec: "a" }],
    finally: [
      { exec: "failed {{ failure.step }}: {{ failure.why }}", when: "failed" },
      { exec: "f" },
    ],
  };
  const good = await run(definition);
  assertEquals(calls(good), ["b", "s", "a", "f"]);
  assertEquals(good.ends, ["before.1 ok", "1 ok", "after.1 ok", "finally.1 skipped", "finally.2 ok"]);
  const bad = await run(definition, ({ command }) => ({ code: command === "s" ? 4 : 0 }));
  assertEquals(calls(bad), ["b", "s", "failed 1: 'exit status 4'", "f"]);
  assertEquals(bad.result.status, "failed");
  assertEquals(bad.result.hosts[0]!.steps.notRun, 1);
});

Deno.test("finally runs after an interruption, too, and a failure in it fails the host", async () => {
  const stop = new AbortController();
  const told = await run(
    { steps: [{ exec: "long" }], finally: [{ exec: "unlock" }] },
    ({ command }) => command === "long" ? { until: new Promise(() => {}) } : {},
    {
      signal: stop.signal,
      onEvent: (event) => event.type === "step-start" && event.step === "1" && stop.abort(),
    },
  );
  assertEquals(calls(told), ["long", "unlock"]);
  assertEquals(told.ends, ["1 interrupted", "finally.1 ok"]);
  assertEquals(told.result.hosts[0]!.status, "interrupted");
  const bad = await run(
    { steps: [{ exec: "x" }], finally: [{ exec: "unlock" }] },
    ({ command }) => ({ code: command === "unlock" ? 1 : 0 }),
  );
  assertEquals(bad.result.hosts[0]!.reason, "step finally.1 (unlock): exit status 1");
});

Deno.test("with order linear no host begins a step before all have done the one before", async () => {
  const order: string[] = [];
  const held = Promise.withResolvers<void>();
  const told = await run(
    { strategy: { order: "linear" }, steps: [{ exec: "one" }, { exec: "two" }] },
    ({ command }, host) => {
      order.push(`${host} ${command}`);
      // The slowest host's first step ends when the others have long had time to begin their second.
      if (host === "c" && command === "one") {
        setTimeout(held.resolve, 5);
        return { until: held.promise };
      }
      return {};
    },
    { names: ["a", "b", "c"] },
  );
  assertEquals(order.slice(0, 3).sort(), ["a one", "b one", "c one"]);
  assertEquals(order.slice(3).sort(), ["a two", "b two", "c two"]);
  assertEquals(told.result.status, "ok");
});

Deno.test("with order linear a host that failed holds nobody up, and maxFailures stops all before the next step", async () => {
  const definition: JobDefinition = {
    strategy: { order: "linear" },
    steps: [{ exec: "one" }, { exec: "two" }],
  };
  const fail = ({ command }: FakeCall, host: string) => ({ code: host === "b" && command === "one" ? 1 : 0 });
  const on = await run(definition, fail, { names: ["a", "b", "c"] });
  assertEquals(on.hosts.map((host) => host.calls), [["one", "two"], ["one"], ["one", "two"]]);
  const strict = { ...definition, strategy: { order: "linear" as const, maxFailures: 0 } };
  const off = await run(strict, fail, { names: ["a", "b", "c"] });
  assertEquals(off.hosts.map((host) => host.calls), [["one"], ["one"], ["one"]]);
  assertEquals(off.result.hosts.map(({ status, reason }) => [status, reason]), [
    ["skipped", "1 host failed (maxFailures)"],
    ["failed", "step 1 (one): exit status 1"],
    ["skipped", "1 host failed (maxFailures)"],
  ]);
});

Deno.test("with order linear parallel bounds how many hosts do something at once", async () => {
  let busy = 0;
  let most = 0;
  await run(
    { strategy: { order: "linear", parallel: 2 }, steps: [{ exec: "one" }, { exec: "two" }] },
    undefined,
    {
      names: ["a", "b", "c", "d", "e"],
      onEvent: (event) => {
        if (event.type === "step-start") most = Math.max(most, ++busy);
        if (event.type === "step-end") busy--;
      },
    },
  );
  assertEquals(most, 2);
});

Deno.test("a prompt is asked once for all hosts, and its answer is in the steps", async () => {
  const prompter = answering("", "3.0", "2.0");
  const told = await run(
    {
      steps: [{ prompt: "Which version?", register: "version", choices: ["1.0", "2.0"] }, {
        exec: "deploy {{ version }}",
      }],
    },
    undefined,
    { names: ["a", "b", "c"], prompter },
  );
  assertEquals(calls(told), ["deploy 2.0", "deploy 2.0", "deploy 2.0"]);
  assertEquals(prompter.asked, [
    ...["Which version? (1.0/2.0): ", "Which version? (1.0/2.0): ", "Please answer one of: 1.0, 2.0"],
    "Which version? (1.0/2.0): ",
  ]);
});

Deno.test("the answer to a secret prompt is in no event", async () => {
  const told = await run(
    { steps: [{ prompt: "PIN", register: "pin", secret: true }, { exec: "unlock {{ pin }}" }] },
    undefined,
    { prompter: answering("hunter2") },
  );
  assertEquals(calls(told), ["unlock hunter2"]);
  assert(!told.text.includes("hunter2"));
});

Deno.test("a confirm that is answered with no stops the hosts, and with yes lets them go on", async () => {
  const definition: JobDefinition = { steps: [{ confirm: "Really?" }, { exec: "wipe" }] };
  const no = await run(definition, undefined, { names: ["a", "b"], prompter: answering("no") });
  assertEquals(calls(no), []);
  assertEquals(no.result.hosts[1]!.reason, "step 1 (Really?): Really?: the answer was no");
  assertEquals(no.events.filter((event) => event.type === "step-retry").length, 0);
  const yes = await run(definition, undefined, { prompter: answering("maybe", "y") });
  assertEquals(calls(yes), ["wipe"]);
});

Deno.test("a question that nobody can answer stops the run before anything is contacted", async () => {
  const connected: string[] = [];
  const ask = (definition: JobDefinition, options: Options = {}) =>
    run(definition, ({ command }) => {
      connected.push(command);
      return {};
    }, { prompter: noPrompter, ...options });
  const confirm: JobDefinition = { steps: [{ exec: "one" }, { confirm: "Really?" }] };
  await assertRejects(() => ask(confirm), UsageError, "answer it with --yes");
  const prompt: JobDefinition = { steps: [{ exec: "one" }, { prompt: "V", register: "v" }] };
  await assertRejects(() => ask(prompt, { yes: true }), UsageError, "give the step a default");
  assertEquals(connected, []);
  assertEquals((await ask(confirm, { yes: true })).result.status, "ok");
  assertEquals((await ask({ steps: [{ confirm: "R", default: true }] })).result.status, "ok");
  assertEquals((await ask({ steps: [{ confirm: "R", default: false }] })).result.status, "failed");
  const filled = await ask({
    steps: [{ prompt: "V", register: "v", default: "7" }, { exec: "use {{ v }}" }],
  });
  assertEquals(calls(filled), ["use 7"]);
});

Deno.test("reconnect leaves the connection and takes a login of its own", async () => {
  const told = await run({ steps: [{ exec: "usermod" }, { reconnect: true }, { exec: "id" }] });
  assertEquals(told.hosts.map((host) => [host.calls, host.disposed > 0]), [[["usermod"], true], [
    ["id"],
    true,
  ]]);
  assertEquals(told.result.status, "ok");
  assertEquals(told.events.filter((event) => event.type === "host-ready").length, 2);
});

Deno.test("reconnect tries again until the host is back", async () => {
  let tries = 0;
  const { runPlan } = await import("../../lib/job/run.ts");
  const { planJob } = await import("../../lib/job/plan.ts");
  const { checkJob } = await import("../../lib/job/check.ts");
  const job = checkJob({
    steps: [{ exec: "reboot", ignoreErrors: true }, { reconnect: true }, { exec: "up" }],
  }, undefined);
  const plan = await planJob(job, [{ host: "a", group: undefined }]);
  const hosts: FakeHost[] = [];
  const running = runPlan(plan, {
    retryDelayMs: 0,
    connect: (_, { fresh }) => {
      tries++;
      if (tries === 2) return Promise.reject(new CarpoolError("refused", { what: "Cannot connect" }));
      assertEquals(fresh === true, tries > 1);
      const host = new FakeHost(
        "a",
        ({ command }) => command === "reboot" ? { outcome: "unknown", loses: true } : {},
      );
      hosts.push(host);
      return Promise.resolve(host);
    },
  });
  assertEquals((await running.result).status, "ok");
  assertEquals(hosts.map((host) => host.calls), [["reboot"], ["up"]]);
});

Deno.test("a mistake that only the run can find fails the step, and nothing is run for it", async () => {
  const told = await run({
    steps: [{ exec: "one", register: "r" }, { exec: "two {{ r.nope }}" }],
  });
  assertEquals(calls(told), ["one"]);
  assertEquals(told.ends, ["1 ok", "2 failed"]);
  assert(
    told.result.hosts[0]!.reason?.includes('in "r.nope": no such key: nope'),
    told.result.hosts[0]!.reason,
  );
});

Deno.test("exec can be a function in TypeScript, which sees what was registered", async () => {
  const told = await run({
    vars: { times: 2 },
    steps: [
      { exec: "who", register: "who" },
      { exec: ({ who, times }) => `hello ${(who as { stdout: string }).stdout} ${times}` },
    ],
  }, () => ({ stdout: "me\n" }));
  assertEquals(calls(told), ["who", "hello me 2"]);
});

Deno.test("a journal is given what steps registered, but nothing with a secret in it", async () => {
  const kept: [string, unknown][] = [];
  const ledger: StepLedger = {
    settled: () => undefined,
    starting: () => Promise.resolve(),
    registered: (_host, step, value) => void kept.push([step, value]),
    handedBack: () => {},
    note: () => Promise.resolve(),
  };
  await run(
    {
      vars: { token: { value: "hunter2", secret: true } },
      steps: [
        { exec: "one", register: "a" },
        { exec: "leak", register: "b" },
        { exec: "hidden", register: "c", secret: true },
      ],
    },
    ({ command }) => ({ stdout: command === "leak" ? "hunter2\n" : "fine\n" }),
    { ledger },
  );
  assertEquals(kept.map(([step]) => step), ["1"]);
  assertEquals((kept[0]![1] as { stdout: string }).stdout, "fine");
});
