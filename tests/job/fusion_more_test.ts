import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { until } from "../master/keeper_world.ts";
import { FusionWorld, kept, withoutTimes } from "./fusion_world.ts";

const ofType = <T extends RunEvent["type"]>(events: readonly RunEvent[], type: T) =>
  events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);

const textOf = (events: readonly RunEvent[], step: string) =>
  ofType(events, "step-output").filter((event) => event.step === step).map(({ text }) => text).join("");

const endsOf = (events: readonly RunEvent[]) => ofType(events, "step-end").map(({ status }) => status);

/** Runs a job together and one by one, finds the same events, and gives those of the first and its sessions. */
async function same(world: FusionWorld, job: JobDefinition, before: () => Promise<void> = async () => {}) {
  await before();
  const { sessions, value } = await world.sessionsOf(() => world.run(job));
  await before();
  const single = await world.run(job, { fuse: false });
  assertEquals(withoutTimes(value.events), withoutTimes(single.events));
  return { sessions, events: value.events };
}

for (const sh of ["dash", "bash", "busybox"] as const) {
  Deno.test(`steps that travel together retry, skip, time out and ignore errors as alone, with ${sh}`, async () => {
    await using world = await FusionWorld.make({ sh });
    const home = world.sshd.home;
    const clean = async () => await Deno.remove(`${home}/flag`).catch(() => {});
    const { sessions, events } = await same(world, {
      steps: [
        { exec: "echo try; [ -e flag ] && exit 0; touch flag; exit 4", retries: 2 },
        { exec: "echo no", unless: "test -e flag" },
        { exec: "echo yes", unless: "test ! -e flag", creates: "/nowhere/at/all" },
        { exec: "echo slow; sleep 30; echo never", timeout: "1500ms", ignoreErrors: true },
        {
          exec: "trap 'echo caught; exit 5' TERM; sleep 30 & echo waiting; wait",
          timeout: "1500ms",
          ignoreErrors: true,
        },
        { exec: "exit 9", ignoreErrors: true, retries: 1, delay: "10ms" },
        { exec: "echo quick", timeout: "30s" },
        { exec: "echo fail; exit 1", retries: 1 },
        { exec: "echo never" },
      ],
    }, clean);
    assertEquals(sessions, 1);
    assertEquals(endsOf(events), ["ok", "ok", "failed", "failed", "failed", "ok", "failed"]);
    assertEquals(ofType(events, "step-end").map(({ timedOut }) => timedOut), [
      ...[false, false, true, true, false, false, false],
    ]);
    assertStringIncludes(textOf(events, "5"), "caught");
  });

  Deno.test(`a step that ignores SIGTERM is killed when its time is over, and the next one runs, with ${sh}`, async () => {
    await using world = await FusionWorld.make({ sh });
    const { sessions, events } = await same(world, {
      steps: [
        {
          exec: "trap '' TERM; echo before; while :; do sleep 0.1; done",
          timeout: "1500ms",
          ignoreErrors: true,
        },
        { exec: "echo after" },
      ],
    });
    assertEquals(sessions, 1);
    assertEquals(ofType(events, "step-end").map(({ signal }) => signal), ["KILL", null]);
  });
}

Deno.test("a step whose background child holds its output is over when the child is, and keeps its output", async () => {
  await using world = await FusionWorld.make();
  const { events } = await same(world, {
    steps: [
      { exec: "(sleep 0.4; echo late; echo later >&2) & echo now" },
      { exec: "echo next" },
    ],
  });
  assertEquals(textOf(events, "1").replace("later\n", ""), "now\nlate\n");
  assertEquals(textOf(events, "2"), "next\n");
});

Deno.test("a step that prints the process list prints no mark", async () => {
  await using world = await FusionWorld.make();
  const { events, result } = await world.run({
    steps: [
      { exec: "tr '\\0' '\\n' </proc/$PPID/cmdline; cat /proc/[0-9]*/cmdline 2>/dev/null; true" },
      { exec: "echo after" },
    ],
  });
  assertEquals(result.status, "ok");
  assertStringIncludes(textOf(events, "1"), "cqturn");
  assertEquals(textOf(events, "2"), "after\n");
});

Deno.test("steps longer than an argument can be travel, and run", async () => {
  await using world = await FusionWorld.make();
  const { sessions, value } = await world.sessionsOf(() =>
    world.run({
      steps: [
        { exec: `: '${"x".repeat(150_000)}'; echo long; pwd`, cwd: "/usr" },
        { exec: "echo short" },
      ],
    })
  );
  assertEquals(value.result.status, "ok");
  assertEquals(sessions, 1);
  assertEquals([textOf(value.events, "1"), textOf(value.events, "2")], ["long\n/usr\n", "short\n"]);
});

for (const sh of ["dash", "bash", "busybox", "mksh"] as const) {
  Deno.test(`steps run while the text of others is on its way, and half of that does nothing, with ${sh}`, async () => {
    await using world = await FusionWorld.make({ sh });
    const first = Promise.withResolvers<void>();
    let parcels = 0;
    const connect: typeof world.connect = async (name, options) => {
      const host = await world.connect(name, options);
      const spawn: typeof host.spawn = async (command, more) => {
        const process = await host.spawn(command, more);
        if (parcels++ > 0) return process;
        const writer = process.stdin.getWriter();
        const stdin = new WritableStream<Uint8Array>({
          async write(chunk) {
            await first.promise;
            await writer.write(chunk.subarray(0, chunk.length >> 1));
            await writer.close();
          },
        });
        return new Proxy(process, {
          get: (target, name) => {
            const value = name === "stdin" ? stdin : Reflect.get(target, name);
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      };
      return {
        ...kept(host),
        connection: "new",
        spawn,
        [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
      };
    };
    const steps = Array.from({ length: 20 }, (_, i) => ({ exec: `echo ${i} >>ran # ${"x".repeat(8192)}` }));
    const { events, result } = await world.run({ steps }, {
      connect,
      // It would never begin if it waited for what comes after the request.
      onEvent: (event) => event.type === "step-end" && first.resolve(),
    });
    assertEquals(result.status, "ok");
    assertEquals(endsOf(events), Array(20).fill("ok"));
    assertEquals(parcels, 2);
    const ran = await Deno.readTextFile(`${world.sshd.home}/ran`);
    assertEquals(ran.trim().split("\n").map(Number), steps.map((_, i) => i));
  });
}

Deno.test("output of steps that travel together comes while the step runs", async () => {
  await using world = await FusionWorld.make();
  const home = world.sshd.home;
  const { result } = await world.run({
    steps: [{ exec: "echo first; while ! [ -e go ]; do sleep 0.05; done; echo second" }, {
      exec: "echo end",
    }],
  }, {
    onEvent: (event) => {
      // It would never end if its first line came with its last.
      if (event.type === "step-output" && event.text === "first\n") Deno.writeTextFileSync(`${home}/go`, "");
    },
  });
  assertEquals(result.status, "ok");
});

Deno.test("stopping ends what runs on the host, and no further step begins", async () => {
  await using world = await FusionWorld.make();
  const stop = new AbortController();
  const { events, result } = await world.run({
    steps: [
      { exec: "echo one" },
      { exec: "trap 'echo caught; exit 7' TERM; echo two; while :; do sleep 0.1; done" },
      { exec: "touch three" },
    ],
  }, {
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === "step-output" && event.text === "two\n") stop.abort();
    },
  });
  assertEquals(result.status, "interrupted");
  assertEquals(endsOf(events), ["ok", "interrupted"]);
  // The step itself could tidy up, and what it did is known.
  assertEquals(ofType(events, "step-end")[1]!.code, 7);
  assertStringIncludes(textOf(events, "2"), "caught");
  await until(() => world.sshd.processes().length === 0);
  assert(!await exists(`${world.sshd.home}/three`));
});

Deno.test("nothing of steps that travelled is left on a host that stays connected", async () => {
  await using world = await FusionWorld.make();
  await using host = await world.connect("test", { signal: AbortSignal.timeout(60_000) });
  const left: string[] = [];
  const spawn: typeof host.spawn = (command, options) => {
    left.push(/\/tmp\/carpool-job\.[0-9a-f]+/.exec(command)![0]);
    return host.spawn(command, options);
  };
  const steps = [{ exec: "echo one" }, { exec: "echo two" }];
  for (let run = 0; run < 5; run++) {
    // Whoever has read the last event leaves at once.
    await world.run({ steps }, { connect: () => Promise.resolve({ ...kept(host), spawn }) });
  }
  assertEquals(left.length, 5);
  await until(async () => !(await Promise.all(left.map(exists))).includes(true));
});

Deno.test("a host without what it takes runs the steps one by one", async () => {
  await using world = await FusionWorld.make();
  const { events, result } = await world.run({ steps: [{ exec: "echo one" }, { exec: "echo two" }] }, {
    connect: async (name, options) => {
      const host = await world.connect(name, options);
      const spawn: typeof host.spawn = (command, more) =>
        host.spawn(command.replace(/^exec sh /, "exec no-such-sh "), more);
      return {
        ...kept(host),
        connection: "new",
        spawn,
        [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
      };
    },
  });
  assertEquals(result.status, "ok");
  assertEquals([textOf(events, "1"), textOf(events, "2")], ["one\n", "two\n"]);
});

Deno.test("a few steps go one by one where a round trip costs nothing, and many do not", async () => {
  await using world = await FusionWorld.make();
  const sessions = async (count: number, rttMs: number) => {
    const connect: typeof world.connect = async (name, options) => ({
      ...await world.connect(name, options),
      rttMs,
    });
    const steps = Array.from({ length: count }, (_, i) => ({ exec: `echo ${i}` }));
    return (await world.sessionsOf(() => world.run({ steps }, { connect }))).sessions;
  };
  assertEquals([await sessions(3, 0.2), await sessions(3, 20), await sessions(20, 0.2)], [3, 1, 1]);
  assertEquals([await sessions(2, 7), await sessions(2, 9), await sessions(5, 0), await sessions(6, 0)], [
    ...[2, 1, 5, 1],
  ]);
});

Deno.test("what start-up files write does not disturb steps that travel together", async () => {
  await using world = await FusionWorld.make({ login: "bash" });
  await Deno.writeTextFile(`${world.sshd.home}/.bashrc`, "echo noise; echo more >&2; export SEEN=$SEEN+\n");
  const { sessions, events } = await same(world, {
    steps: [{ exec: "echo one" }, { exec: "echo two" }],
  });
  assertEquals(sessions, 1);
  assertEquals(textOf(events, "2").includes("two"), true);
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a step that kills what runs the steps ends the job, instead of keeping it waiting", async () => {
  await using world = await FusionWorld.make();
  const { sessions, value: { events } } = await world.sessionsOf(() =>
    world.run({
      steps: [
        { exec: "echo first" },
        { exec: "kill -9 $PPID; echo still here" },
        ...["3", "4", "5", "6", "7"].map((n) => ({ exec: `touch step-${n}` })),
      ],
    })
  );
  assertEquals(sessions, 1);
  assertEquals([textOf(events, "1"), textOf(events, "2")], ["first\n", "still here\n"]);
  assertEquals(endsOf(events), ["ok", "unknown"]);
  const made = (await Array.fromAsync(Deno.readDir(world.sshd.home))).map(({ name }) => name);
  assertEquals(made.filter((name) => name.startsWith("step-")), []);
});
