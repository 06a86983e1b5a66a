import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChannelError, CommandError, LinkError, UsageError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/host/connect.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { startSshd } from "../support/sshd.ts";

const privately = (configFile: string) => ({ configFile, share: false, lanes: 1, prompter: noPrompter });

Deno.test("a host on a real sshd", async (t) => {
  await using sshd = await startSshd({ acceptEnv: ["LC_*"] });
  await using host = await connect("test", privately(sshd.configFile));

  await t.step("exec resolves with status, both streams and a truthful outcome", async () => {
    const r = await host.exec("echo out; echo err >&2; exit 3");
    assertEquals(
      [r.code, r.signal, r.success, r.outcome, r.stdout, r.stderr, r.host],
      [3, null, false, "exited", "out\n", "err\n", `${sshd.user}@${sshd.host}:${sshd.port}`],
    );
    assert(r.durationMs >= 0);
  });

  await t.step("exec tells status 255 from a failure of ours", async () => {
    const r = await host.exec("exit 255");
    assertEquals([r.code, r.outcome], [255, "exited"]);
  });

  await t.step("exec tells a signal by its name", async () => {
    const r = await host.exec("kill -9 $$");
    assertEquals([r.code, r.signal, r.success, r.outcome], [null, "KILL", false, "signalled"]);
  });

  await t.step("exec sets env and cwd whatever they hold", async () => {
    const value = "a 'b' \"c\" $HOME `id` \\ \\\\ * \n end ü";
    await host.exec("mkdir -p 'a dir'");
    const r = await host.exec('printf %s "$VALUE"; pwd >&2', { env: { VALUE: value }, cwd: "~/a dir" });
    assertEquals([r.stdout, r.stderr], [value, `${sshd.home}/a dir\n`]);
  });

  await t.step("exec refuses a variable that is none, and starts nothing", async () => {
    await assertRejects(() => host.exec("true", { env: { "A;B": "x" } }), UsageError, "not a variable name");
  });

  await t.step("exec passes text, bytes and streams on as standard input", async () => {
    assertEquals((await host.exec("cat", { stdin: "text" })).stdout, "text");
    const bytes = new Uint8Array([0, 255, 10, 13, 0]);
    assertEquals((await host.exec("cat", { stdin: bytes, encoding: "bytes" })).stdout, bytes);
    assertEquals(
      (await host.exec("wc -c", { stdin: new Blob(["x".repeat(5_000_000)]).stream() })).stdout.trim(),
      "5000000",
    );
    assertEquals((await host.exec("cat")).stdout, "");
  });

  await t.step("exec does not mind a command that leaves its input unread", async () => {
    const r = await host.exec("head -c 3", { stdin: "abc" + "x".repeat(8_000_000) });
    assertEquals([r.stdout, r.code], ["abc", 0]);
  });

  await t.step("exec brings large output whole, on both streams", async () => {
    const r = await host.exec("head -c 6000000 /dev/zero; head -c 3000000 /dev/zero >&2", {
      encoding: "bytes",
    });
    assertEquals([r.stdout.length, r.stderr.length], [6_000_000, 3_000_000]);
  });

  await t.step("exec with a terminal has one", async () => {
    const r = await host.exec("test -t 0 && stty size", { pty: { rows: 33, columns: 99 } });
    assertEquals([r.stdout.trim(), r.code], ["33 99", 0]);
  });

  await t.step("exec that runs out of time is ended remotely and says so", async () => {
    const r = await host.exec("echo started; exec sleep 300", { timeoutMs: 300 });
    assertEquals([r.timedOut, r.outcome, r.signal], [true, "signalled", "TERM"]);
    assertEquals((await host.exec("ps ax | grep -c '[s]leep 300'")).stdout.trim(), "0");
  });

  await t.step("exec that is aborted ends the command and rejects with the very reason", async () => {
    const abort = new AbortController();
    const reason = { mine: true };
    const running = host.exec("exec sleep 301", { signal: abort.signal });
    while ((await host.exec("ps ax | grep -c '[s]leep 301'")).stdout.trim() === "0");
    abort.abort(reason);
    const caught = await running.then(() => "resolved", (error) => error);
    assert(caught === reason);
    assertEquals((await host.exec("ps ax | grep -c '[s]leep 301'")).stdout.trim(), "0");
  });

  await t.step("exec that is aborted before it starts rejects with the reason", async () => {
    const reason = new Error("no");
    assertEquals(await host.exec("true", { signal: AbortSignal.abort(reason) }).catch((e) => e), reason);
  });

  await t.step("spawn gives streams, a status and kill", async () => {
    // exec: a signal that reaches a shell while it forks its child can be lost on both.
    await using process = await host.spawn("cat; echo done >&2; exec sleep 302");
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode("hello"));
    await writer.close();
    const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "done\n");
    process.kill("SIGINT");
    const status = await process.status;
    assertEquals([status.outcome, status.signal], ["signalled", "INT"]);
    assertEquals(await new Response(process.stdout).text(), "hello");
  });

  await t.step(
    "a spawned command whose output nobody reads waits at its window, and others go on",
    async () => {
      await using process = await host.spawn("head -c 50000000 /dev/zero");
      assertEquals((await host.exec("echo hi")).stdout, "hi\n");
      let bytes = 0;
      for await (const chunk of process.stdout) bytes += chunk.length;
      assertEquals([bytes, (await process.status).code], [50_000_000, 0]);
    },
  );

  await t.step("disposing a spawned command ends it", async () => {
    {
      await using _process = await host.spawn("exec sleep 303");
    }
    assertEquals((await host.exec("ps ax | grep -c '[s]leep 303'")).stdout.trim(), "0");
  });

  await t.step("$ quotes its values, and throws with the whole result", async () => {
    const name = 'it\'s; rm -rf $HOME \\ "x"';
    await host.$`touch ${name}`;
    assertEquals((await host.$`ls ${[name]} ${"a dir"} -d`).stdout, `a dir\n${name}\n`);
    const error = await assertRejects(
      () => host.$`sh -c ${"echo bad >&2; exit 7"}`,
      CommandError,
      "status 7: bad",
    );
    assertEquals([error.result.code, error.result.stderr], [7, "bad\n"]);
  });

  await t.step("more at once than MaxSessions all run, over one connection", async () => {
    const results = await Promise.all(Array.from({ length: 40 }, (_, n) => host.exec(`echo ${n}`)));
    assertEquals(results.map((r) => r.stdout.trim()), Array.from({ length: 40 }, (_, n) => `${n}`));
    assertEquals(host.load, { sessions: 0, waiting: 0, channels: 0, lanes: 0 });
    assertEquals(await sshd.connections(), 1);
  });

  await t.step("1000 execs one after the other leave no channel open", async () => {
    for (let n = 0; n < 1000; n++) assertEquals((await host.exec("true")).code, 0);
    assertEquals(host.load, { sessions: 0, waiting: 0, channels: 0, lanes: 0 });
    assertEquals(await sshd.connections(), 1);
  });
});

Deno.test("a command whose connection is lost is unknown, and what comes after it was not started", async () => {
  await using sshd = await startSshd({});
  await using host = await connect("test", privately(sshd.configFile));
  await using process = await host.spawn("echo started; sleep 60");
  const reader = process.stdout.getReader();
  await reader.read();
  const running = assertRejects(() => host.exec("sleep 60"), LinkError, "check before you repeat");
  while (host.load.sessions < 2) await host.exec("true").catch(() => {});
  await sshd.dropConnections();
  assertEquals((await running).outcome, "unknown");
  const status = await process.status;
  assertEquals([status.outcome, status.code], ["unknown", null]);
  const late = await assertRejects(() => host.exec("true"), LinkError);
  assertEquals(late.outcome, "not-started");
  assertEquals((await host.closed).how, "lost");
});

Deno.test("a server with MaxSessions 2 runs thirty at once, none refused", async () => {
  await using sshd = await startSshd({ config: ["MaxSessions 2"] });
  await using host = await connect("test", privately(sshd.configFile));
  const results = await Promise.all(Array.from({ length: 30 }, (_, n) => host.exec(`echo ${n}`)));
  assertEquals(results.map((r) => r.stdout.trim()), Array.from({ length: 30 }, (_, n) => `${n}`));
  assertEquals(await sshd.connections(), 1);
});

Deno.test("a server that refuses exec, a terminal or sftp says so as not started", async (t) => {
  await using sshd = await startSshd({ config: ["PermitTTY no", "Subsystem none /bin/false"] });
  await using host = await connect("test", privately(sshd.configFile));
  await t.step("a terminal, and runs nothing without it", async () => {
    for (let time = 0; time < 5; time++) {
      const error = await assertRejects(
        () => host.exec("touch ran-all-the-same", { pty: true }),
        ChannelError,
        "pseudo-terminal",
      );
      assertEquals(error.outcome, "not-started");
      assertStringIncludes(error.message, "PermitTTY");
    }
    assertEquals((await host.exec("ls")).stdout, "");
  });
  await t.step("and with a terminal that it gives, what is typed arrives, and its end", async () => {
    await using kind = await startSshd();
    await using terminal = await connect("test", privately(kind.configFile));
    const result = await terminal.exec("test -t 0 && cat", { pty: true, stdin: "typed\n\x04" });
    assertEquals(result.code, 0);
    assert(result.stdout.endsWith("typed\r\n"), result.stdout);
  });
});
