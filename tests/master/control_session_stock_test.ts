/** The stock client against our end of a control socket. A direct connection would fail, and so would the test. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MUX_FORWARD } from "../../lib/wire/mux.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { type ListeningMaster, listeningMaster, noSuchForward } from "./fake_master.ts";

async function ssh({ path }: ListeningMaster, ...args: string[]) {
  const { ssh, env } = await openssh();
  const words = ["-F", "none", "-o", "ProxyCommand=/bin/false", "-S", path, ...args, "host"];
  return await run(ssh, words, { env, deadlineMs: 20_000 });
}

Deno.test("control session lets ssh -O check, stop and exit do their work", async () => {
  await using ends = await listeningMaster();
  const check = await ssh(ends, "-O", "check");
  assertEquals([check.code, check.stderr], [0, "Master running (pid=4711)\r\n"]);
  const stop = await ssh(ends, "-O", "stop");
  assertEquals([stop.code, stop.stderr, ends.master.stops], [0, "Stop listening request sent.\r\n", 1]);
  const exit = await ssh(ends, "-O", "exit");
  assertEquals([exit.code, exit.stderr, ends.master.exits], [0, "Exit request sent.\r\n", 1]);
});

Deno.test("control session understands ssh -O forward and cancel of every kind", async () => {
  await using ends = await listeningMaster();
  const { forwards } = ends.master;
  const cases = [
    ["-L", "8080:db:5432", MUX_FORWARD.LOCAL, { host: "", port: 8080 }, { host: "db", port: 5432 }],
    ["-L", "*:8080:db:5432", MUX_FORWARD.LOCAL, { host: "*", port: 8080 }, { host: "db", port: 5432 }],
    ["-L", "/tmp/l:/tmp/c", MUX_FORWARD.LOCAL, { path: "/tmp/l" }, { path: "/tmp/c" }],
    ["-R", "127.0.0.1:81:web:80", MUX_FORWARD.REMOTE, { host: "127.0.0.1", port: 81 }, {
      host: "web",
      port: 80,
    }],
    ["-R", "/tmp/r:web:80", MUX_FORWARD.REMOTE, { path: "/tmp/r" }, { host: "web", port: 80 }],
  ] as const;
  for (const [flag, text, type, listen, connect] of cases) {
    for (const command of ["forward", "cancel"]) {
      const { code, stderr } = await ssh(ends, "-O", command, flag, text);
      assertEquals([code, stderr], [0, ""], `${command} ${flag} ${text}`);
      const last = forwards.pop();
      assertEquals(last, {
        kind: command === "forward" ? "open" : "close",
        forward: { type, listen, connect },
      });
    }
  }
  // What a dynamic one would connect to is without meaning.
  for (const [flag, type] of [["-D", MUX_FORWARD.DYNAMIC], ["-R", MUX_FORWARD.REMOTE]] as const) {
    assertEquals((await ssh(ends, "-O", "forward", flag, "1080")).code, 0);
    const last = forwards.pop();
    assertEquals([last?.forward.type, last?.forward.listen], [type, { host: "", port: 1080 }]);
  }
});

Deno.test("control session tells ssh -O forward the port that was allocated, and why a forward was refused", async () => {
  await using ends = await listeningMaster();
  ends.master.forwardResult = 40123;
  const allocated = await ssh(ends, "-O", "forward", "-R", "0:web:80");
  assertEquals([allocated.code, allocated.stdout], [0, "40123\n"]);
  ends.master.forwardResult = noSuchForward;
  const refused = await ssh(ends, "-O", "forward", "-L", "8080:db:5432");
  assertEquals(refused.code, 255);
  assertMatch(refused.stderr, /the port is taken/);
});

Deno.test("control session refuses a stock client's session and -W clearly, and serves the next request", async () => {
  await using ends = await listeningMaster();
  for (const args of [["-n", "-T"], ["-tt"], ["-W", "db:5432"]]) {
    const { code, stderr } = await ssh(ends, ...args);
    assertEquals(code, 255);
    assertMatch(stderr, /Carpool does not take .* this way yet: use ssh -O proxy/);
  }
  assertEquals((await ssh(ends, "-O", "check")).code, 0);
});

Deno.test("control session hands a stock proxy client over, and its first message is an open", async () => {
  await using ends = await listeningMaster();
  const { ssh: program, env } = await openssh();
  const words = [
    "-F",
    "none",
    "-o",
    "ProxyCommand=/bin/false",
    "-S",
    ends.path,
    "-O",
    "proxy",
    "host",
    "true",
  ];
  const running = run(program, words, { env, deadlineMs: 20_000 });
  const link = await ends.master.passenger();
  const first = await new Promise<Uint8Array>((resolve) => link.receive(resolve));
  assert(new TextDecoder().decode(first).includes("session"));
  assertEquals(first[0], 90);
  await link.close();
  assertEquals((await running).code, 255);
});

Deno.test("control session answers the newer client's questions about connection and channels", async () => {
  const { versionNumber: [major, minor] } = await openssh();
  await using ends = await listeningMaster();
  for (const command of ["conninfo", "channels"]) {
    const { code, stdout, stderr } = await ssh(ends, "-O", command);
    // Clients before 10.0 do not know the command and say so themselves.
    if (major < 10) assertMatch(stderr, /Invalid multiplex command/, `${major}.${minor}`);
    else assertEquals([code, stdout], [0, `${command === "conninfo" ? "connection" : "channels"}: text\r\n`]);
  }
});
