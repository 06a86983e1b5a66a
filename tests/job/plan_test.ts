import { assertEquals, assertRejects } from "@std/assert";
import { JobFileError } from "../../lib/base/errors.ts";
import { checkJob } from "../../lib/job/check.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { asFileName, planJob } from "../../lib/job/plan.ts";
import { parseDuration } from "../../lib/job/duration.ts";

async function plan(definition: JobDefinition, hosts: readonly string[], files: readonly string[] = []) {
  const cwd = await Deno.makeTempDir();
  try {
    for (const file of files) {
      await (file.endsWith("/") ? Deno.mkdir(`${cwd}/${file}`) : Deno.writeTextFile(`${cwd}/${file}`, "x"));
    }
    const made = await planJob(
      checkJob(definition, undefined),
      hosts.map((host) => ({ host, group: undefined })),
      {
        cwd,
      },
    );
    return JSON.parse(JSON.stringify(made).replaceAll(cwd, ""));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("a plan fills in hosts, variables and local paths", async () => {
  const { hosts } = await plan(
    {
      env: { A: 1, B: "job" },
      steps: [
        { exec: "run {host} $A", env: { B: "step" } },
        { copy: "./app/", to: "/srv/{host}/" },
        { name: "logs", fetch: "/var/log/{host}.log", to: "logs/{host}/" },
      ],
    },
    ["web1", "deploy@db1:2222"],
    ["app/"],
  );
  assertEquals(hosts[1].steps, [
    {
      kind: "exec",
      step: "1",
      title: "run {host} $A",
      retries: 0,
      command: "run {host} $A",
      env: { A: "1", B: "step" },
    },
    {
      kind: "copy",
      step: "2",
      title: "copy ./app/ to /srv/{host}/",
      retries: 0,
      from: "/app/",
      to: "/srv/deploy@db1:2222/",
    },
    {
      kind: "fetch",
      step: "3",
      name: "logs",
      title: "logs",
      retries: 0,
      from: "/var/log/deploy@db1:2222.log",
      to: "/logs/deploy@db1:2222/",
    },
  ]);
});

Deno.test("a host's name stands for {host} in every remote path, and in no command or title", async () => {
  const { hosts } = await plan(
    {
      steps: [
        { exec: "cat {host}", cwd: "/srv/{host}", creates: "{host}.done", unless: "test {host}" },
        { copy: "a", to: "{host}.a", cwd: "{host}", creates: "{host}/a" },
        { wait: { file: "/run/{host}" } },
        { wait: { command: "test {host}" } },
      ],
    },
    ["web1", "web2"],
    ["a"],
  );
  const shown = hosts[1].steps.map((
    { title: _title, retries: _, env: __, ...step }: Record<string, unknown>,
  ) => step);
  assertEquals(shown, [
    {
      kind: "exec",
      step: "1",
      cwd: "/srv/web2",
      creates: "web2.done",
      unless: "test {host}",
      command: "cat {host}",
    },
    { kind: "copy", step: "2", cwd: "web2", creates: "web2/a", from: "/a", to: "web2/web2.a" },
    { kind: "wait", step: "3", file: "/run/web2", intervalMs: 1000 },
    { kind: "wait", step: "4", command: "test {host}", intervalMs: 1000 },
  ]);
  assertEquals(hosts[1].steps[2].title, "wait for /run/{host}");
});

Deno.test("a plan names every local file that is missing, and contacts nobody", async () => {
  const error = await assertRejects(
    () =>
      plan(
        {
          steps: [{ copy: "here", to: "/x" }, { copy: "gone", to: "/x" }, {
            parallel: [{ copy: "lost", to: "/x" }],
          }],
        },
        ["a", "b"],
        ["here"],
      ),
    JobFileError,
  );
  assertEquals(error.message.replaceAll(/looked for \S+\//g, "looked for /").split("\n"), [
    'Cannot plan the job: steps[1]: the local file "gone" does not exist; looked for /gone',
    'steps[2].parallel[0]: the local file "lost" does not exist; looked for /lost',
  ]);
});

Deno.test("a local path keeps what it says about its content", async () => {
  const from = async (copy: string) =>
    (await plan({ steps: [{ copy, to: "/x" }] }, ["a"], ["d/"])).hosts[0].steps[0].from;
  assertEquals(await Promise.all(["d", "d/", "d/.", ".", "./", "d/.."].map(from)), [
    "/d",
    "/d/",
    "/d/",
    "/",
    "/",
    "/",
  ]);
});

Deno.test("a plan does not take a file for a folder", async () => {
  await assertRejects(
    () => plan({ steps: [{ copy: "./app/", to: "/x" }] }, ["a"], ["app"]),
    JobFileError,
    "a file that is no folder",
  );
});

Deno.test("a plan refuses that two hosts write the same local file", async () => {
  const steps = [{ fetch: "/a", to: "./a" }];
  await plan({ steps }, ["a"]);
  await assertRejects(() => plan({ steps }, ["a", "b"]), JobFileError, "a and b would both write");
  await assertRejects(
    () => plan({ steps: [{ fetch: "/x/a", to: "./" }] }, ["a", "b"]),
    JobFileError,
    "{host}",
  );
});

Deno.test("a plan without hosts says where to put them", async () => {
  await assertRejects(() => plan({ steps: [{ exec: "x" }] }, []), JobFileError, "it has no hosts");
});

Deno.test("a host's name stays one segment of a local path", () => {
  assertEquals(["..", ".", "ssh://a/b", "a\\b", "web1", "[::1]:22"].map(asFileName), [
    "__",
    "_",
    "ssh:__a_b",
    "a_b",
    "web1",
    "[::1]:22",
  ]);
});

Deno.test("durations are read with their units", () => {
  const read = ["500ms", "30s", "2m", "1h30m", "1.5h", 2.5, "10"].map(parseDuration);
  assertEquals(read, [500, 30_000, 120_000, 5_400_000, 5_400_000, 2500, 10_000]);
  for (const bad of ["", "soon", "1 h", "-1s", "0", 0, -3, NaN, Infinity, "30d", "1hh"]) {
    assertEquals(parseDuration(bad), undefined, String(bad));
  }
});
