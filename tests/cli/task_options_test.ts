import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { carpool } from "./carpool.ts";

const task = `
hosts: [nowhere.invalid]
vars: { version: "1.0", count: 3, token: { value: none, secret: true } }
steps:
  - exec: deploy {{ version }} {{ count + 1 }} {{ token }}
    tags: deploy
  - exec: check
    tags: check
  - confirm: Really?
    tags: ask
`;

async function inProject(use: (cwd: string) => Promise<void>): Promise<void> {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${cwd}/tasks`);
    await Deno.writeTextFile(`${cwd}/tasks/t.yaml`, task);
    await Deno.writeTextFile(`${cwd}/v.yaml`, "version: 2.0.1\ntoken: hunter2\n");
    await use(cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("plan fills in --var and --vars-file, chooses by --tags, and shows no secret", async () => {
  await inProject(async (cwd) => {
    const plan = async (...args: string[]) => await carpool(["plan", "t", ...args], { cwd });
    const told = await plan("--vars-file", "v.yaml", "--var", "count=41", "--tags", "deploy,ask");
    assertEquals(told.code, 0, told.stderr);
    assertStringIncludes(told.stdout, "deploy 2.0.1 42 ***");
    assertEquals(/check|hunter2/.test(told.stdout), false, told.stdout);
    const skipped = await plan("--skip-tags", "deploy", "--output", "json", "--vars-file", "v.yaml");
    assertEquals(JSON.parse(skipped.stdout).hosts[0].steps.map((one: { step: string }) => one.step), [
      "2",
      "3",
    ]);
    assertEquals(skipped.stdout.includes("hunter2"), false);
    const wrong = await plan("--var", "verison=2");
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.stderr, 'did you mean "version"?');
    assertStringIncludes((await plan("--var", "version")).stderr, "write --var NAME=VALUE");
    assertStringIncludes((await plan("--tags", "depoly")).stderr, 'did you mean "deploy"?');
  });
});

Deno.test("run refuses a question that nobody can answer before it contacts anybody, and takes --yes for one", async () => {
  await inProject(async (cwd) => {
    const run = (...args: string[]) =>
      carpool(["run", "t", "--no-journal", "--output", "json", ...args], { cwd });
    const refused = await run();
    assertEquals([refused.code, refused.stdout], [2, ""]);
    assertStringIncludes(refused.stderr, "answer it with --yes");
    const taken = await run("--yes", "-o", "ConnectTimeout=1");
    assertEquals(taken.code, 4, taken.stderr);
    assertMatch(taken.stdout, /"host-unreachable"/);
  });
});
