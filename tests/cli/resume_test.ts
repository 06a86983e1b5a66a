import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { type JournalState, readJournal } from "../../lib/job/journal_record.ts";
import { KeeperWorld, procText, until } from "../master/keeper_world.ts";
import { carpoolOnTerminal } from "./typing.ts";

/** 127.0.<block>.1 and on. */
function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `127.0.${20 + Math.floor(n / 100)}.${1 + n % 100}`);
}

/** A step that leaves a mark of its own on its host: each run of it is one line. All hosts share one home here. */
function mark(step: number): string {
  return `set -- $SSH_CONNECTION; echo ${step} >> marks/$3`;
}

/** How often each step ran, by host. */
function marks(world: KeeperWorld): Map<string, Record<string, number>> {
  const found = new Map<string, Record<string, number>>();
  const directory = join(world.sshd.home, "marks");
  for (const { name } of Deno.readDirSync(directory)) {
    const counts: Record<string, number> = {};
    for (const step of Deno.readTextFileSync(join(directory, name)).trim().split("\n")) {
      counts[step] = (counts[step] ?? 0) + 1;
    }
    found.set(name, counts);
  }
  return found;
}

async function journals(
  world: KeeperWorld,
): Promise<{ readonly id: string; readonly state: JournalState }[]> {
  const directory = join(world.home.path, ".local/state/carpool/runs");
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) =>
    name.endsWith(".jsonl")
  );
  return await Promise.all(
    names.sort().map(async (name) => {
      const state = readJournal(await Deno.readFile(join(directory, name)));
      assert("run" in state);
      return { id: name.replace(/\.jsonl$/, ""), state };
    }),
  );
}

/** `host step` of all that a journal knows to have succeeded. */
function succeeded({ steps }: JournalState): Set<string> {
  return new Set(
    [...steps].flatMap(([host, known]) =>
      [...known].filter(([, { status }]) => status === "ok").map(([step]) => `${host} ${step}`)
    ),
  );
}

/** So many that the steps travel together on a host as near as this one. */
const MORE_STEPS = '  - exec: "true"\n'.repeat(14);

async function marksDirectory(world: KeeperWorld): Promise<void> {
  await Deno.mkdir(join(world.sshd.home, "marks"));
  await Deno.chmod(join(world.sshd.home, "marks"), 0o777);
}

for (const fuse of [[], ["--no-fuse"]]) {
  const how = fuse.length > 0 ? "each step by itself" : "steps together";
  Deno.test(`resume finishes a run of 200 hosts whose runner was killed (${how}), and no step known to have succeeded runs twice`, async () => {
    const hosts = addresses(200);
    await using world = await KeeperWorld.make({ hosts });
    await marksDirectory(world);
    const steps = [1, 2, 3, 4, 5].map((step) => `  - exec: ${mark(step)}\n`).join("");
    await world.home.write("tasks/mark.yaml", `hosts: [${hosts.join(", ")}]\nsteps:\n${steps}`);
    const carpool = (
      ...args: string[]
    ) => ["run", "-F", world.configFile, "--output", "json", ...fuse, ...args];
    const options = { cwd: world.home.path, deadlineMs: 240_000 };
    const begun = () => [...Deno.readDirSync(join(world.sshd.home, "marks"))].length;
    {
      await using running = world.start(carpool("mark"), options);
      let ended = false;
      running.finished.then(() => ended = true, () => ended = true);
      await until(() => ended || begun() >= 80);
      assertEquals(ended, false, running.output().stdout.slice(-2000) + running.output().stderr);
      running.kill("SIGKILL");
      const { signal } = await running.finished;
      assertEquals(signal, "SIGKILL");
    }
    const [{ id, state }] = await journals(world);
    const known = succeeded(state);
    assertEquals(state.end, undefined);
    assert(known.size > 0 && known.size < 1000, `${known.size} steps known`);
    // What was under way may be ending on the hosts only now.
    await until(() => world.sshd.processes().every((pid) => !procText(pid, "cat cmdline").includes("marks")));
    const before = marks(world);

    const asked = await world.run(carpool("--resume"), options);
    assertStringIncludes(asked.stderr, `resuming run ${id}`);
    const after = marks(world);
    const [{ state: then }] = await journals(world);
    const doubtful = new Set(
      hosts.filter((host) =>
        [...then.steps.get(host)!.values()].some(({ status }) => status === "started" || status === "unknown")
      ),
    );
    assertEquals(asked.code, doubtful.size > 0 ? 1 : 0);
    for (const host of hosts) {
      // Nothing was repeated unasked; a host with a step in doubt stands where it stood.
      if (doubtful.has(host)) assertEquals(after.get(host), before.get(host), host);
      else assertEquals(after.get(host), { 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 }, host);
    }

    const finished = await world.run(carpool(`--resume=${id}`, "--retry-unknown"), options);
    assertEquals(finished.code, 0, finished.stderr);
    for (const [host, counts] of marks(world)) {
      assertEquals(Object.keys(counts), ["1", "2", "3", "4", "5"], host);
      for (const [step, count] of Object.entries(counts)) {
        assert(count === 1 || !known.has(`${host} ${step}`), `${host} ${step} ran ${count} times`);
      }
    }
    assertEquals([...marks(world).keys()].length, 200);
    const [{ state: last }] = await journals(world);
    assertEquals([last.end, succeeded(last).size], ["ok", 1000]);
  });
}

Deno.test("host whose runner was killed begins no further step, and tells what became of the one under way", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.2"] });
  await marksDirectory(world);
  const slow = `${mark(1)}; while ! test -e marks/go; do sleep 0.1; done`;
  const steps = [slow, mark(2), mark(3)].map((step) => `  - exec: ${step}\n`).join("");
  await world.home.write("tasks/mark.yaml", `hosts: [127.0.0.2]\nsteps:\n${steps}${MORE_STEPS}`);
  const options = { cwd: world.home.path };
  const commands = () =>
    world.sshd.processes().filter((pid) => procText(pid, "cat cmdline").includes("marks"));
  {
    await using running = world.start(["run", "mark", "-F", world.configFile], options);
    await until(() => [...Deno.readDirSync(join(world.sshd.home, "marks"))].length > 0);
    running.kill("SIGKILL");
    await running.finished;
  }
  assertEquals(commands().length > 0, true);
  await Deno.writeTextFile(join(world.sshd.home, "marks", "go"), "");
  await until(() => commands().length === 0);
  await Deno.remove(join(world.sshd.home, "marks", "go"));
  assertEquals(marks(world).get("127.0.0.2"), { 1: 1 });
  // Were the first step run again, it would wait for ever.
  const { code, stderr } = await world.run(["run", "--resume"], options);
  assertEquals(code, 0, stderr);
  assertEquals(marks(world).get("127.0.0.2"), { 1: 1, 2: 1, 3: 1 });
});

Deno.test("resume waits a while for a step that is still under way", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.2"] });
  await marksDirectory(world);
  const slow = `${mark(1)}; while ! test -e marks/go; do sleep 0.1; done; rm marks/go`;
  await world.home.write(
    "tasks/mark.yaml",
    `hosts: [127.0.0.2]\nsteps:\n  - exec: ${slow}\n  - exec: ${mark(2)}\n${MORE_STEPS}`,
  );
  const options = { cwd: world.home.path };
  {
    await using running = world.start(["run", "mark", "-F", world.configFile], options);
    await until(() => [...Deno.readDirSync(join(world.sshd.home, "marks"))].length > 0);
    running.kill("SIGKILL");
    await running.finished;
  }
  await using resuming = world.start(["run", "--resume"], options);
  // Somebody waits for it on the host.
  await until(() => world.sshd.processes().some((pid) => procText(pid, "cat cmdline").includes("-lt 10")));
  await Deno.writeTextFile(join(world.sshd.home, "marks", "go"), "");
  const { code, stderr } = await resuming.finished;
  assertEquals(code, 0, stderr);
  assertEquals(marks(world).get("127.0.0.2"), { 1: 1, 2: 1 });
});

Deno.test("resume asks on a terminal whether steps that may have run are to run again", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.2"] });
  await marksDirectory(world);
  const slow = `${mark(1)}; while ! test -e marks/go; do sleep 0.1; done`;
  await world.home.write(
    "tasks/mark.yaml",
    `hosts: [127.0.0.2]\nsteps:\n  - exec: ${slow}\n  - exec: ${mark(2)}\n`,
  );
  {
    const args = ["run", "mark", "--no-fuse", "-F", world.configFile];
    await using running = world.start(args, { cwd: world.home.path });
    await until(() => [...Deno.readDirSync(join(world.sshd.home, "marks"))].length > 0);
    running.kill("SIGKILL");
    await running.finished;
  }
  await Deno.writeTextFile(join(world.sshd.home, "marks", "go"), "");
  const no = await carpoolOnTerminal(world, ["run", "--resume"], [[/Run them again\? \[y\/N\] $/, "n\n"]]);
  assertStringIncludes(no.output, "127.0.0.2: 1 ");
  // Its host was asked and did not know: the same command again would come no further.
  assertMatch(no.output, /to go on: carpool run --resume=\S+ --retry-unknown \(look at the hosts first\)/);
  assertEquals(no.code, 1, no.output);
  const yes = await carpoolOnTerminal(world, ["run", "--resume"], [[/Run them again\? \[y\/N\] $/, "y\n"]]);
  assertEquals(yes.code, 0, yes.output);
  await Deno.remove(join(world.sshd.home, "marks", "go"));
  assertEquals(marks(world).get("127.0.0.2"), { 1: 2, 2: 1 });
});

Deno.test("what a failed run says of going on is a command that is taken, but for the values of variables", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write(
    "tasks/v.yaml",
    "hosts: [test]\nvars: { a: '', b: '' }\nsteps:\n  - exec: test {{ a }} = {{ b }}\n",
  );
  const options = { cwd: world.home.path };
  const first = await world.run(
    ["run", "v", "-F", world.configFile, "--var", "a=1", "--var", "b=2"],
    options,
  );
  const [{ id }] = await journals(world);
  const hint = `carpool: to go on: carpool run --resume=${id} --var a=… --var b=…\n`;
  assertEquals([first.code, first.stderr], [1, hint]);
  const again = await world.run(["run", `--resume=${id}`, "--var", "a=1", "--var", "b=3"], options);
  assertEquals([again.code, again.stderr.endsWith(hint)], [1, true], again.stderr);
});

Deno.test("resume finds the task, its hosts and its options by itself, from another directory", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.2", "127.0.0.3"] });
  await marksDirectory(world);
  const steps = `  - exec: ${mark(1)}\n  - exec: ${mark(2)}; test -e marks/go\n  - exec: ${mark(3)}\n`;
  await world.home.write("tasks/mark.yaml", `steps:\n${steps}`);
  const hosts = ["--hosts", "127.0.0.2", "--hosts", "127.0.0.3", "--parallel", "1"];
  const first = await world.run(["run", "mark", "-F", world.configFile, ...hosts], { cwd: world.home.path });
  assertEquals(first.code, 1);
  const [{ id, state }] = await journals(world);
  assertStringIncludes(first.stderr, `to go on: carpool run --resume=${id}`);
  assertEquals(state.run.args.includes("--parallel=1"), true);
  await Deno.writeTextFile(join(world.sshd.home, "marks", "go"), "");
  const again = await world.run(["run", "--resume"], { cwd: join(world.home.path, "tmp") });
  assertEquals([again.code, again.stderr], [0, `carpool: resuming run ${id} (mark): 2 of 2 hosts left\n`]);
  await Deno.remove(join(world.sshd.home, "marks", "go"));
  const counts = marks(world);
  assertEquals([counts.get("127.0.0.2"), counts.get("127.0.0.3")], Array(2).fill({ 1: 1, 2: 2, 3: 1 }));
  const nothing = await world.run(["run", "--resume"]);
  assertEquals(nothing.code, 2);
  assertStringIncludes(nothing.stderr, "no run is left unfinished");
});

Deno.test("retry-failed goes to the failed hosts alone, and runs lists how runs stand", async () => {
  const hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
  await using world = await KeeperWorld.make({ hosts });
  await marksDirectory(world);
  const steps = `  - exec: ${mark(1)}; test $3 != 127.0.0.2 -o -e marks/go\n  - exec: ${mark(2)}\n`;
  const strategy = "strategy: { parallel: 1, batch: 2, maxFailures: 0 }";
  await world.home.write("tasks/mark.yaml", `hosts: [${hosts.join(", ")}]\n${strategy}\nsteps:\n${steps}`);
  const carpool = (...args: string[]) => world.run(args, { cwd: world.home.path });
  const runs = async () => JSON.parse((await carpool("runs", "--output", "json")).stdout);
  assertEquals((await carpool("run", "mark", "-F", world.configFile)).code, 1);
  const [first] = await runs();
  assertEquals([first.job, first.standing, first.hosts, first.hostsOk, first.canResume], [
    "mark",
    "failed",
    3,
    0,
    true,
  ]);
  await Deno.writeTextFile(join(world.sshd.home, "marks", "go"), "");
  const retried = await carpool("run", "--retry-failed");
  assertEquals(retried.code, 0, retried.stderr);
  assertStringIncludes(retried.stderr, "1 of 3 hosts left");
  assertEquals((await runs())[0].hostsOk, 1);
  const lines = await carpool("runs");
  assertStringIncludes(lines.stdout, `${first.id}  mark`);
  assertStringIncludes(lines.stdout, "can be resumed");
  assertEquals((await carpool("run", "--resume")).code, 0);
  const [last] = await runs();
  assertEquals([last.standing, last.hostsOk, last.canResume], ["ok", 3, false]);
  await Deno.remove(join(world.sshd.home, "marks", "go"));
  assertEquals(Object.fromEntries(marks(world)), {
    "127.0.0.2": { 1: 2, 2: 1 },
    "127.0.0.3": { 1: 1, 2: 1 },
    "127.0.0.4": { 1: 1, 2: 1 },
  });
});

Deno.test("variables that were given by hand have to be given again, for a journal keeps no values", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write(
    "tasks/say.yaml",
    "hosts: [test]\nvars: { word: no }\nsteps:\n  - exec: 'test {{ word }} = yes'\n",
  );
  const carpool = (...args: string[]) => world.run(args, { cwd: world.home.path });
  assertEquals((await carpool("run", "say", "--var", "word=hunter2", "-F", world.configFile)).code, 1);
  const directory = join(world.home.path, ".local/state/carpool/runs");
  for (const { name } of Deno.readDirSync(directory)) {
    assertEquals(Deno.readTextFileSync(join(directory, name)).includes("hunter2"), false);
  }
  const refused = await carpool("run", "--resume");
  assertEquals(refused.code, 2);
  assertStringIncludes(
    refused.stderr,
    "it was given --var word, and a journal keeps no values; add --var word=…",
  );
  assertEquals((await carpool("run", "--resume", "--var", "word=yes")).code, 0);
});

Deno.test("run without a journal leaves none, and one that cannot keep it does not begin", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write("tasks/say.yaml", "hosts: [test]\nsteps:\n  - exec: echo x >> said\n");
  const state = await world.home.write("state", "a file\n");
  const options = { cwd: world.home.path, env: { XDG_STATE_HOME: state } };
  const refused = await world.run(["run", "say", "-F", world.configFile], options);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, "Cannot keep a journal of the run");
  assertEquals(world.sshd.connections(), 0);
  const { code } = await world.run(["run", "say", "--no-journal", "-F", world.configFile], options);
  assertEquals([code, await Deno.readTextFile(join(world.sshd.home, "said"))], [0, "x\n"]);
});

Deno.test("runs tells why a journal cannot be read, and lists the others", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write("tasks/say.yaml", "hosts: [test]\nsteps:\n  - exec: 'true'\n");
  const options = { cwd: world.home.path };
  assertEquals((await world.run(["run", "say", "-F", world.configFile], options)).code, 0);
  const runs = ".local/state/carpool/runs";
  await world.home.write(`${runs}/20991231-235959-abcd.jsonl`, "garbage\n");
  await world.home.write(`${runs}/20991231-235958-abcd.jsonl`, "");
  const { code, stdout } = await world.run(["runs"], options);
  assertEquals(code, 0);
  const [, garbage, empty, good] = stdout.split("\n");
  assertMatch(garbage!, /^20991231-235959-abcd +- +- +- +unreadable: it is no record$/);
  assertMatch(empty!, /^20991231-235958-abcd +- +- +- +unreadable: it is empty$/);
  assertMatch(good!, /^\S+ +say +.* UTC +1 of 1 +ok$/);
  const [first] = JSON.parse((await world.run(["runs", "--output", "json"], options)).stdout);
  assertEquals([first.standing, first.why], ["unreadable", "it is no record"]);
});

Deno.test("wrong use of resume is told and nothing is contacted", async () => {
  await using world = await KeeperWorld.make();
  const say = async (...args: string[]) => {
    const { code, stderr } = await world.run(["run", ...args], { cwd: world.home.path });
    return [code, stderr.replace(/^carpool: /, "").trim()];
  };
  const cannot = "Cannot read the command line";
  assertEquals(await say("--retry-unknown", "x"), [
    2,
    `${cannot}: --retry-unknown: it goes with --resume or --retry-failed; see carpool run --help`,
  ]);
  assertEquals(await say("--resume=../x"), [
    2,
    `${cannot}: ../x: that is not the name of a run; carpool runs lists them`,
  ]);
  assertEquals(await say("--resume=20260101-000000-abcd"), [
    2,
    "Cannot find the run to resume: 20260101-000000-abcd: there is no such run; carpool runs lists them",
  ]);
  assertEquals(await say("--resume", "--retry-failed"), [
    2,
    `${cannot}: --retry-failed: it goes without --resume; see carpool run --help`,
  ]);
  assertEquals(world.sshd.connections(), 0);
});
