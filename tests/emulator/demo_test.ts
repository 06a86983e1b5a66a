import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PerCommandHost } from "../../lib/cli/demo_host.ts";
import type { JobHost } from "../../lib/job/job_host.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * `deno task demo`: its own command line from deno.json, so that the permissions there are what is tested. It gets
 * Ctrl-C for each text in `interrupts`, when that has been shown.
 */
async function demo(args: readonly string[], interrupts: readonly string[] = []): Promise<Ran> {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json")) as { tasks: Record<string, string> };
  const [program, ...words] = tasks.demo.split(" ");
  assertEquals(program, "deno");
  const child = new Deno.Command(Deno.execPath(), {
    args: [...words, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stdout = "";
  const awaited = [...interrupts];
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += text;
      while (awaited.length > 0 && stdout.includes(awaited[0])) {
        child.kill("SIGINT");
        awaited.shift();
      }
    }
  })();
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text(), reading]);
  return { code, stdout, stderr };
}

function demoDirectories(): string[] {
  return Array.from(Deno.readDirSync("/tmp"), ({ name }) => name).filter((name) =>
    name.startsWith("carpool-demo-")
  );
}

Deno.test("demo shows both ways to connect, their connections and round trips, and leaves nothing", async () => {
  const before = new Set(demoDirectories());
  const { code, stdout, stderr } = await demo(["--hosts", "2", "--rtt", "20"]);
  assertEquals(code, 0, stdout + stderr);
  const [, alone] = /a connection per command +[\d.]+ m?s +(\d+) +\d+$/m.exec(stdout) ?? [];
  const [, shared] = /one shared +[\d.]+ m?s +(\d+) +\d+$/m.exec(stdout) ?? [];
  // 11 steps on each of 2 hosts.
  assertEquals([alone, shared], ["22", "2"], stdout);
  const trips = Array.from(stdout.matchAll(/(\d+)$/gm), ([, count]) => Number(count));
  // Each of the 10 connections that sharing does not make costs 6 round trips, or 4 where two were made side by side.
  assert(trips[0] - trips[1] >= 40, stdout);
  assertMatch(stdout, /^Sharing the connection saves .* fewer\.$/m);
  assertEquals(demoDirectories().filter((name) => !before.has(name)), []);
});

for (const times of [1, 2]) {
  Deno.test(`demo stops on ${times === 1 ? "Ctrl-C" : "a second Ctrl-C"} with status 130, and leaves nothing`, async () => {
    const before = new Set(demoDirectories());
    const { code } = await demo(["--hosts", "1", "--rtt", "500"], Array(times).fill("wall time"));
    assertEquals(code, 130);
    assertEquals(demoDirectories().filter((name) => !before.has(name)), []);
  });
}

Deno.test("demo refuses a wrong option with status 2, and starts nothing", async () => {
  const { code, stdout, stderr } = await demo(["--rtt", "fast"]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "a whole number from 0 to 2000");
});

Deno.test("per-command host makes a connection for each command, and ends each", async () => {
  const open = new Set<object>();
  let made = 0;
  const connect = () => {
    made++;
    const host = {
      exec: () => Promise.resolve({ code: 0 }),
      spawn: (command: string) =>
        command === "refuse"
          ? Promise.reject(new TypeError("no"))
          : Promise.resolve({ status: Promise.resolve({}) }),
      copy: () => Promise.resolve({}),
      fetch: () => Promise.resolve({}),
      [Symbol.asyncDispose]: () => {
        open.delete(host);
        return Promise.resolve();
      },
    };
    open.add(host);
    return Promise.resolve(host as unknown as JobHost);
  };
  const host = new PerCommandHost("web1", connect);
  assertEquals(made, 0);
  await host.exec("true");
  await host.copy("a", "b");
  await host.fetch("a", "b");
  await host.spawn("true");
  await host.spawn("refuse").catch((error) => assert(error instanceof TypeError));
  await host[Symbol.asyncDispose]();
  assertEquals([made, open.size], [5, 0]);
});
