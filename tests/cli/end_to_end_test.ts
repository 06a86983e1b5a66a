import { procText } from "../master/keeper_world.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { loadJob } from "../../lib/job/load.ts";
import { runJob } from "../../lib/job/run_job.ts";
import { run } from "../support/run.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { carpool, startCarpool } from "./carpool.ts";

const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

// The three hosts are one account: each works in a folder of its own.
const jobFile = `name: deploy
hosts: ["127.0.0.[2-4]"]
env: { APP: shop }
steps:
  - name: say who
    exec: echo "$APP on $(echo $SSH_CONNECTION | cut -d' ' -f3)"
  - copy: ./dist/
    to: app-{host}/
  - name: look
    exec: cat app-$(echo $SSH_CONNECTION | cut -d' ' -f3)/sub/a.txt
    env: { APP: other }
    timeout: 30s
  - name: not needed
    exec: echo never
    creates: /etc/passwd
  - name: works the second time
    exec: mkdir flag-$(echo $SSH_CONNECTION | cut -d' ' -f3) || exit 0; exit 1
    retries: 1
  - parallel:
      - exec: sleep 0.1; echo one
      - exec: pwd
        cwd: /usr
  - fetch: app-{host}/sub/a.txt
    to: ./got/{host}.txt
`;

async function project(): Promise<string> {
  const cwd = await Deno.makeTempDir();
  await Deno.mkdir(`${cwd}/tasks`);
  await Deno.writeTextFile(`${cwd}/tasks/deploy.yaml`, jobFile);
  await Deno.mkdir(`${cwd}/dist/sub`, { recursive: true });
  await Deno.writeTextFile(`${cwd}/dist/sub/a.txt`, "hello\n");
  return cwd;
}

/** A server and a project for one test. */
async function withServer(use: (sshd: Sshd, cwd: string) => Promise<void>, hosts = addresses): Promise<void> {
  await using sshd = await startSshd({ hosts });
  const cwd = await project();
  try {
    await use(sshd, cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** How to reach the server's hosts by connections of the command's own, so that no keeper stays behind. */
function optionsFor(sshd: Sshd): string[] {
  return ["-F", sshd.configFile, "-o", "ControlMaster=no"];
}

async function gotOf(cwd: string): Promise<string[]> {
  return await Promise.all(addresses.map((address) => Deno.readTextFile(`${cwd}/got/${address}.txt`)));
}

Deno.test("carpool run takes seven steps over three hosts with exactly one connection each", async () => {
  await withServer(async (sshd, cwd) => {
    const { code, stdout, stderr } = await carpool(["run", "deploy", ...optionsFor(sshd)], { cwd });
    assertEquals([code, stderr], [0, ""], stdout);
    assertEquals(sshd.connections(), 3);
    assertEquals(await gotOf(cwd), ["hello\n", "hello\n", "hello\n"]);
    for (const address of addresses) {
      const mine = stdout.split("\n").filter((line) => line.startsWith(`${address} | `));
      assertEquals(mine.map((line) => line.slice(address.length + 3)).toSorted(), [
        "/usr",
        "hello",
        "one",
        `shop on ${address}`,
      ]);
      assertStringIncludes(stdout, `${address} - 4 not needed: skipped, /etc/passwd exists`);
      assertMatch(stdout, new RegExp(`${address} ok: 7 ok, 1 skipped, `));
    }
    assertMatch(stdout, /3 hosts: 3 ok; 3 connections opened, /);
  });
});

Deno.test("runJob does the same from the module, and tells it as events", async () => {
  await withServer(async (sshd, cwd) => {
    const run = runJob(await loadJob("deploy", { cwd }), {
      cwd,
      configFile: sshd.configFile,
      share: false,
      retryDelayMs: 1,
    });
    const events: RunEvent[] = [];
    for await (const event of run) events.push(event);
    const result = await run.result;
    assertEquals([result.status, result.connections], ["ok", 3]);
    assertEquals(sshd.connections(), 3);
    assertEquals(await gotOf(cwd), ["hello\n", "hello\n", "hello\n"]);
    const ready = events.filter((event) => event.type === "host-ready");
    assertEquals(
      ready.map((event) => event.where).toSorted(),
      addresses.map((a) => `${sshd.user}@${a}:${sshd.port}`),
    );
    assertEquals(events.filter((event) => event.type === "step-retry").length, 3);
  });
});

Deno.test("carpool run --output json is one event a line, and the exit status tells a failed step", async () => {
  await withServer(async (sshd, cwd) => {
    await Deno.writeTextFile(`${cwd}/bad.yaml`, "steps:\n  - exec: exit 3\n  - exec: echo never\n");
    const args = ["run", "./bad.yaml", "--hosts", "test1,test2", "--output", "json", ...optionsFor(sshd)];
    const { code, stdout } = await carpool(args, { cwd });
    const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as RunEvent);
    assertEquals(code, 1);
    assertEquals([events.at(0)?.type, events.at(-1)?.type], ["run-start", "run-end"]);
    assertEquals(events.filter((e) => e.type === "step-end").map((e) => [e.status, e.code]), [["failed", 3], [
      "failed",
      3,
    ]]);
  });
});

Deno.test("the tasks that come with carpool run on a real host", async () => {
  await withServer(async (sshd) => {
    const cwd = new URL("../..", import.meta.url).pathname;
    const uptime = await carpool(["run", "uptime", "--hosts", "test", ...optionsFor(sshd)], { cwd });
    assertEquals(uptime.code, 0, uptime.stdout);
    assertMatch(uptime.stdout, /test \| .*load average/);
    const disks = await carpool(["run", "disk-usage", "--hosts", "test", ...optionsFor(sshd)], { cwd });
    assertMatch(disks.stdout, /test \| Filesystem/);
    // 0: no file system is too full here; 1: one is, and it says which.
    assert(disks.code === 0 || / is \d+% full/.test(disks.stdout), disks.stdout);
  });
});

Deno.test("exec on one host passes bytes, input and the exit status on", async () => {
  await withServer(async (sshd) => {
    const exec = (args: string[], stdin?: Uint8Array) =>
      carpool(["exec", ...optionsFor(sshd), "test", "--", ...args], { stdin });
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    assertEquals((await exec(["cat"], bytes)).stdoutBytes, bytes);
    const big = await exec(["head -c 3000000 /dev/zero; echo oops >&2; exit 7"]);
    assertEquals([big.code, big.stdoutBytes.length, big.stderr], [7, 3_000_000, "oops\n"]);
    const words = await exec(["echo", "a  b", "'c  d'"]);
    assertEquals(words.stdout, "a b c  d\n");
    const killed = await exec(["kill -9 $$"]);
    assertEquals([killed.code, killed.stdout], [255, ""]);
    assertMatch(killed.stderr, /^carpool: The command did not end by itself: .*: SIGKILL ended it\n$/);
    const tty = await carpool(["exec", ...optionsFor(sshd), "-t", "test", "tty && echo yes"], {
      stdin: "",
    });
    assertMatch(tty.stdout, /\/dev\/pts\/\d+\r\nyes\r\n/);
  });
});

Deno.test("exec on several hosts puts the host before each line and reaches each once", async () => {
  await withServer(async (sshd) => {
    const args = ["exec", ...optionsFor(sshd), "test[1-3],test2", "--", "echo hi; echo oops >&2"];
    const { code, stdout, stderr } = await carpool(args);
    assertEquals(code, 0);
    assertEquals(stdout.trimEnd().split("\n").toSorted(), ["test1: hi", "test2: hi", "test3: hi"]);
    assertEquals(stderr.trimEnd().split("\n").toSorted(), ["test1: oops", "test2: oops", "test3: oops"]);
    assertEquals(sshd.connections(), 3);
  });
});

Deno.test("exec takes cwd, variables and a time limit", async () => {
  await withServer(async (sshd) => {
    const exec = (...args: string[]) => carpool(["exec", ...optionsFor(sshd), ...args]);
    const where = await exec("--cwd", "/usr", "--env", "A=b c", "test", "--", "pwd; echo $A");
    assertEquals(where.stdout, "/usr\nb c\n");
    const late = await exec("--timeout", "200ms", "test", "--", "sleep 300");
    assertEquals(late.code, 255);
    assertStringIncludes(late.stderr, "it ran out of time");
  });
});

Deno.test("copy takes files to hosts and back", async () => {
  await withServer(async (sshd, cwd) => {
    const copy = (...args: string[]) => carpool(["copy", ...optionsFor(sshd), ...args], { cwd });
    await Deno.writeTextFile(`${cwd}/one`, "1");
    await Deno.writeTextFile(`${cwd}/two`, "2");
    const up = await copy("one", "two", "dist", "test:here/");
    assertEquals([up.code, up.stdout, up.stderr], [0, "", ""]);
    assertEquals(await Deno.readTextFile(`${sshd.home}/here/two`), "2");
    assertEquals(await Deno.readTextFile(`${sshd.home}/here/dist/sub/a.txt`), "hello\n");
    assertEquals((await copy("one", "test[1-2]:for-{host}")).code, 0);
    assertEquals(await Deno.readTextFile(`${sshd.home}/for-test2`), "1");
    assertEquals((await copy("test[1-2]:here/two", "./got/{host}")).code, 0);
    assertEquals(await Deno.readTextFile(`${cwd}/got/test1`), "2");
    const missing = await copy("test:not/there", "./got/");
    assertEquals(missing.code, 1);
    assertMatch(missing.stderr, /^test: FAILED .*not\/there/);
  });
});

Deno.test("hosts tells what a pattern resolves to and contacts nobody", async () => {
  await withServer(async (sshd, cwd) => {
    await Deno.writeTextFile(`${cwd}/inventory.yaml`, 'groups: { all: ["test[1-2]", "me@[::1]:23"] }\n');
    const { code, stdout } = await carpool(["hosts", "@all", "--output", "json", ...optionsFor(sshd)], {
      cwd,
    });
    assertEquals(code, 0);
    const { user, port } = sshd;
    const more = { via: null, group: "all", groups: [], options: {}, vars: {} };
    assertEquals(JSON.parse(stdout), [
      { name: "test1", host: "127.0.0.2", user, port, ...more },
      { name: "test2", host: "127.0.0.3", user, port, ...more },
      { name: "me@[::1]:23", host: "::1", user: "me", port: 23, ...more },
    ]);
    assertEquals(sshd.connections(), 0);
  });
});

Deno.test("unreachable hosts exit 4 from run, 255 from exec, and 1 beside a failure", async () => {
  await withServer(async (sshd, cwd) => {
    using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    const F = optionsFor(sshd);
    const bad = `me@127.0.0.9:${port}`;
    await Deno.writeTextFile(`${cwd}/t.yaml`, "steps:\n  - exec: exit 3\n");
    const run = await carpool(["run", "./t.yaml", "--hosts", bad, ...F], { cwd });
    assertEquals(run.code, 4, run.stdout);
    assertMatch(run.stdout, /UNREACHABLE .*127\.0\.0\.9/);
    assertEquals((await carpool(["run", "./t.yaml", "--hosts", `${bad},test`, ...F], { cwd })).code, 1);
    const exec = await carpool(["exec", ...F, bad, "ls"]);
    assertEquals([exec.code, exec.stdout, exec.stderr.trimEnd().split("\n").length], [255, "", 1]);
    const unknown = await carpool(["exec", ...F, "no-such-host.invalid", "ls"]);
    assertEquals(unknown.code, 255);
    assertStringIncludes(unknown.stderr, "no-such-host.invalid");
    assertEquals((await carpool(["copy", ...F, "t.yaml", `${bad}:/tmp/`], { cwd })).code, 4);
  });
});

Deno.test("a key that the host does not know ends exec with 255 and one line, and no question", async () => {
  await withServer(async (sshd, cwd) => {
    await run(sshd.openssh.sshKeygen, ["-q", "-t", "ed25519", "-N", "", "-f", `${cwd}/key`], {
      env: sshd.openssh.env,
    });
    const options = ["-F", "none", "-l", sshd.user, "-p", `${sshd.port}`, "-i", `${cwd}/key`];
    const known = ["-o", "ControlMaster=no", "-o", `UserKnownHostsFile=${sshd.knownHostsFile}`];
    const { code, stdout, stderr } = await carpool(["exec", ...options, ...known, addresses[0]!, "ls"], {
      cwd,
    });
    assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [255, "", 1], stderr);
    assertMatch(stderr, /^carpool: .*127\.0\.0\.2/);
  });
});

Deno.test("a mistake in ssh_config or an option stops a run before anything is contacted", async () => {
  await withServer(async (sshd, cwd) => {
    const { code, stdout } = await carpool(["run", "deploy", ...optionsFor(sshd), "-o", "NoSuchOption=1"], {
      cwd,
    });
    assertEquals([code, stdout], [2, ""]);
    assertEquals(sshd.connections(), 0);
  });
});

Deno.test("Ctrl-C reaches the command on one host", async () => {
  await withServer(async (sshd) => {
    const handled = "trap 'echo got it; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    await using polite = startCarpool(["exec", ...optionsFor(sshd), "test", "--", handled]);
    await polite.waitFor(/ready/);
    polite.kill("SIGINT");
    const { code, stdout } = await polite.finished;
    assertEquals([code, stdout], [5, "ready\ngot it\n"]);
    await using plain = startCarpool([
      "exec",
      "-F",
      sshd.configFile,
      "test",
      "--",
      "echo ready; exec sleep 300",
    ]);
    await plain.waitFor(/ready/);
    plain.kill("SIGINT");
    assertEquals((await plain.finished).code, 130);
  });
});

Deno.test("Ctrl-C stops a run on all its hosts, and nothing keeps running there", async () => {
  await withServer(async (sshd, cwd) => {
    await Deno.writeTextFile(
      `${cwd}/t.yaml`,
      "steps:\n  - exec: echo ready; exec sleep 300\n  - exec: echo never\n",
    );
    await using run = startCarpool(["run", "./t.yaml", "--hosts", "test[1-3]", ...optionsFor(sshd)], {
      cwd,
    });
    await run.waitFor(/(\| ready[^]*){3}/);
    const sleeping = sshd.processes();
    assert(sleeping.length >= 3);
    run.kill("SIGINT");
    const { code, stdout } = await run.finished;
    assertEquals(code, 130, stdout);
    assertMatch(stdout, /3 hosts: 0 ok, 3 interrupted/);
    await sshd.waitForLog(/((Disconnected from user|Connection closed by)[^]*){3}/);
    const sleeps = sshd.processes().map((pid) => procText(pid, "tr '\\0' ' ' < cmdline"))
      .filter((line) => line.startsWith("sleep"));
    assertEquals(sleeps, []);
  });
});
