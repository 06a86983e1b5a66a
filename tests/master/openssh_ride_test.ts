/** Riding a master that stock `ssh` started: it and its other sessions must never suffer from it. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CarpoolError } from "../../lib/base/errors.ts";
import { ridingSocket } from "../../lib/master/riding_socket.ts";
import { alive, signalProcess } from "../support/processes.ts";
import { start } from "../support/run.ts";
import { StockRig } from "./stock_rig.ts";

const CONTROL_PATH = (rig: StockRig) => ["-F", rig.configFile, "-o", `ControlPath=${rig.socket}`];

/** A plain session of the stock client's over the OpenSSH master, which answers what it is told. */
function besideSession(rig: StockRig) {
  const child = new Deno.Command(rig.sshd.openssh.ssh, {
    args: rig.stockArgs(["test", "cat"]),
    env: { ...rig.env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  return {
    ask: async (word: string): Promise<string | undefined> => {
      await writer.write(new TextEncoder().encode(`${word}\n`));
      return (await reader.read()).value?.trim();
    },
    end: async (): Promise<number> => {
      await writer.close();
      return (await child.status).code;
    },
  };
}

Deno.test("every process rides a live OpenSSH master on one connection, its sessions capped before they open", async () => {
  await using rig = await StockRig.start({ config: ["MaxSessions 10"] });
  const master = await rig.startStockMaster();
  const beside = besideSession(rig);
  assertEquals(await beside.ask("one"), "one");
  const hosts = await Promise.all([1, 2, 3].map(() => rig.connectAtSocket()));
  const runs = hosts.flatMap((host, i) =>
    Array.from({ length: 8 }, (_, j) => host.exec(`sleep 0.05; echo ${i}.${j}`))
  );
  const command = rig.carpool(["exec", ...CONTROL_PATH(rig), "test", "--", "echo command"]);
  assertEquals(
    (await Promise.all(runs)).map(({ stdout }) => stdout.trim()),
    hosts.flatMap((_, i) => Array.from({ length: 8 }, (_, j) => `${i}.${j}`)),
  );
  assertEquals((await command).stdout, "command\n");
  const [riding] = await rig.masters();
  assertEquals([riding.kind, riding.pid, riding.controlPath], ["openssh", master, rig.socket]);
  assertEquals(rig.sshd.connections(), 1);
  assertEquals(/no more sessions|session_new: no/i.test(rig.sshd.log()), false);
  for (const host of hosts) await host.close();
  assertEquals(await beside.ask("two"), "two");
  assertEquals(await beside.end(), 0);
});

Deno.test("an OpenSSH master and its other sessions outlive 100 riders that are killed while they open", async () => {
  await using rig = await StockRig.start();
  const master = await rig.startStockMaster();
  const beside = besideSession(rig);
  assertEquals(await beside.ask("before"), "before");
  const host = await rig.connectAtSocket();
  assertEquals((await host.exec("echo riding")).stdout, "riding\n");
  const socket = (await ridingSocket(rig.socket, rig.env))!;
  for (let batch = 0; batch < 10; batch++) {
    const riders = Array.from({ length: 10 }, (_, i) => {
      const args = ["run", "-A", "--quiet", "--no-config", "--no-lock", "--no-check"];
      return start(Deno.execPath(), [
        ...args,
        import.meta.resolve("./openssh_rider.ts"),
        socket,
        String(i % 4),
      ], {
        env: rig.env,
        clearEnv: true,
      });
    });
    for (const rider of riders) {
      const { signal, stderr } = await rider.finished;
      assertEquals(signal, "SIGKILL", stderr);
    }
    assertEquals(alive([master]), [master]);
    assertEquals(await beside.ask(`batch ${batch}`), `batch ${batch}`);
  }
  // What they had asked for has been closed, and the slots are free again.
  assertEquals((await host.exec("echo still riding")).stdout, "still riding\n");
  const after = await Promise.all(Array.from({ length: 8 }, (_, i) => host.exec(`echo ${i}`)));
  assertEquals(after.map(({ stdout }) => stdout.trim()), ["0", "1", "2", "3", "4", "5", "6", "7"]);
  assertEquals(rig.sshd.connections(), 1);
  await host.close();
  assertEquals(await beside.end(), 0);
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 0);
});

Deno.test("an OpenSSH master that refused a channel is not left while it lives", async () => {
  await using rig = await StockRig.start();
  const master = await rig.startStockMaster();
  const beside = besideSession(rig);
  assertEquals(await beside.ask("one"), "one");
  const host = await rig.connectAtSocket();
  using forward = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = forward.addr;
  forward.close();
  await using tunnel = await host.forward({ local: 0, to: `127.0.0.1:${port}` });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: tunnel.listenPort! });
  assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null); // refused over there
  conn.close();
  const exit = await rig.carpool(["exit", ...CONTROL_PATH(rig), "test"]);
  assertMatch(
    exit.stdout,
    /Carpool's sessions have left the OpenSSH master at .*; it was not started by Carpool and goes on/,
  );
  await host.close();
  assertEquals(alive([master]), [master]);
  assertEquals(await beside.ask("two"), "two");
  assertEquals(await beside.end(), 0);
});

Deno.test("carpool exit leaves an OpenSSH master; carpool exit -S ends it, as ssh -O exit does", async () => {
  await using rig = await StockRig.start();
  const master = await rig.startStockMaster();
  const host = await rig.connectAtSocket();
  assertEquals((await host.exec("echo riding")).stdout, "riding\n");
  await host.close();
  const left = await rig.carpool(["exit", ...CONTROL_PATH(rig), "test"]);
  assertEquals(left.code, 0, left.stderr);
  assertMatch(left.stdout, /it was not started by Carpool and goes on/);
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 0);
  assertEquals(await rig.masters(), []);
  const ended = await rig.carpool(["exit", "-F", rig.configFile, "-S", rig.socket, "test"]);
  assertEquals([ended.code, ended.stdout], [0, "Exit request sent.\n"], ended.stderr);
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 255);
  assertEquals(alive([master]), []);
});

Deno.test("a wedged OpenSSH master is not ridden: one line, and a connection of its own", async () => {
  await using rig = await StockRig.start();
  const master = await rig.startStockMaster();
  signalProcess(master, "SIGSTOP");
  try {
    await using host = await rig.connectAtSocket();
    assertEquals((await host.exec("echo fresh")).stdout, "fresh\n");
    assertEquals(rig.notices.length, 1, rig.notices.join("\n"));
    assertMatch(rig.notices[0], /did not answer within 4 s/);
    assertEquals(rig.sshd.connections(), 2);
  } finally {
    signalProcess(master, "SIGCONT");
  }
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 0); // and nobody removed its socket
});

Deno.test("work moves to a connection of its own when the OpenSSH master that is ridden stops answering", async () => {
  await using rig = await StockRig.start();
  const master = await rig.startStockMaster();
  await using host = await rig.connectAtSocket();
  assertEquals((await host.exec("echo riding")).stdout, "riding\n");
  assertEquals(rig.sshd.connections(), 1);
  signalProcess(master, "SIGSTOP");
  try {
    // A session was open already, and the request was written to it: nobody can know whether it runs one day.
    const error = await assertRejects(() => host.exec("echo lost"), CarpoolError);
    assertEquals(error.outcome, "unknown");
    assertEquals((await host.exec("echo moved")).stdout, "moved\n");
    assertEquals(rig.sshd.connections(), 2);
    assertMatch(rig.notices.join("\n"), /did not answer within 4 s/);
  } finally {
    signalProcess(master, "SIGCONT");
  }
});

Deno.test("what cannot be known of an OpenSSH master means a connection of its own, and a line that names it", async () => {
  await using rig = await StockRig.start({ hosts: ["127.0.0.1", "127.0.0.2"] });
  await rig.startStockMaster();
  const asked = [
    [{ identityFile: rig.sshd.identityFile }, "identityFile"],
    [{ ciphers: "aes128-ctr" }, "ciphers"],
    [{ forwardAgent: true }, "forwardAgent"],
    [{ proxyJump: "test2" }, "proxyJump"],
    [{ configLines: [`ControlPath=${rig.socket}`, "Compression=no"] }, "compression"],
  ] as const;
  for (const [options, name] of asked) {
    rig.notices.length = 0;
    await using host = await rig.connectAtSocket(options);
    assertEquals((await host.exec("echo fresh")).stdout, "fresh\n");
    assertEquals(rig.notices.length, 1, rig.notices.join("\n"));
    assertMatch(rig.notices[0], new RegExp(`OpenSSH master: .*${rig.socket}.*${name}`));
  }
  assertEquals(await ridingSocket(rig.socket, rig.env), undefined); // nobody has ever boarded it
  assertEquals(rig.sshd.connections() > 1, true);
});
