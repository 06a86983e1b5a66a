import { assert, assertEquals, assertRejects } from "@std/assert";
import { CarpoolError } from "../../lib/base/errors.ts";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { RunJournal } from "../../lib/job/journal.ts";
import { hashInputs } from "../../lib/job/journal_hash.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { type DoubtPolicy, remainderOf, type ResumeScope, RunLedger } from "../../lib/job/resume.ts";
import { runJob } from "../../lib/job/run_job.ts";
import { type FakeAnswer, type FakeCall, FakeHost } from "./fake_host.ts";

type Answers = (host: string, call: FakeCall) => FakeAnswer;

/** A run in as many sittings as wanted, on hosts in memory, with one journal. */
class Sittings implements AsyncDisposable {
  /** Every command that ran, `host: command`, of all sittings. */
  readonly commands: string[] = [];
  id = "";
  private constructor(readonly directory: string) {}

  static async make(): Promise<Sittings> {
    return new Sittings(`${await Deno.makeTempDir({ prefix: "cp-resume-" })}/runs`);
  }

  /** The first sitting. */
  run(job: JobDefinition, answers: Answers, signal?: AbortSignal): Promise<RunEvent[]> {
    return this.#sit(job, answers, undefined, signal);
  }

  /** A further one. */
  resume(
    job: JobDefinition,
    answers: Answers = () => ({}),
    options: { readonly policy?: DoubtPolicy; readonly scope?: ResumeScope } = {},
  ): Promise<RunEvent[]> {
    return this.#sit(job, answers, options);
  }

  async #sit(
    job: JobDefinition,
    answers: Answers,
    again?: { readonly policy?: DoubtPolicy; readonly scope?: ResumeScope },
    signal?: AbortSignal,
  ): Promise<RunEvent[]> {
    let journal: RunJournal | undefined;
    const run = runJob(job, {
      signal,
      retryDelayMs: 1,
      fuse: false,
      connect: (name) =>
        Promise.resolve(
          new FakeHost(name, (call) => {
            this.commands.push(`${name}: ${call.command}`);
            return answers(name, call);
          }),
        ),
      prepare: async (plan) => {
        const hashOf = await hashInputs(plan, this.directory);
        if (!again) {
          const hosts = plan.hosts.map(({ host }) => host);
          const description = { job: plan.job, task: null, cwd: "/", args: [], vars: [], hosts };
          journal = await RunJournal.create(description, this.directory);
          this.id = journal.id;
          return { plan, ledger: new RunLedger(journal, hashOf) };
        }
        const opened = await RunJournal.reopen(this.id, this.directory);
        journal = opened.journal;
        const left = remainderOf(plan, opened.state, hashOf, again);
        journal.append({ type: "resumed", atMs: Date.now() });
        return { plan: left.plan, ledger: new RunLedger(journal, hashOf, left.settled) };
      },
    });
    const events = await Array.fromAsync(run);
    await journal?.close();
    return events;
  }

  /** The commands since the last look. */
  taken(): string[] {
    return this.commands.splice(0).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(`${this.directory}/..`, { recursive: true });
  }
}

function statuses(events: readonly RunEvent[]): Record<string, string> {
  return Object.fromEntries(
    events.flatMap((event) => event.type === "host-end" ? [[event.host, event.status]] : []),
  );
}

const three = { hosts: ["a", "b"], steps: [{ exec: "one" }, { exec: "two" }, { exec: "three" }] };

Deno.test("resumed run begins at the step that failed, on the host that needs it", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(three, (host, { command }) => ({ code: host === "b" && command === "two" ? 1 : 0 }));
  assertEquals(sittings.taken(), ["a: one", "a: three", "a: two", "b: one", "b: two"]);
  const events = await sittings.resume(three);
  assertEquals(sittings.taken(), ["b: three", "b: two"]);
  assertEquals(statuses(events), { b: "ok" });
  const skipped = events.flatMap((event) => event.type === "step-skip" ? [event.reason] : []);
  assertEquals(skipped, [`done in run ${sittings.id}`]);
  assertEquals(statuses(await sittings.resume(three)), {});
});

Deno.test("resumed run runs a step again whose input changed, and what follows it", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(three, (host) => ({ code: host === "b" ? 1 : 0 }));
  sittings.taken();
  await sittings.resume({ hosts: ["a", "b"], steps: [{ exec: "one" }, { exec: "two!" }, { exec: "three" }] });
  assertEquals(sittings.taken(), ["a: three", "a: two!", "b: one", "b: three", "b: two!"]);
});

Deno.test("resumed run takes hosts and steps along that were added since", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(three, () => ({}));
  sittings.taken();
  await sittings.resume({ hosts: ["a", "c"], steps: [...three.steps, { exec: "four" }] });
  assertEquals(sittings.taken(), ["a: four", "c: four", "c: one", "c: three", "c: two"]);
});

Deno.test("step that may have run fails its host when resumed, and runs again when that is asked for", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(
    three,
    (host, { command }) => host === "b" && command === "two" ? { outcome: "unknown", loses: true } : {},
  );
  sittings.taken();
  const events = await sittings.resume(three);
  assertEquals([sittings.taken(), statuses(events)], [[], { b: "failed" }]);
  const end = events.find((event) => event.type === "step-end");
  assertEquals([end?.status, end?.error?.code, end?.attempts], ["unknown", "may-have-run", 0]);
  assert(end?.error?.message.includes("--retry-unknown"));
  // Being told of it changes nothing about it.
  assertEquals(statuses(await sittings.resume(three)), { b: "failed" });
  assertEquals(statuses(await sittings.resume(three, () => ({}), { policy: "retry" })), { b: "ok" });
  assertEquals(sittings.taken(), ["b: three", "b: two"]);
});

Deno.test("step that may have run is repeated without a question where a guard says whether it did", async () => {
  const job = { hosts: ["a"], steps: [{ exec: "make", creates: "/made" }, { exec: "next" }] };
  for (const made of [true, false]) {
    await using sittings = await Sittings.make();
    let lost = false;
    await sittings.run(job, (_, { command }) => {
      if (command.startsWith("test -e")) return { code: 1 };
      lost = true;
      return { outcome: "unknown", loses: true };
    });
    assert(lost);
    sittings.taken();
    await sittings.resume(
      job,
      (_, { command }) => ({ code: command.startsWith("test -e") && !made ? 1 : 0 }),
    );
    assertEquals(sittings.taken().includes("a: make"), !made);
  }
});

Deno.test("copy that was under way is copied again without a question", async () => {
  await using sittings = await Sittings.make();
  await using file = await TemporaryFile.make();
  const job = { hosts: ["a"], steps: [{ copy: file.path, to: "/tmp/x" }, { exec: "next" }] };
  const plan = async () => {
    const { makePlan } = await import("../../lib/job/make_plan.ts");
    return await makePlan(job);
  };
  const hashOf = await hashInputs(await plan(), sittings.directory);
  const description = { job: "x", task: null, cwd: "/", args: [], vars: [], hosts: ["a"] };
  const journal = await RunJournal.create(description, sittings.directory);
  await new RunLedger(journal, hashOf).starting("a", ["1"]);
  await journal.close();
  const { journal: again, state } = await RunJournal.reopen(journal.id, sittings.directory);
  using _ = again;
  const { doubtful, settled } = remainderOf(await plan(), state, hashOf);
  assertEquals([doubtful.length, settled("a", "1")], [0, undefined]);
});

Deno.test("interrupted command whose end was told runs again; one that was not is in doubt", async () => {
  await using sittings = await Sittings.make();
  const stop = new AbortController();
  const events = await sittings.run({ hosts: ["a"], steps: [{ exec: "long" }] }, () => {
    queueMicrotask(() => stop.abort());
    return { until: new Promise(() => {}) };
  }, stop.signal);
  assertEquals(statuses(events), { a: "interrupted" });
  sittings.taken();
  assertEquals(statuses(await sittings.resume({ hosts: ["a"], steps: [{ exec: "long" }] })), { a: "ok" });
  assertEquals(sittings.taken(), ["a: long"]);
});

Deno.test("steps of a parallel group are each known by themselves", async () => {
  await using sittings = await Sittings.make();
  const job = { hosts: ["a"], steps: [{ parallel: [{ exec: "one" }, { exec: "two" }] }, { exec: "three" }] };
  await sittings.run(job, (_, { command }) => ({ code: command === "two" ? 1 : 0 }));
  sittings.taken();
  await sittings.resume(job);
  assertEquals(sittings.taken(), ["a: three", "a: two"]);
});

const finishing = { hosts: ["a"], steps: [{ exec: "one" }, { exec: "two" }], finally: [{ exec: "tidy" }] };

Deno.test("what is done last is done again when something before it is", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(finishing, (_, { command }) => ({ code: command === "two" ? 1 : 0 }));
  assertEquals(sittings.taken(), ["a: one", "a: tidy", "a: two"]);
  await sittings.resume(finishing);
  assertEquals(sittings.taken(), ["a: tidy", "a: two"]);
  await sittings.resume(finishing);
  assertEquals(sittings.taken(), []);
});

Deno.test("what is done last is all that is left where it failed alone", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(finishing, (_, { command }) => ({ code: command === "tidy" ? 1 : 0 }));
  sittings.taken();
  await sittings.resume(finishing);
  assertEquals(sittings.taken(), ["a: tidy"]);
});

Deno.test("failure that is ignored is not repeated", async () => {
  await using sittings = await Sittings.make();
  const job = { hosts: ["a"], steps: [{ exec: "one", ignoreErrors: true }, { exec: "two" }] };
  await sittings.run(job, () => ({ code: 1 }));
  sittings.taken();
  await sittings.resume(job);
  assertEquals(sittings.taken(), ["a: two"]);
});

/** A job whose second step speaks of what the first one wrote. */
function registering(extra: Record<string, unknown> = {}) {
  const steps = [{ exec: "version", register: "version", ...extra }, { exec: "use {{ version.stdout }}" }];
  return { hosts: ["a"], steps };
}

function versions(code: number): Answers {
  return (_, { command }) => command === "version" ? { stdout: "1.2\n" } : { code };
}

Deno.test("value that a step registered is there again when the run is resumed", async () => {
  await using sittings = await Sittings.make();
  await sittings.run(registering(), versions(1));
  assertEquals(sittings.taken(), ["a: use 1.2", "a: version"]);
  const events = await sittings.resume(registering());
  assertEquals([sittings.taken(), statuses(events)], [["a: use 1.2"], { a: "ok" }]);
});

Deno.test("secret value is in no journal, and the step that needs it is refused when the run is resumed", async () => {
  await using sittings = await Sittings.make();
  const job = registering({ secret: true });
  await sittings.run(job, versions(1));
  const text = await Deno.readTextFile(`${sittings.directory}/${sittings.id}.jsonl`);
  assertEquals(text.includes("1.2"), false);
  sittings.taken();
  const events = await sittings.resume(job);
  assertEquals([sittings.taken(), statuses(events)], [[], { a: "failed" }]);
  const end = events.find((event) => event.type === "step-end");
  assertEquals([end?.error?.code, end?.outcome], ["value-not-kept", "not-started"]);
  assert(end?.error?.message.includes("run the task anew"));
});

Deno.test("secret value is fetched again by a step with a guard when the run is resumed", async () => {
  await using sittings = await Sittings.make();
  const job = registering({ secret: true, creates: "/nowhere" });
  const guarded = (code: number): Answers => (host, call) =>
    call.command.startsWith("test -e") ? { code: 1 } : versions(code)(host, call);
  await sittings.run(job, guarded(1));
  sittings.taken();
  await sittings.resume(job, guarded(0));
  assertEquals(sittings.taken().filter((one) => !one.includes("test -e")), ["a: use 1.2", "a: version"]);
});

Deno.test("output with a secret variable in it is not kept as a value", async () => {
  await using sittings = await Sittings.make();
  const vars = { token: { value: "hunter2", secret: true } };
  await sittings.run({ ...registering(), vars }, (_, { command }) => ({
    stdout: "it is hunter2",
    code: command === "version" ? 0 : 1,
  }));
  const text = await Deno.readTextFile(`${sittings.directory}/${sittings.id}.jsonl`);
  assertEquals(text.includes("hunter2"), false);
});

Deno.test("steps that were sent together and never came to their turn run when resumed", async () => {
  await using sittings = await Sittings.make();
  const { makePlan } = await import("../../lib/job/make_plan.ts");
  const plan = await makePlan(three);
  const hashOf = await hashInputs(plan, sittings.directory);
  const description = { job: "x", task: null, cwd: "/", args: [], vars: [], hosts: ["a", "b"] };
  const journal = await RunJournal.create(description, sittings.directory);
  const ledger = new RunLedger(journal, hashOf);
  for (const host of ["a", "b"]) await ledger.starting(host, ["1", "2", "3"]);
  for (const host of ["a", "b"]) {
    const common = { atMs: 1, host, signal: null, timedOut: false, attempts: 1, durationMs: 1, bytes: 0 };
    await ledger.note({ type: "step-end", ...common, step: "1", status: "ok", outcome: "exited", code: 0 });
    if (host === "b") continue;
    await ledger.note({
      type: "step-end",
      ...common,
      step: "2",
      status: "failed",
      outcome: "exited",
      code: 1,
    });
    const steps = { ok: 1, failed: 1, unknown: 0, skipped: 0, notRun: 1 };
    await ledger.note({
      type: "host-end",
      atMs: 2,
      host,
      status: "failed",
      steps,
      connections: 1,
      durationMs: 1,
    });
  }
  await journal.close();
  const { journal: again, state } = await RunJournal.reopen(journal.id, sittings.directory);
  using _ = again;
  const { doubtful, plan: left } = remainderOf(plan, state, hashOf);
  assertEquals(left.hosts.map(({ host }) => host), ["a", "b"]);
  // On `a` everything was told: the third step did not run. On `b` nobody knows how far it came.
  assertEquals(doubtful.map(({ host, step }) => `${host} ${step}`), ["b 2", "b 3"]);
});

Deno.test("steps that were handed back are on record as not begun, and announced anew", async () => {
  await using sittings = await Sittings.make();
  const description = { job: "x", task: null, cwd: "/", args: [], vars: [], hosts: ["a"] };
  const journal = await RunJournal.create(description, sittings.directory);
  using _ = journal;
  const ledger = new RunLedger(journal, (_host, step) => `h${step}`);
  const known = async () => {
    const { steps, parcels } = await journal.read();
    return [[...steps.get("a")!].map(([step, { status }]) => `${step} ${status}`), parcels.has("a")];
  };
  await ledger.starting("a", ["1", "2"], "abc");
  assertEquals(await known(), [["1 started", "2 started"], true]);
  ledger.handedBack("a", ["1", "2"]);
  assertEquals(await known(), [[], true]);
  // Sent by itself: the host has no notes of it.
  await ledger.starting("a", ["1"]);
  assertEquals(await known(), [["1 started"], false]);
});

Deno.test("retry of failed hosts leaves alone those that were never begun", async () => {
  await using sittings = await Sittings.make();
  const job = { ...three, strategy: { parallel: 1, maxFailures: 0 } };
  const first = await sittings.run(job, (host) => ({ code: host === "a" ? 1 : 0 }));
  assertEquals(statuses(first), { a: "failed", b: "skipped" });
  sittings.taken();
  assertEquals(statuses(await sittings.resume(job, undefined, { scope: "failed" })), { a: "ok" });
  assertEquals(sittings.taken(), ["a: one", "a: three", "a: two"]);
  assertEquals(statuses(await sittings.resume(job)), { b: "ok" });
});

Deno.test("a step is on record before its command is sent", async () => {
  await using sittings = await Sittings.make();
  const seen: string[] = [];
  await sittings.run(three, (host, { command }) => {
    const text = Deno.readTextFileSync(`${sittings.directory}/${sittings.id}.jsonl`);
    const records = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    const begun = records.filter(({ type, host: at }) => type === "started" && at === host);
    seen.push(`${command} ${begun.at(-1).steps.map(([step]: [string]) => step)}`);
    return {};
  });
  assertEquals(seen.toSorted(), ["one 1", "one 1", "three 3", "three 3", "two 2", "two 2"]);
});

Deno.test("no step is sent when its start cannot be written down", async () => {
  const directory = `${await Deno.makeTempDir({ prefix: "cp-resume-" })}/runs`;
  const commands: string[] = [];
  let closed: RunJournal | undefined;
  const run = runJob(three, {
    retryDelayMs: 1,
    fuse: false,
    connect: (name) =>
      Promise.resolve(
        new FakeHost(name, ({ command }) => {
          commands.push(command);
          return {};
        }),
      ),
    prepare: async (plan) => {
      const description = { job: plan.job, task: null, cwd: "/", args: [], vars: [], hosts: ["a", "b"] };
      closed = await RunJournal.create(description, directory);
      const ledger = new RunLedger(closed, await hashInputs(plan, directory));
      await closed.close();
      return { plan, ledger };
    },
  });
  await assertRejects(() => run.result, CarpoolError, "Cannot write the journal");
  assertEquals(commands, []);
  await Deno.remove(`${directory}/..`, { recursive: true });
});

Deno.test("values of variables and output never reach the journal", async () => {
  await using sittings = await Sittings.make();
  const job = { hosts: ["a"], env: { TOKEN: "hunter2" }, steps: [{ exec: "login hunter2" }] };
  await sittings.run(job, () => ({ stdout: "welcome hunter2", code: 1 }));
  const text = await Deno.readTextFile(`${sittings.directory}/${sittings.id}.jsonl`);
  assert(text.includes('"ended"'));
  assertEquals(text.includes("hunter2"), false);
});

class TemporaryFile implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<TemporaryFile> {
    return new TemporaryFile(await Deno.makeTempFile());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path);
  }
}
