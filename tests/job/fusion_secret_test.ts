/** No secret in a process list: what another account on the host sees while a job runs. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { ShellName } from "../support/shells.ts";
import { FusionWorld } from "./fusion_world.ts";

const SECRET = "hunter2-not-for-others";

const textOf = (events: readonly RunEvent[], step: string) =>
  events.filter((event) => event.type === "step-output").filter((event) => event.step === step)
    .map(({ text }) => text).join("");

/** Looks at every process's command line, over and over, as `ps` of another account would; until it is stopped. */
function watch(signal: AbortSignal): Promise<string> {
  const script = 'while [ -d /proc/$1 ]; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; done';
  const command = new Deno.Command("/bin/sh", {
    // The secret is not among the watcher's own words.
    args: ["-c", script, "watch", String(Deno.pid)],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal,
  });
  return command.spawn().output().then(({ stdout }) => new TextDecoder().decode(stdout));
}

async function seenDuring(work: () => Promise<void>): Promise<string> {
  const stop = new AbortController();
  const seen = watch(stop.signal);
  await work();
  stop.abort();
  return await seen;
}

/** `grep` waits for the file, so that there is something to see; the step is done by the shell alone. */
const job: JobDefinition = {
  steps: [
    { exec: "echo plain; sleep 0.3" },
    {
      exec: `test "$TOKEN" = ${SECRET} && echo same; sleep 0.3; pwd`,
      env: { TOKEN: SECRET },
      cwd: "/usr",
      unless: `test "$TOKEN" = other-${SECRET}`,
      secret: true,
    },
    { exec: 'echo plain again; sleep 0.3; echo "<$TOKEN$CARPOOL_STEP>"' },
  ],
};

for (const login of ["dash", "bash", "fish"] satisfies ShellName[]) {
  Deno.test(`no secret of a job is in the process list while it runs, with ${login}`, async () => {
    await using world = await FusionWorld.make(login === "dash" ? {} : { login });
    const steps = login === "fish"
      ? job.steps.map((step) =>
        "secret" in step ? { ...step, exec: `test "$TOKEN" = ${SECRET}; and sleep 0.3` } : step
      )
      : job.steps;
    const seen = await seenDuring(async () => {
      const { events, result } = await world.run({ ...job, steps });
      assertEquals(result.status, "ok");
      assertEquals(textOf(events, "3").trim().split("\n"), ["plain again", "<>"]);
      // What a secret step writes is secret, too.
      assertEquals(textOf(events, "2"), "");
    });
    assertStringIncludes(seen, "echo plain again");
    assert(!seen.includes(SECRET), "the secret was seen");
  });
}

Deno.test("what is in a file that is not everybody's is in no process list, though it travels with the steps", async () => {
  await using world = await FusionWorld.make();
  const path = await Deno.makeTempFile(); // mode 0600
  try {
    await Deno.writeTextFile(path, SECRET);
    const others = Array.from({ length: 7 }, () => ({ exec: "sleep 0.1" }));
    const seen = await seenDuring(async () => {
      const job = { steps: [{ copy: path, to: "key" }, ...others] };
      const { sessions, value } = await world.sessionsOf(() => world.run(job));
      assertEquals([value.result.status, sessions], ["ok", 1]);
    });
    assertStringIncludes(seen, "sshd");
    assert(!seen.includes(btoa(SECRET)), "the contents were seen");
    assertEquals(await Deno.readTextFile(`${world.sshd.home}/key`), SECRET);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a secret step does not go into an exec request when it is alone, either", async () => {
  await using world = await FusionWorld.make();
  const seen = await seenDuring(async () => {
    const { result } = await world.run({ steps: [{ exec: `: ${SECRET}; sleep 0.3`, secret: true }] });
    assertEquals(result.status, "ok");
  });
  assertStringIncludes(seen, "sshd");
  assert(!seen.includes(SECRET), "the secret was seen");
});

for (const login of ["dash", "bash", "fish", "zsh", "tcsh"] satisfies ShellName[]) {
  Deno.test(`a secret in a step that goes by itself is in no process list, with ${login}`, async () => {
    await using world = await FusionWorld.make({ login });
    const seen = await seenDuring(async () => {
      const { events, result } = await world.run({
        vars: { token: { value: SECRET, secret: true } },
        steps: [
          // Its text is known only when the first one is over.
          { exec: "sleep 0.3; echo first", register: "first" },
          { exec: "sleep 0.3; echo {{ first.stdout }} of {{ token }}; pwd", cwd: "/usr" },
          { exec: "cat; sh -c 'exit 3'", ignoreErrors: true, env: { TOKEN: SECRET } },
        ],
      }, { fuse: false });
      assertEquals(result.status, "ok", JSON.stringify(events));
      assertEquals(textOf(events, "2"), "first of ***\n/usr\n");
      const end = events.find((event) => event.type === "step-end" && event.step === "3");
      assertEquals(end?.type === "step-end" && end.code, 3);
    });
    assertStringIncludes(seen, "echo first");
    assert(!seen.includes(SECRET), "the secret was seen");
  });
}
