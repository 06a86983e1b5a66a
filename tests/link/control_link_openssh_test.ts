/** Riding a master that stock `ssh -M` started, over a real sshd. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MasterError } from "../../lib/base/errors.ts";
import { Connection } from "../../lib/channel/connection.ts";
import { Session } from "../../lib/channel/session.ts";
import { ControlClient, openControlLink } from "../../lib/link/control_link.ts";
import { signalProcess } from "../support/processes.ts";
import { run, type Running, start } from "../support/run.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

/** An OpenSSH master in the foreground, `-M -N`. */
class OpenSshMaster implements AsyncDisposable {
  private constructor(readonly sshd: Sshd, readonly path: string, readonly running: Running) {}

  static async start(): Promise<OpenSshMaster> {
    const sshd = await startSshd();
    // Below the server's directory, which goes with it; its name is short enough for a socket.
    const path = join(sshd.dir, "client", "m");
    const { ssh, env } = sshd.openssh;
    const args = ["-v", "-F", sshd.configFile, "-M", "-N", "-S", path, "test"];
    const running = start(ssh, args, { env, deadlineMs: 120_000 });
    await running.waitFor(/setting up multiplex master socket[^]*Entering interactive session/, "stderr");
    return new OpenSshMaster(sshd, path, running);
  }

  async check(): Promise<string> {
    const { ssh, env } = this.sshd.openssh;
    const args = [
      "-F",
      this.sshd.configFile,
      "-o",
      "ProxyCommand=/bin/false",
      "-S",
      this.path,
      "-O",
      "check",
      "test",
    ];
    return (await run(ssh, args, { env })).stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    signalProcess(this.running.pid, "SIGCONT");
    await this.running[Symbol.asyncDispose]();
    await this.sshd.stop();
  }
}

async function exec(
  connection: Connection,
  command: string,
): Promise<{ code: number | null; output: string }> {
  const session = await Session.open(connection);
  const output: Uint8Array[] = [];
  session.start({ kind: "exec", command }, {
    onOutput: (data) => {
      output.push(data.slice());
      session.consumed(data.length);
    },
    onOutputEnd: () => {},
  });
  session.endInput();
  const { code } = await session.ended;
  return { code, output: output.map((part) => new TextDecoder().decode(part)).join("") };
}

Deno.test("control link runs commands over a master of OpenSSH's, which lives on", async () => {
  await using master = await OpenSshMaster.start();
  {
    using client = await ControlClient.connect(master.path);
    assertEquals(await client.alive(), master.running.pid);
  }
  {
    await using link = await openControlLink(master.path, "test");
    const connection = new Connection(link);
    assertEquals(await exec(connection, "true"), { code: 0, output: "" });
    assertEquals(await exec(connection, "echo out; exit 7"), { code: 7, output: "out\n" });
    const several = await Promise.all([1, 2, 3, 4].map((i) => exec(connection, `seq ${i}0000 | tail -1`)));
    assertEquals(several.map(({ output }) => output), ["10000\n", "20000\n", "30000\n", "40000\n"]);
    assertEquals(connection.channelCount, 0);
  }
  assertEquals(await master.check(), `Master running (pid=${master.running.pid})\r\n`);
  assertEquals(master.sshd.connections(), 1);
});

Deno.test("control link says that it was lost when the master is killed", async () => {
  await using master = await OpenSshMaster.start();
  await using link = await openControlLink(master.path, "test");
  const connection = new Connection(link);
  const running = exec(connection, "sleep 100");
  await master.sshd.waitForLog(/Starting session: command/);
  master.running.kill("SIGKILL");
  assertEquals((await link.closed).how, "lost");
  assertEquals((await running).code, null);
  await master.running.finished;
  const error = await assertRejects(() => openControlLink(master.path, "test"), MasterError);
  assertEquals(error.code, "gone");
});

/** Connects until the kernel takes no more for the listener. */
async function fillBacklog(path: string): Promise<Deno.Conn[]> {
  const conns: Deno.Conn[] = [];
  try {
    for (;;) conns.push(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (error instanceof Deno.errors.WouldBlock) return conns;
    throw error;
  }
}

Deno.test("control link calls a stopped master of OpenSSH's wedged, not gone, also when its backlog is full", async () => {
  await using master = await OpenSshMaster.start();
  master.running.kill("SIGSTOP");
  const board = () => openControlLink(master.path, "test", { deadlineMs: 200 });
  assertEquals((await assertRejects(board, MasterError)).code, "wedged");
  const conns = await fillBacklog(master.path);
  assertEquals((await assertRejects(board, MasterError)).code, "wedged");

  // It wakes up while somebody is dialling: there is room again, and an answer.
  const patient = ControlClient.connect(master.path, { deadlineMs: 20_000 });
  await assertRejects(() => Deno.connect({ transport: "unix", path: master.path }), Deno.errors.WouldBlock);
  master.running.kill("SIGCONT");
  {
    using client = await patient;
    assertEquals(await client.alive(), master.running.pid);
  }
  for (const conn of conns) conn.close();
  assert((await master.check()).startsWith("Master running"));
});
