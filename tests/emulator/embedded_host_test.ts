import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import net from "node:net";
import { LinkError } from "../../lib/base/errors.ts";
import { ssh2 } from "../../lib/deps/ssh2.ts";
import { startEmbeddedHost } from "../../lib/emulator/embedded_host.ts";
import { throwawayKey } from "../../lib/emulator/throwaway_key.ts";
import { outcome, Ssh2Client } from "./ssh2_client.ts";

Deno.test("embedded host runs a command in its own home with a clean environment", async () => {
  await using host = await startEmbeddedHost({ user: "deploy" });
  await using client = await Ssh2Client.connect(host);
  const ran = await client.run("pwd; echo $HOME $USER; env | cut -d= -f1 | sort | tr '\\n' ' '");
  assertEquals(ran.stdout.split("\n"), [
    host.home,
    `${host.home} deploy`,
    "HOME LOGNAME PATH PWD SHELL USER ",
  ]);
  assertEquals([ran.code, ran.signal, ran.stderr], [0, null, ""]);
});

Deno.test("embedded host passes on standard input, both outputs and the exit status", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  assertEquals(await client.run("cat; echo oops >&2; exit 7", "hello"), {
    code: 7,
    signal: null,
    stdout: "hello",
    stderr: "oops\n",
  });
});

Deno.test("embedded host moves megabytes both ways, on both outputs at once", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const text = btoa(String.fromCharCode(...sent)).repeat(75);
  const ran = await client.run("tee /dev/stderr", text);
  assertEquals(ran.stdout.length, text.length);
  assert(ran.stdout === text);
  assert(ran.stderr === text);
  assertEquals(ran.code, 0);
});

Deno.test("embedded host sends signals, also after the end of standard input", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  const channel = await client.start("echo started; sleep 60; echo survived");
  const ended = outcome(channel);
  channel.end();
  await new Promise((resolve) => channel.once("data", resolve));
  client.client._protocol.signal(channel.outgoing.id, "TERM"); // its own signal() keeps quiet after end()
  const ran = await ended;
  assertEquals([ran.code, ran.signal, ran.stdout], [null, "SIGTERM", "started\n"]);
});

Deno.test("embedded host ends what runs when the client is gone", async () => {
  await using host = await startEmbeddedHost();
  const client = await Ssh2Client.connect(host);
  const channel = await client.start(
    `trap 'echo gone > hung-up; exit' HUP; echo started; while :; do sleep 0.01; done`,
  );
  await new Promise((resolve) => channel.once("data", resolve));
  const watcher = Deno.watchFs(host.home);
  client.client.destroy();
  for await (const event of watcher) if (event.paths.some((path) => path.endsWith("hung-up"))) break;
});

Deno.test("embedded host honours env requests, but none that would change how programs are loaded", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  const env = { APP: "shop", LD_PRELOAD: "/nowhere.so" };
  const ran = await client.run('echo "$APP" "$LD_PRELOAD"', "", { env });
  assertEquals(ran.stdout, "shop \n");
});

Deno.test("embedded host refuses a terminal, a shell and an unknown subsystem", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  await assertRejects(() => client.start("true", { pty: true }), Error, "pseudo-terminal");
  await assertRejects(() =>
    new Promise((resolve, reject) =>
      client.client.shell(false, (error: Error, channel: unknown) => error ? reject(error) : resolve(channel))
    )
  );
  await assertRejects(() =>
    new Promise((resolve, reject) =>
      client.client.subsys(
        "netconf",
        (error: Error, channel: unknown) => error ? reject(error) : resolve(channel),
      )
    )
  );
});

Deno.test("embedded host refuses another key, another user and a password", async () => {
  await using host = await startEmbeddedHost();
  const other = throwawayKey(ssh2).privateKey;
  await assertRejects(
    () => Ssh2Client.connect(host, { privateKey: other }),
    Error,
    "authentication methods failed",
  );
  await assertRejects(
    () => Ssh2Client.connect(host, { username: "root" }),
    Error,
    "authentication methods failed",
  );
  await assertRejects(
    () => Ssh2Client.connect(host, { privateKey: undefined, password: "secret" }),
    Error,
    "authentication methods failed",
  );
  assertEquals(host.counters().authentications, 0);
});

Deno.test("embedded host refuses a session too many, and takes one again when one has ended", async () => {
  await using host = await startEmbeddedHost({ maxSessions: 2 });
  await using client = await Ssh2Client.connect(host);
  const [one, two] = [await client.start("cat"), await client.start("cat")];
  const ended = [outcome(one), outcome(two)];
  await assertRejects(() => client.start("true"), Error, "open failure");
  one.end();
  await ended[0];
  assertEquals((await client.run("echo again")).stdout, "again\n");
  two.end();
  await ended[1];
  assertEquals(host.counters().refusedSessions, 1);
});

Deno.test("embedded host counts connections, authentications, sessions and commands", async () => {
  await using host = await startEmbeddedHost();
  for (let i = 0; i < 2; i++) {
    await using client = await Ssh2Client.connect(host);
    await client.run("true");
    await client.run("false");
  }
  const { openConnections, ...counted } = host.counters();
  assert(openConnections <= 1, String(openConnections));
  assertEquals(counted, { connections: 2, authentications: 2, sessions: 4, refusedSessions: 0, commands: 4 });
});

Deno.test("embedded host keeps window that was granted before the command came", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  // Channel 0 opened with window 0, window granted, then exec: what a channel opened ahead of need does.
  const protocol = client.client._protocol;
  const received = Promise.withResolvers<string>();
  const handlers = protocol._handlers;
  const { CHANNEL_OPEN_CONFIRMATION, CHANNEL_DATA } = handlers;
  const opened = Promise.withResolvers<number>();
  handlers.CHANNEL_OPEN_CONFIRMATION = (_: unknown, info: { sender: number }) => opened.resolve(info.sender);
  handlers.CHANNEL_DATA = (_: unknown, __: number, data: Uint8Array) =>
    received.resolve(new TextDecoder().decode(data));
  protocol.session(0, 0, 32768);
  const channel = await opened.promise;
  protocol.channelWindowAdjust(channel, 1000);
  protocol.exec(channel, "echo rode along", true);
  assertEquals(await received.promise, "rode along\n");
  Object.assign(handlers, { CHANNEL_OPEN_CONFIRMATION, CHANNEL_DATA });
});

Deno.test("embedded host leaves nothing behind, with connections and commands still there", async () => {
  let home: string;
  let closed: Promise<unknown>;
  {
    await using host = await startEmbeddedHost();
    home = host.home;
    const client = await Ssh2Client.connect(host);
    closed = new Promise((resolve) => client.client.once("close", resolve));
    client.client.on("error", () => {});
    const channel = await client.start("echo started; sleep 60");
    await new Promise((resolve) => channel.once("data", resolve));
    await host[Symbol.asyncDispose](); // twice does no harm
  }
  await closed;
  await assertRejects(() => Deno.stat(home), Deno.errors.NotFound);
});

Deno.test("embedded host listens on loopback only", async () => {
  const error = await assertRejects(() => startEmbeddedHost({ hostname: "0.0.0.0" }), LinkError);
  assertStringIncludes(error.message, "127.0.0.0/8");
  await using host = await startEmbeddedHost({ hostname: "127.0.9.9" });
  assertEquals(host.hostname, "127.0.9.9");
  const taken = await assertRejects(
    () => startEmbeddedHost({ hostname: host.hostname, port: host.port }),
    LinkError,
  );
  assertStringIncludes(taken.message, `127.0.9.9:${host.port}`);
});

Deno.test("embedded host survives a client that talks nonsense", async () => {
  await using host = await startEmbeddedHost();
  for (const nonsense of ["GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n" + "\0".repeat(100), ""]) {
    const socket = net.connect({ host: host.hostname, port: host.port });
    socket.on("error", () => {});
    socket.end(nonsense);
    await new Promise((resolve) => socket.once("close", resolve).resume());
  }
  await using client = await Ssh2Client.connect(host);
  assertEquals((await client.run("echo alive")).stdout, "alive\n");
});

Deno.test("throwaway key is readable, every one of hundreds", () => {
  for (let i = 0; i < 600; i++) {
    const { privateKey, publicKey } = throwawayKey(ssh2);
    const key = ssh2.utils.parseKey(privateKey);
    assertEquals(publicKey, `ssh-ed25519 ${key.getPublicSSH().toString("base64")}`);
  }
});
