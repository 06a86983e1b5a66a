import { assert, assertEquals, assertRejects } from "@std/assert";
import { CarpoolError, LinkError } from "../../lib/base/errors.ts";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { checkJob } from "../../lib/job/check.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { planJob } from "../../lib/job/plan.ts";
import { runPlan } from "../../lib/job/run.ts";
import type { RunPlanOptions, RunResult } from "../../lib/job/run_all.ts";
import { type FakeAnswer, type FakeCall, FakeHost } from "./fake_host.ts";

/** A run of a job over fake hosts, with everything that happened. */
async function run(
  definition: JobDefinition,
  names: readonly string[],
  answer: (call: FakeCall, host: string) => FakeAnswer | Error = () => ({}),
  options: Partial<RunPlanOptions> & { onEvent?: (event: RunEvent, hosts: FakeHost[]) => void } = {},
): Promise<{ events: RunEvent[]; result: RunResult; hosts: FakeHost[] }> {
  const plan = await planJob(
    checkJob(definition, undefined),
    names.map((host) => ({ host, group: undefined })),
  );
  const hosts: FakeHost[] = [];
  const events: RunEvent[] = [];
  const running = runPlan(plan, {
    connect: (name) => {
      const host = new FakeHost(`me@${name}:22`, (call) => {
        const told = answer(call, name);
        if (told instanceof Error) throw told;
        return told;
      });
      hosts.push(host);
      return Promise.resolve(host);
    },
    retryDelayMs: 0,
    ...options,
  });
  for await (const event of running) {
    events.push(event);
    options.onEvent?.(event, hosts);
  }
  return { events, result: await running.result, hosts };
}

const types = (events: readonly RunEvent[], host?: string) =>
  events.filter((event) => host === undefined || ("host" in event && event.host === host)).map((e) => e.type);

const ofType = <T extends RunEvent["type"]>(events: readonly RunEvent[], type: T) =>
  events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);

Deno.test("a run tells each step in order and opens one connection per host", async () => {
  const { events, result, hosts } = await run(
    { steps: [{ exec: "one" }, { exec: "two" }] },
    ["a", "b", "c"],
    ({ command }) => ({ stdout: `${command}\n` }),
  );
  assertEquals(hosts.length, 3);
  assertEquals(hosts.map((host) => host.calls), [["one", "two"], ["one", "two"], ["one", "two"]]);
  assertEquals(hosts.map((host) => host.disposed), [1, 1, 1]);
  assertEquals(types(events, "b"), [
    "host-start",
    "host-ready",
    "step-start",
    "step-output",
    "step-end",
    "step-start",
    "step-output",
    "step-end",
    "host-end",
  ]);
  assertEquals(types(events).at(0), "run-start");
  assertEquals(types(events).at(-1), "run-end");
  assertEquals([result.status, result.connections], ["ok", 3]);
  assertEquals(JSON.parse(JSON.stringify(events)), events);
});

Deno.test("a host stops at its first failure and the others go on", async () => {
  const { result, hosts } = await run(
    { steps: [{ exec: "one" }, { exec: "two" }, { exec: "three" }] },
    ["a", "b"],
    ({ command }, host) => ({ code: host === "a" && command === "two" ? 3 : 0 }),
  );
  assertEquals(hosts[0]!.calls, ["one", "two"]);
  assertEquals(hosts[1]!.calls, ["one", "two", "three"]);
  assertEquals(result.status, "failed");
  assertEquals(result.hosts.map((host) => host.status), ["failed", "ok"]);
  assertEquals(result.hosts[0]!.steps, { ok: 1, failed: 1, unknown: 0, skipped: 0, notRun: 1 });
  assertEquals(result.hosts[0]!.reason, "step 2 (two): exit status 3");
});

Deno.test("a step is tried again as often as it says, and no more", async () => {
  const definition = { steps: [{ exec: "flaky", retries: 2 }] };
  const good = await run(definition, ["a"], ({ before }) => ({ code: before < 2 ? 1 : 0 }));
  assertEquals(good.result.status, "ok");
  assertEquals(ofType(good.events, "step-end")[0]!.attempts, 3);
  assertEquals(ofType(good.events, "step-retry").map((e) => [e.attempt, e.why]), [
    [1, "exit status 1"],
    [2, "exit status 1"],
  ]);
  const bad = await run(definition, ["a"], () => ({ code: 7 }));
  assertEquals(bad.result.status, "failed");
  assertEquals(bad.hosts[0]!.calls.length, 3);
  assertEquals(ofType(bad.events, "step-end")[0]!.code, 7);
});

Deno.test("a command that was not started is tried again without being asked to", async () => {
  const { result, hosts } = await run(
    { steps: [{ exec: "one" }] },
    ["a"],
    ({ before }) =>
      before === 0 ? new CarpoolError("open-failed", { what: "No", outcome: "not-started" }) : {},
  );
  assertEquals(result.status, "ok");
  assertEquals(hosts[0]!.calls, ["one", "one"]);
});

Deno.test("a command that never starts fails in the end, with the outcome not-started", async () => {
  const { events, hosts } = await run(
    { steps: [{ exec: "one" }] },
    ["a"],
    () => ({ outcome: "not-started" }),
  );
  assertEquals(hosts[0]!.calls.length, 3);
  const [end] = ofType(events, "step-end");
  assertEquals([end!.status, end!.outcome, end!.attempts], ["failed", "not-started", 3]);
});

Deno.test("a command whose end is not known is never tried again and ends the host", async () => {
  const { events, result, hosts } = await run(
    { steps: [{ exec: "migrate", retries: 5 }, { exec: "after" }] },
    ["a"],
    () => ({ outcome: "unknown", loses: true }),
  );
  assertEquals(hosts.length, 1);
  assertEquals(hosts[0]!.calls, ["migrate"]);
  assertEquals(ofType(events, "step-end").map((e) => [e.status, e.outcome]), [["unknown", "unknown"]]);
  assertEquals(result.hosts[0]!.status, "failed");
  assertEquals(result.hosts[0]!.steps, { ok: 0, failed: 0, unknown: 1, skipped: 0, notRun: 1 });
});

Deno.test("a connection lost between two steps is made again, once", async () => {
  const { events, result, hosts } = await run(
    { steps: [{ exec: "one" }, { exec: "two" }] },
    ["a"],
    ({ command }) => ({ loses: command === "one" }),
  );
  assertEquals(hosts.map((host) => host.calls), [["one"], ["two"]]);
  assertEquals([result.status, result.connections], ["ok", 2]);
  assertEquals(ofType(events, "host-ready").length, 2);
});

Deno.test("a guard skips its step when the path exists, and quotes the path", async () => {
  const { events, hosts } = await run(
    {
      steps: [
        { exec: "make it", creates: "/srv/it's here", cwd: "/srv" },
        { exec: "make that", creates: "~/that" },
      ],
    },
    ["a"],
    ({ command }) => ({ code: command === "test -e ~/that" ? 1 : 0 }),
  );
  assertEquals(hosts[0]!.calls, [`test -e '/srv/it'\\''s here'`, "test -e ~/that", "make that"]);
  assertEquals(hosts[0]!.options[0]!.cwd, "/srv");
  assertEquals(ofType(events, "step-skip").map((e) => [e.step, e.reason]), [["1", "/srv/it's here exists"]]);
  assertEquals(ofType(events, "host-end")[0]!.steps.skipped, 1);
});

Deno.test("a parallel group runs its steps at once on one connection and fails with any of them", async () => {
  const both = Promise.withResolvers<void>();
  let started = 0;
  const { result, hosts } = await run(
    { steps: [{ parallel: [{ exec: "p1" }, { exec: "p2" }] }, { exec: "after" }] },
    ["a"],
    ({ command }) => {
      // Neither ends before both have begun: one after the other would never end.
      if (++started === 2) both.resolve();
      return { until: both.promise, code: command === "p2" ? 1 : 0 };
    },
  );
  assertEquals(hosts.length, 1);
  assertEquals(hosts[0]!.mostRunning, 2);
  assertEquals(hosts[0]!.calls, ["p1", "p2"]);
  assertEquals(result.hosts[0]!.steps, { ok: 1, failed: 1, unknown: 0, skipped: 0, notRun: 1 });
  assertEquals(result.hosts[0]!.reason, "step 1.2 (p2): exit status 1");
});

Deno.test("env, cwd and timeout reach the command, and env values no event", async () => {
  const { events, hosts } = await run(
    {
      env: { APP: "shop", PORT: 80 },
      steps: [{ exec: "start $APP", env: { APP: "hunter2" }, cwd: "/srv", timeout: "1m30s" }],
    },
    ["a"],
  );
  const { env, cwd, timeoutMs } = hosts[0]!.options[0]!;
  assertEquals({ env, cwd, timeoutMs }, {
    env: { APP: "hunter2", PORT: "80" },
    cwd: "/srv",
    timeoutMs: 90_000,
  });
  assert(!JSON.stringify(events).includes("hunter2"));
});

Deno.test("unreachable hosts are counted apart from failed ones", async () => {
  const plan = await planJob(checkJob({ steps: [{ exec: "x" }] }, undefined), [
    { host: "a", group: undefined },
    { host: "b", group: undefined },
  ]);
  const running = runPlan(plan, {
    connect: (name) =>
      name === "a"
        ? Promise.reject(new LinkError("refused", { what: "Cannot connect", where: "a:22", why: "refused" }))
        : Promise.resolve(new FakeHost(name)),
  });
  const events: RunEvent[] = [];
  for await (const event of running) events.push(event);
  const result = await running.result;
  assertEquals([result.status, result.connections], ["unreachable", 1]);
  assertEquals(result.hosts.map((host) => host.status), ["unreachable", "ok"]);
  assertEquals(ofType(events, "host-unreachable")[0]!.error, {
    code: "refused",
    message: "Cannot connect: a:22: refused",
  });
  assertEquals(ofType(events, "run-end")[0]!.hosts, {
    ok: 1,
    failed: 0,
    unreachable: 1,
    skipped: 0,
    interrupted: 0,
  });
});

Deno.test("no further host is begun beyond maxFailures", async () => {
  const { result, hosts } = await run(
    { strategy: { parallel: 1, maxFailures: 1 }, steps: [{ exec: "x" }] },
    ["a", "b", "c", "d"],
    () => ({ code: 1 }),
  );
  assertEquals(hosts.length, 2);
  assertEquals(result.hosts.map((host) => host.status), ["failed", "failed", "skipped", "skipped"]);
  assertEquals(result.hosts[3]!.reason, "2 hosts failed (maxFailures)");
});

Deno.test("a batch begins when the one before is done", async () => {
  const { events } = await run(
    { strategy: { batch: "50%" }, steps: [{ exec: "x" }] },
    ["a", "b", "c", "d"],
  );
  const order = events.filter((e) => e.type === "host-start" || e.type === "host-end").map((e) =>
    `${e.type === "host-start" ? "+" : "-"}${"host" in e ? e.host : ""}`
  );
  assertEquals(order.slice(0, 4).toSorted(), ["+a", "+b", "-a", "-b"]);
});

Deno.test("parallel bounds the hosts worked on at once", async () => {
  let busy = 0;
  let most = 0;
  await run({ strategy: { parallel: 2 }, steps: [{ exec: "x" }] }, ["a", "b", "c", "d", "e"], undefined, {
    onEvent: (event) => {
      if (event.type === "host-start") most = Math.max(most, ++busy);
      if (event.type === "host-end") busy--;
    },
  });
  assertEquals(most, 2);
});

Deno.test("abort ends the running command, skips the rest, and says interrupted", async () => {
  const stop = new AbortController();
  const { result, hosts } = await run(
    { strategy: { parallel: 1 }, steps: [{ exec: "sleep" }, { exec: "after" }] },
    ["a", "b"],
    () => ({ until: new Promise(() => {}) }),
    { signal: stop.signal, onEvent: (event) => event.type === "step-start" && stop.abort() },
  );
  assertEquals(result.status, "interrupted");
  assertEquals(result.hosts.map((host) => host.status), ["interrupted", "skipped"]);
  assertEquals(hosts.length, 1);
  assertEquals([hosts[0]!.calls, hosts[0]!.running, hosts[0]!.disposed], [["sleep"], 0, 1]);
});

Deno.test("a run stops when its reader leaves early", async () => {
  const plan = await planJob(checkJob({ steps: [{ exec: "sleep" }] }, undefined), [{
    host: "a",
    group: undefined,
  }]);
  const host = new FakeHost("a", () => ({ until: new Promise(() => {}) }));
  const running = runPlan(plan, { connect: () => Promise.resolve(host) });
  for await (const event of running) if (event.type === "step-start") break;
  assertEquals((await running.result).status, "interrupted");
  assertEquals(host.disposed, 1);
});

Deno.test("a run whose events nobody reads runs to its end", async () => {
  const plan = await planJob(checkJob({ steps: [{ exec: "x" }] }, undefined), [{
    host: "a",
    group: undefined,
  }]);
  const chunks = Array.from({ length: 2000 }, () => new TextEncoder().encode("line\n"));
  const running = runPlan(plan, {
    connect: () => Promise.resolve(new FakeHost("a", () => ({ stdout: chunks }))),
  });
  assertEquals((await running.result).status, "ok");
});

Deno.test("output cut inside a character is put together again", async () => {
  const bytes = new TextEncoder().encode("grün");
  const { events } = await run(
    { steps: [{ exec: "x" }] },
    ["a"],
    () => ({ stdout: [bytes.subarray(0, 3), bytes.subarray(3)] }),
  );
  assertEquals(ofType(events, "step-output").map((e) => e.text).join(""), "grün");
  assertEquals(ofType(events, "step-end")[0]!.bytes, 5);
});

Deno.test("a copy that takes too long is stopped and tried again", async () => {
  const source = await Deno.makeTempFile();
  const plan = await planJob(
    checkJob({ steps: [{ copy: source, to: "/x", timeout: "1ms", retries: 1 }] }, undefined),
    [{ host: "a", group: undefined }],
  );
  await Deno.remove(source);
  const host = new FakeHost("a");
  host.copyAnswer = (_from, _to, { signal }) =>
    new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const running = runPlan(plan, { connect: () => Promise.resolve(host), retryDelayMs: 0 });
  const events: RunEvent[] = [];
  for await (const event of running) events.push(event);
  assertEquals(host.calls.length, 2);
  const [end] = ofType(events, "step-end");
  assertEquals([end!.status, end!.timedOut, end!.attempts], ["failed", true, 2]);
});

Deno.test("a job that cannot be planned rejects, for its result as for its events", async () => {
  const { JobRun } = await import("../../lib/job/run.ts");
  const broken = () => Promise.reject(new CarpoolError("x", { what: "No plan" }));
  const connect = () => Promise.resolve(new FakeHost("a"));
  await assertRejects(() => new JobRun(broken, { connect }).result, CarpoolError, "No plan");
  await assertRejects(() => Array.fromAsync(new JobRun(broken, { connect })), CarpoolError, "No plan");
});
