import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readJournal } from "../../lib/job/journal_record.ts";
import { KeeperWorld, until } from "../master/keeper_world.ts";
import { alive } from "../support/processes.ts";
import { publicTempDir } from "../support/public_files.ts";
import type { Running } from "../support/run.ts";
import { carpoolOnTerminal } from "./typing.ts";

/** A command that leaves its pid and its child's behind, and would take five minutes. */
const long = "echo $$ > shell.pid; sleep 300 & echo $! > child.pid; wait";

/** The pids that the remote commands wrote down, when they have. */
async function pidsOf(
  world: KeeperWorld,
  running: Running,
  names: readonly string[] = ["shell", "child"],
): Promise<number[]> {
  let ended = false;
  running.finished.then(() => ended = true, () => ended = true);
  const read = (name: string) => {
    try {
      return Number(Deno.readTextFileSync(join(world.sshd.home, `${name}.pid`)).trim());
    } catch {
      return 0;
    }
  };
  await until(() => ended || names.every((name) => read(name) > 0));
  if (ended) assertEquals(running.output(), undefined, "it ended too soon");
  return names.map(read);
}

async function journal(world: KeeperWorld) {
  const directory = join(world.home.path, ".local/state/carpool/runs");
  const name = [...Deno.readDirSync(directory)].map(({ name }) => name).find((name) =>
    name.endsWith(".jsonl")
  );
  const state = readJournal(await Deno.readFile(join(directory, name!)));
  assert("run" in state);
  return state;
}

/** Runs a task of these steps on the world's host, and hands over when its long step runs. */
async function interrupted(
  world: KeeperWorld,
  steps: readonly string[],
  use: (running: Running, pids: number[]) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  await world.home.write(
    "tasks/long.yaml",
    `hosts: [test]\nsteps:\n${steps.map((s) => `  - ${s}\n`).join("")}`,
  );
  await using running = world.start(["run", "long", "-F", world.configFile, ...flags], {
    cwd: world.home.path,
  });
  await use(running, await pidsOf(world, running));
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${signal} ends the remote command and its children, and the journal says so`, async () => {
    await using world = await KeeperWorld.make();
    await interrupted(world, ["exec: 'true'", `exec: ${long}`, "exec: 'true'"], async (running, pids) => {
      assertEquals(alive(pids), pids);
      running.kill(signal);
      const { code, stderr } = await running.finished;
      assertEquals(code, 130);
      await until(() => alive(pids).length === 0);
      assertStringIncludes(stderr, "to go on: carpool run --resume=");
      const state = await journal(world);
      assertEquals(state.end, "interrupted");
      const known = state.steps.get("test")!;
      assertEquals([known.get("1")?.status, known.get("2")?.status], ["ok", "interrupted"]);
      assertEquals([known.get("2")?.outcome, known.get("3")?.status ?? "started"], ["signalled", "started"]);
    });
  });
}

Deno.test("Ctrl-C ends a remote command that ignores SIGTERM", async () => {
  await using world = await KeeperWorld.make();
  await interrupted(world, [`exec: trap "" TERM; ${long}; ${long}`], async (running, pids) => {
    running.kill("SIGINT");
    assertEquals((await running.finished).code, 130);
    await until(() => alive(pids).length === 0);
  });
});

Deno.test("Ctrl-C ends the remote commands of a parallel group, and of every host", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.2", "127.0.0.3"] });
  const one = (name: string) =>
    `exec: 'set -- $SSH_CONNECTION; echo $$ > $3-${name}.pid; sleep 300 & echo $! > $3-${name}-child.pid; wait'`;
  await world.home.write(
    "tasks/long.yaml",
    `hosts: [127.0.0.2, 127.0.0.3]\nsteps:\n  - parallel:\n      - ${one("a")}\n      - ${one("b")}\n`,
  );
  await using running = world.start(["run", "long", "-F", world.configFile], { cwd: world.home.path });
  const names = ["127.0.0.2", "127.0.0.3"].flatMap((host) =>
    ["a", "b"].flatMap((name) => [`${host}-${name}`, `${host}-${name}-child`])
  );
  const pids = await pidsOf(world, running, names);
  running.kill("SIGINT");
  assertEquals((await running.finished).code, 130);
  await until(() => alive(pids).length === 0);
});

Deno.test("second Ctrl-C leaves at once, though the remote command has not ended", async () => {
  await using world = await KeeperWorld.make();
  await interrupted(world, [`exec: trap "" TERM; ${long}; ${long}`], async (running, pids) => {
    running.kill("SIGINT");
    await running.waitFor(/Ctrl-C again leaves at once/, "stderr");
    running.kill("SIGINT");
    assertEquals((await running.finished).code, 130);
    assertEquals(alive(pids).length > 0, true);
    const state = await journal(world);
    assertEquals(state.end, undefined);
    assertEquals(state.steps.get("test")?.get("1")?.status, "started");
  });
});

Deno.test("Ctrl-C typed on a terminal ends the remote command, and the terminal is left as it was", async () => {
  await using world = await KeeperWorld.make();
  // The title of the step does not show what the command writes.
  const step = `${long.replace("wait", 'echo beg""un; wait')}`;
  await world.home.write("tasks/long.yaml", `hosts: [test]\nsteps:\n  - exec: '${step}'\n`);
  const args = ["run", "long", "-F", world.configFile];
  const { output, code } = await carpoolOnTerminal(world, args, [[/begun/, "\x03"]]);
  assertEquals(code, 130, output);
  const pids = ["shell", "child"].map((name) =>
    Number(Deno.readTextFileSync(join(world.sshd.home, `${name}.pid`)))
  );
  await until(() => alive(pids).length === 0);
  // deno-lint-ignore no-control-regex -- the cursor is there again
  assertEquals([...output.matchAll(/\x1b\[\?25([hl])/g)].at(-1)?.[1] ?? "h", "h");
});

/** Stands in for sudo: what it runs is in a session of its own, where no signal of ours reaches it. */
const sudo = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec setsid -w "$@"
`;

for (const timeout of [false, true]) {
  const what = timeout ? "timeout" : "Ctrl-C";
  Deno.test(`${what} ends a remote command of another account, which may not be signalled from here`, async () => {
    const bin = await publicTempDir("carpool-sudo-");
    await Deno.writeTextFile(join(bin, "sudo"), sudo, { mode: 0o755 });
    await Deno.chmod(join(bin, "sudo"), 0o755);
    await using world = await KeeperWorld.make({ setEnv: { PATH: `${bin}:/usr/bin:/bin` } });
    const step = `{ exec: '${long}', user: root${timeout ? ", timeout: 2s" : ""} }`;
    await interrupted(world, [step], async (running, pids) => {
      if (!timeout) running.kill("SIGINT");
      const { code } = await running.finished;
      assertEquals(code, timeout ? 1 : 130);
      await until(() => alive(pids).length === 0);
    });
    await Deno.remove(bin, { recursive: true });
  });
}

Deno.test("interrupted run is resumed at the step that was interrupted", async () => {
  await using world = await KeeperWorld.make();
  const step = `if [ -e again ]; then echo done > result; else touch again; ${long}; fi`;
  await interrupted(world, ["exec: echo x >> first", `exec: ${step}`], async (running) => {
    running.kill("SIGINT");
    assertEquals((await running.finished).code, 130);
  });
  const { code, stderr } = await world.run(["run", "--resume"], { cwd: world.home.path });
  assertEquals(code, 0, stderr);
  assertEquals(await Deno.readTextFile(join(world.sshd.home, "first")), "x\n");
  assertEquals(await Deno.readTextFile(join(world.sshd.home, "result")), "done\n");
});
