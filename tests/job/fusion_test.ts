import { assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { StepDefinition } from "../../lib/job/step_definition.ts";
import type { ShellName } from "../support/shells.ts";
import { FusionWorld, withoutTimes } from "./fusion_world.ts";

/** Runs a job together and one by one, finds the same events, and gives those of the first. */
async function same(world: FusionWorld, job: JobDefinition): Promise<readonly RunEvent[]> {
  const fused = await world.sessionsOf(() => world.run(job));
  const single = await world.run(job, { fuse: false });
  assertEquals(withoutTimes(fused.value.events), withoutTimes(single.events));
  assertEquals(fused.sessions, 1, JSON.stringify(job));
  return fused.value.events;
}

/** Steps after which the job goes on, in any shell. */
const plain: StepDefinition[] = [
  { exec: "echo one" },
  { exec: "echo two >/dev/null; printf three" },
  { exec: "printf '\\377\\200\\001\\nx'" },
  { exec: "pwd; env | grep '^FUSED='", cwd: "/usr", env: { FUSED: 'it\'s \\ "here" $HOME !' } },
  { exec: "cat; cat | wc -c" },
  { exec: "exec echo replaced" },
  { exec: "echo grün ' quoted ' \"too\"" },
  { exec: "sh -c 'sleep 0.2 >&- &'; echo left" },
  { exec: "sh -c 'exec 1>&- 2>&-; sleep 0.05'" },
  { exec: "head -c 300000 /dev/zero | tr '\\0' x" },
  { exec: "echo needed", creates: "/nowhere/at/all" },
  { exec: "echo never", creates: "passwd", cwd: "/etc" },
  { exec: "echo never", creates: "~" },
  { exec: "umask; echo end" },
];

/** Steps that end their job, each in its own. */
const last: StepDefinition[] = [
  { exec: "exit 3" },
  { exec: "exit 137" },
  { exec: "kill -9 $$" },
  { exec: "kill -TERM $$" },
  { exec: "sh -c 'set -e; false; echo no'" },
  { exec: "if ( then" },
  { exec: "echo here", cwd: "/nowhere/at/all" },
  { exec: "no-such-program-at-all" },
];

/** The host's answers to both; `leader`: the account's shell dies of SIGTERM only where it leads its session. */
async function edges(world: FusionWorld, { leader = false } = {}): Promise<void> {
  await same(world, { steps: plain });
  // Too much for the exec string: the script goes on standard input.
  await same(world, {
    steps: [...plain, { exec: `: ${"x".repeat(90_000)}; echo long` }, { exec: "cat" }, { exec: "exit 7" }],
  });
  for (const step of last) {
    if (leader && "exec" in step && step.exec === "kill -TERM $$") continue;
    await same(world, { steps: [{ exec: "echo before" }, step, { exec: "echo never" }] });
  }
}

for (const sh of ["dash", "bash", "busybox", "mksh"] as const) {
  Deno.test(`steps that travel together behave as alone when the host's sh is ${sh}`, async () => {
    await using world = await FusionWorld.make({ sh });
    await edges(world);
  });
}

for (const login of ["bash", "zsh", "fish", "tcsh", "busybox", "mksh"] satisfies ShellName[]) {
  Deno.test(`steps that travel together behave as alone when the login shell is ${login}`, async () => {
    await using world = await FusionWorld.make({ login });
    // mksh, which otherwise exits with 143.
    await edges(world, { leader: login === "mksh" });
  });
}
