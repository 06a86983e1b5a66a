import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { run, type RunResult } from "../support/run.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const root = join(import.meta.dirname!, "../..");
const hosts = ["127.0.31.2", "127.0.31.3", "127.0.31.4"];

/** A server, and a folder to stand in, with an inventory that gives each host (they share a home) a folder of its own. */
async function withHosts(use: (world: World) => Promise<void>): Promise<void> {
  await using sshd = await startSshd({ hosts });
  const cwd = await Deno.makeTempDir();
  try {
    const own = hosts.map((host) => `  ${host}: { vars: { base: "app-${host}", mine: "mine-${host}" } }`)
      .join("\n");
    await Deno.writeTextFile(
      `${cwd}/inventory.yaml`,
      `groups: { all3: [${hosts.join(", ")}] }\nhosts:\n${own}\n`,
    );
    await use(new World(sshd, cwd));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

class World {
  readonly sshd: Sshd;
  readonly cwd: string;

  constructor(sshd: Sshd, cwd: string) {
    this.sshd = sshd;
    this.cwd = cwd;
  }

  /** Runs a task as `deno task` does, with the permissions of deno.json. */
  task(
    name: string,
    ...args: readonly string[]
  ): Promise<RunResult & { readonly events: readonly RunEvent[] }> {
    return this.#run([name], args);
  }

  async #run(task: readonly string[], args: readonly string[]) {
    const connection = [
      "-F",
      this.sshd.configFile,
      "-o",
      "ControlMaster=no",
      "--no-journal",
      "--output",
      "json",
    ];
    const result = await run(
      Deno.execPath(),
      [
        "task",
        "--quiet",
        "--config",
        join(root, "deno.json"),
        ...task,
        "--hosts",
        "@all3",
        ...connection,
        ...args,
      ],
      { cwd: this.cwd, env: { NO_COLOR: "1", INIT_CWD: this.cwd }, deadlineMs: 120_000 },
    );
    const lines = result.stdout.split("\n").filter((line) => line.startsWith("{"));
    return { ...result, events: lines.map((line) => JSON.parse(line) as RunEvent) };
  }

  /** Runs a copy of a task that waits for less long. */
  async impatient(
    name: string,
    ...args: readonly string[]
  ): Promise<RunResult & { readonly events: readonly RunEvent[] }> {
    const text = await Deno.readTextFile(join(root, "tasks", `${name}.yaml`));
    await Deno.writeTextFile(`${this.cwd}/${name}.yaml`, text.replace(/(wait:[^]*?timeout: )\d+s/, "$12s"));
    return await this.#run(["carpool", "run", `./${name}.yaml`], args);
  }

  /** A path in the home of the account. */
  home(path: string): string {
    return join(this.sshd.home, path);
  }
}

const outcomes = (events: readonly RunEvent[]) =>
  Object.fromEntries(
    events.filter((event) => event.type === "host-end").map(({ host, status }) => [host, status]),
  );

const output = (events: readonly RunEvent[], step: string) =>
  events.flatMap((event) => event.type === "step-output" && event.step === step ? [event.text] : []).join("");

const all = (status: string) => Object.fromEntries(hosts.map((host) => [host, status]));

Deno.test("every task that comes with carpool is a deno task with its permissions spelled out", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  for await (const { name } of Deno.readDir(join(root, "tasks"))) {
    const task = tasks[name.replace(/\.yaml$/, "")];
    assert(typeof task === "string", `${name} is no deno task`);
    assert(!/ -A\b|--allow-all/.test(task), task);
  }
});

Deno.test("uptime and disk-usage tell of every host", async () => {
  await withHosts(async (world) => {
    const uptime = await world.task("uptime");
    assertEquals([uptime.code, outcomes(uptime.events)], [0, all("ok")], uptime.stderr);
    assertEquals(output(uptime.events, "1").match(/load average/g)?.length, 3);
    const disk = await world.task("disk-usage");
    assertMatch(output(disk.events, "1"), /Filesystem/);
  });
});

Deno.test("patch-level tells system and waiting updates, and fails only where it is asked to", async () => {
  await withHosts(async (world) => {
    const told = await world.task("patch-level");
    assertEquals([told.code, outcomes(told.events)], [0, all("ok")], told.stderr + told.stdout);
    assertMatch(output(told.events, "3"), /^(\d+|unknown)\n/);
    const waiting = parseInt(output(told.events, "3"));
    const strict = await world.task("patch-level", "--var", "most=0");
    assertEquals(outcomes(strict.events), all(waiting > 0 ? "failed" : "ok"), strict.stdout);
  });
});

Deno.test("collect-logs brings a pack from every host, and cleans up", async () => {
  await withHosts(async (world) => {
    await Deno.writeTextFile(world.home("a b.log"), "one\n");
    await Deno.writeTextFile(world.home("c.log"), "two\n");
    const told = await world.task("collect-logs", "--var", "files=a b.log,c.log");
    assertEquals([told.code, outcomes(told.events)], [0, all("ok")], told.stderr + told.stdout);
    for (const host of hosts) {
      const { stdout } = await run("tar", ["-tzf", `${world.cwd}/logs/${host}.tar.gz`]);
      assertEquals(stdout, "a b.log\nc.log\n");
    }
    const places = output(told.events, "1");
    assertEquals(places, "");
    const missing = await world.task("collect-logs", "--var", "files=c.log,gone.log");
    assertEquals([missing.code, outcomes(missing.events)], [1, all("failed")]);
    assertMatch(output(missing.events, "4"), /gone\.log/);
    const { stdout } = await run("tar", ["-tzf", `${world.cwd}/logs/${hosts[0]}.tar.gz`]);
    assertEquals(stdout, "c.log\n");
  });
});

Deno.test("deploy makes a release current, keeps the last ones, and goes back when the new one does not work", async () => {
  await withHosts(async (world) => {
    await Deno.mkdir(`${world.cwd}/dist`);
    const deploy = async (version: string, good: boolean) => {
      await Deno.writeTextFile(`${world.cwd}/dist/version`, version);
      await Deno.writeTextFile(`${world.cwd}/dist/good`, good ? "yes" : "no");
      return await world.task(
        "deploy",
        ...[
          "--var",
          `version=${version}`,
          "--var",
          "keep=2",
          "--var",
          "restart=cat version >>../../restarts",
        ],
        ...["--var", "check=grep -q yes good"],
      );
    };
    for (const version of ["1.0", "1.1", "1.2"]) {
      const told = await deploy(version, true);
      assertEquals([told.code, outcomes(told.events)], [0, all("ok")], told.stderr + told.stdout);
    }
    for (const host of hosts) {
      const base = world.home(`app-${host}`);
      assertEquals(await Deno.readLink(`${base}/current`), "releases/1.2");
      const kept = (await Array.fromAsync(Deno.readDir(`${base}/releases`))).map(({ name }) => name).sort();
      assertEquals(kept, ["1.1", "1.2"]);
      assertEquals(await Deno.readTextFile(`${base}/restarts`), "1.01.11.2");
    }
  });
});

Deno.test("deploy goes back on the host where the release does not work, and leaves the others as they are", async () => {
  await withHosts(async (world) => {
    await Deno.mkdir(`${world.cwd}/dist`);
    await Deno.writeTextFile(`${world.cwd}/dist/version`, "1");
    const deploy = (version: string, check: string) =>
      world.impatient(
        "deploy",
        ...[
          "--var",
          `version=${version}`,
          "--var",
          "restart=cat version >>../../restarts",
          "--var",
          `check=${check}`,
        ],
      );
    assertEquals((await deploy("1", "true")).code, 0);
    await Deno.writeTextFile(`${world.cwd}/dist/version`, "2");
    const told = await deploy("2", "grep -q 1 version");
    assertEquals([told.code, outcomes(told.events)[hosts[0]!], outcomes(told.events)[hosts[2]!]], [
      1,
      "failed",
      "skipped",
    ], told.stdout);
    for (const host of hosts) {
      const base = world.home(`app-${host}`);
      assertEquals(await Deno.readLink(`${base}/current`), "releases/1");
      assertEquals(await Deno.stat(`${base}/.deploying`).then(() => true, () => false), false);
    }
    assertEquals(await Deno.readTextFile(world.home(`app-${hosts[0]}/restarts`)), "121");
    // Somebody else deploys: nothing is touched, and the lock stays theirs.
    await Deno.mkdir(world.home(`app-${hosts[0]}/.deploying`));
    assertEquals((await deploy("3", "true")).code, 1);
    assertEquals(await Deno.readLink(world.home(`app-${hosts[0]}/current`)), "releases/1");
    assert((await Deno.stat(world.home(`app-${hosts[0]}/.deploying`))).isDirectory);
  });
});

Deno.test("rolling-restart goes from host to host and stops at the first that does not come back", async () => {
  await withHosts(async (world) => {
    const address = `$(echo $SSH_CONNECTION | cut -d" " -f3)`;
    const restart = `echo ${address} >>order`;
    const good = await world.task(
      "rolling-restart",
      ...["--var", `restart=${restart}`, "--var", "check=test ! -e broken"],
      ...["--var", `drain=echo out >>order`, "--var", "undrain=echo in >>order"],
    );
    assertEquals([good.code, outcomes(good.events)], [0, all("ok")], good.stderr + good.stdout);
    assertEquals(
      (await Deno.readTextFile(world.home("order"))).trim().split("\n"),
      hosts.flatMap((host) => ["out", host, "in"]),
    );
    await Deno.remove(world.home("order"));
    const bad = await world.impatient(
      "rolling-restart",
      ...[
        "--var",
        `restart=${restart}; touch broken`,
        "--var",
        "check=test ! -e broken",
        "--var",
        "undrain=echo in >>order",
      ],
    );
    assertEquals(bad.code, 1);
    assertEquals(outcomes(bad.events), {
      [hosts[0]!]: "failed",
      [hosts[1]!]: "skipped",
      [hosts[2]!]: "skipped",
    });
    assertEquals(await Deno.readTextFile(world.home("order")), `${hosts[0]}\n`);
  });
});
