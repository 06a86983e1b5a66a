/** What is told of steps that travel together when the link breaks under them; and that it is true. */
import { assert, assertEquals } from "@std/assert";
import { LinkError } from "../../lib/base/errors.ts";
import type { RunEvent, StepEndEvent } from "../../lib/base/run_event.ts";
import type { JobConnect } from "../../lib/job/job_host.ts";
import { until } from "../master/keeper_world.ts";
import { alive } from "../support/processes.ts";
import { FusionWorld } from "./fusion_world.ts";

const STEPS = 5;

/** Steps that note in a file that they have begun, say so, and go on when they may. */
function job(name: string) {
  const steps = Array.from({ length: STEPS }, (_, i) => i + 1).map((n) => ({
    exec: `echo ${n} >>${name}; echo in ${n}; while ! [ -e ${name}.go ]; do sleep 0.05; done; echo out ${n}`,
  }));
  return { steps };
}

const endsOf = (events: readonly RunEvent[]) =>
  events.filter((event): event is StepEndEvent => event.type === "step-end").map(({ status }) => status);

const sayings = (event: RunEvent, text: string) => event.type === "step-output" && event.text.includes(text);

/** The steps that began on the host. */
async function begunOn(world: FusionWorld, name: string): Promise<number[]> {
  const text = await Deno.readTextFile(`${world.sshd.home}/${name}`).catch(() => "");
  return text.trim().split("\n").filter((line) => line !== "").map(Number);
}

/** A file in the account's home, whoever runs the test. */
async function touch(world: FusionWorld, name: string): Promise<void> {
  await Deno.writeTextFile(`${world.sshd.home}/${name}`, "");
}

/** Nothing runs for the account any more but its listening server. */
const quiet = (world: FusionWorld) => until(() => world.sshd.processes().length === 0);

/** Lets the connection be made once, and never again. */
function once(connect: JobConnect): JobConnect {
  let made = 0;
  return (name, options) => {
    if (made++ === 0) return connect(name, options);
    return Promise.reject(new LinkError("refused", { what: "Cannot connect", outcome: "not-started" }));
  };
}

/** Steps 1 to `before` go on at once, as the file is there until the one that the link breaks in says that it has begun. */
function brokenIn(
  world: FusionWorld,
  step: number,
  name: string,
  connect: JobConnect = world.connect,
): ReturnType<FusionWorld["run"]> {
  const { steps } = job(name);
  const slow = steps.map(({ exec }, i) => ({
    exec: exec.replaceAll(`${name}.go`, `${name}.go${i + 1 === step ? "" : ".all"}`),
  }));
  return world.run({ steps: slow }, {
    connect,
    onEvent: (event) => {
      if (sayings(event, `in ${step}\n`)) void world.link!.reset();
    },
  });
}

for (let step = 1; step <= STEPS; step++) {
  Deno.test(`a link that breaks in step ${step} leaves that one unknown, and none after it begins`, async () => {
    await using world = await FusionWorld.make({ rttMs: 1 });
    await touch(world, "ran.go.all");
    const { events, result } = await brokenIn(world, step, "ran");
    // The host was asked: it had not ended the step, and what had not begun does not begin.
    assertEquals(endsOf(events), [...Array(step - 1).fill("ok"), "unknown"]);
    assertEquals(result.hosts[0]!.steps.notRun, STEPS - step);
    assertEquals(result.hosts[0]!.status, "failed");
    await touch(world, "ran.go");
    await quiet(world);
    assertEquals(await begunOn(world, "ran"), Array.from({ length: step }, (_, i) => i + 1));
  });

  Deno.test(`a link that breaks in step ${step} for good leaves all from there unknown`, async () => {
    await using world = await FusionWorld.make({ rttMs: 1 });
    await touch(world, "ran.go.all");
    const { events, result } = await brokenIn(world, step, "ran", once(world.connect));
    assertEquals(endsOf(events), [
      ...Array(step - 1).fill("ok"),
      ...Array(STEPS - step + 1).fill("unknown"),
    ]);
    assertEquals(result.hosts[0]!.steps.notRun, 0);
    await touch(world, "ran.go");
    await quiet(world);
    // The next step could not be announced.
    assertEquals(await begunOn(world, "ran"), Array.from({ length: step }, (_, i) => i + 1));
  });
}

Deno.test("steps that went on behind a cut link are known by the host's own notes", async () => {
  await using world = await FusionWorld.make({ rttMs: 1 });
  const { steps } = job("ran");
  const { events, result } = await world.run({ steps: [{ exec: "echo before" }, ...steps] }, {
    onEvent: async (event) => {
      if (!sayings(event, "in 1\n")) return;
      // The server is not told: it goes on, and so does what it runs.
      world.link!.cut();
      await touch(world, "ran.go");
      await until(async () => (await noted()).some(({ text }) => text.includes(`E ${STEPS + 1} 0`)));
      world.link!.heal();
      await world.link!.reset();
    },
  });
  assertEquals(endsOf(events), Array(STEPS + 1).fill("ok"));
  assertEquals(await begunOn(world, "ran"), [1, 2, 3, 4, 5]);
  assertEquals(result.status, "ok");
  assert(!events.some((event) => sayings(event, "out 5")));
});

Deno.test("steps that had begun on a host whose notes are gone, as after a reboot, are not run again", async () => {
  await using world = await FusionWorld.make({ rttMs: 1 });
  const steps = [
    { exec: "echo 1 >>ran" },
    { exec: "echo 2 >>ran; echo in 2; while ! [ -e go ]; do sleep 0.05; done" },
    { exec: "echo 3 >>ran" },
  ];
  const { events } = await world.run({ steps }, {
    onEvent: async (event) => {
      if (!sayings(event, "in 2\n")) return;
      world.link!.cut();
      const own = world.sshd.processes();
      for (const { path, pid } of await noted()) {
        if (own.includes(pid)) await Deno.remove(path, { recursive: true });
      }
      world.link!.heal();
      await world.link!.reset();
    },
  });
  assertEquals(endsOf(events), ["ok", "unknown", "unknown"]);
  assertEquals((await begunOn(world, "ran")).filter((step) => step === 2), [2]);
  await touch(world, "go");
  await quiet(world);
});

/** What remote sides that are there have noted, and where. */
async function noted(): Promise<{ readonly path: string; readonly text: string; readonly pid: number }[]> {
  const found: { path: string; text: string; pid: number }[] = [];
  for await (const { name } of Deno.readDir("/tmp")) {
    if (!name.startsWith("carpool-job.")) continue;
    const path = `/tmp/${name}`;
    const text = await Deno.readTextFile(`${path}/s`).catch(() => "");
    const pid = Number(/^P (\d+)/.exec(text)?.[1]);
    if (pid > 0 && alive([pid]).length > 0) found.push({ path, text, pid });
  }
  return found;
}
