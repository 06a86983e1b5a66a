import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { runJob, type RunJobOptions } from "../../lib/job/run_job.ts";
import { shell, shellNames } from "../support/shells.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

async function inDirectory<T>(files: Record<string, string>, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${dir}/${name}`.replace(/\/[^\/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Runs a job on the first host of a server, by a connection of its own. */
async function runOn(sshd: Sshd, definition: JobDefinition, options: RunJobOptions = {}) {
  const running = runJob({ hosts: sshd.host, ...definition }, {
    configFile: sshd.configFile,
    share: false,
    ...options,
  });
  const events: RunEvent[] = [];
  for await (const event of running) events.push(event);
  const output: Record<string, string> = {};
  const ends: string[] = [];
  for (const event of events) {
    if (event.type === "step-output") output[event.step] = (output[event.step] ?? "") + event.text;
    if (event.type === "step-end") ends.push(`${event.step} ${event.status}`);
    if (event.type === "step-skip") ends.push(`${event.step} skipped`);
  }
  return { events, output, ends, result: await running.result, text: JSON.stringify(events) };
}

const files = {
  "s.sh": '#!/bin/sh\necho "<$1> $A"; cat; exit 4\n',
  "t.conf": "host {{ host }}\nport {{ port }}\n",
  "tree/a.txt": "a",
  "tree/b.map": "b",
  "tree/.git/c": "c",
  "tree/sub/d.txt": "d",
  "tree/sub/e.map": "e",
};

const job: JobDefinition = {
  vars: { port: 22, name: "it's $HOME" },
  env: { A: "job's" },
  steps: [
    { script: "s.sh", args: ["{{ name }}"], register: "s", ignoreErrors: true },
    { exec: "echo {{ s.stdout }} {{ s.code }}", when: "s.code == 4" },
    {
      template: "t.conf",
      to: "conf/",
      mode: "0600",
      creates: "never",
      register: "made",
      unless: "true",
    },
    { exec: "mkdir -p conf" },
    { template: "t.conf", to: "conf/", mode: "0600", register: "first" },
    { template: "t.conf", to: "~/conf/t.conf", register: "second" },
    { exec: "echo {{ first.changed }} {{ second.changed }} {{ made.skipped }}" },
    {
      copy: "tree/",
      to: "copied/",
      exclude: ["*.map", ".git"],
      mode: "0640",
      owner: ":{{ group_id.stdout }}",
    },
    { exec: "find copied -type f | sort" },
    { wait: { file: "conf/t.conf" } },
    { exec: "false", onFailure: [{ exec: "echo undone" }], ignoreErrors: true },
    { exec: "echo hunter2 | sed s/2/3/", secret: true, register: "hidden" },
    { exec: "echo now {{ hidden.stdout }}" },
    { exec: "exit 3", quiet: true, retries: 1, delay: "10ms", ignoreErrors: true },
  ],
  before: [{ exec: "id -g", register: "group_id" }],
  finally: [{ exec: "echo end {{ failed }}" }],
};

Deno.test("all that a step may be and say works on a real server", async () => {
  await using sshd = await startSshd();
  await inDirectory(files, async (cwd) => {
    for (const fuse of [true, false]) {
      const told = await runOn(sshd, job, { cwd, fuse });
      assertEquals(told.result.status, "ok", told.text);
      assertEquals(told.result.connections, 1);
      assertEquals(told.output["1"], "<it's $HOME> job's\n");
      assertEquals(told.output["2"], "<it's $HOME> job's 4\n");
      assertEquals(told.output["7"], fuse ? "true false true\n" : "false false true\n");
      assertEquals(told.output["9"], "copied/a.txt\ncopied/sub/d.txt\n");
      assertEquals(told.output["11.onFailure.1"], "undone\n");
      assertEquals(told.output["12"], undefined);
      assertEquals(told.output["13"], "now ***\n");
      assertEquals(told.output["finally.1"], "end false\n");
      assert(!told.text.includes("hunter"));
      assertEquals(told.ends.filter((end) => !end.endsWith("ok")), [
        ...["1 failed", "3 skipped", "11 failed", "14 failed"],
      ]);
    }
    assertEquals(await Deno.readTextFile(`${sshd.home}/conf/t.conf`), `host ${sshd.host}\nport 22\n`);
    assertEquals((await Deno.stat(`${sshd.home}/conf/t.conf`)).mode! & 0o777, 0o600);
    assertEquals((await Deno.stat(`${sshd.home}/copied/a.txt`)).mode! & 0o777, 0o640);
  });
});

Deno.test("scripts, templates, waits and values are read right by every login shell", async () => {
  await inDirectory(files, async (cwd) => {
    for (const name of shellNames) {
      await using sshd = await startSshd({ loginShell: await shell(name) });
      const told = await runOn(sshd, {
        vars: { name: "it's \\ $HOME !x", port: sshd.port },
        env: { A: "a b" },
        steps: [
          { script: "s.sh", args: ["{{ name }}"], ignoreErrors: true },
          { exec: "echo {{ name }}" },
          { template: "t.conf", to: "t.conf" },
          { wait: { port: "{{ port }}" }, timeout: "10s" },
          { wait: { command: "test -s t.conf" }, timeout: "10s" },
        ],
      }, { cwd });
      assertEquals(told.output["1"], "<it's \\ $HOME !x> a b\n", name + told.text);
      assertEquals(told.output["2"], "it's \\ $HOME !x\n", name);
      assertEquals(told.ends.slice(2), ["3 ok", "4 ok", "5 ok"], name + told.text);
    }
  });
});

Deno.test("reconnect is a login of its own, seen by the server", async () => {
  await using sshd = await startSshd();
  const before = sshd.connections();
  const told = await runOn(sshd, {
    steps: [
      { exec: "echo $SSH_CONNECTION", register: "one" },
      { reconnect: true },
      { exec: "echo $SSH_CONNECTION", register: "two" },
      { exec: "exit 1", when: "one.stdout == two.stdout" },
    ],
  });
  assertEquals(told.ends, ["1 ok", "2 ok", "3 ok", "4 skipped"], told.text);
  assertEquals([told.result.connections, sshd.connections() - before], [2, 2]);
});
