/** Lanes to a real sshd: its log counts the connections, an emulated line the bytes that wait. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { connect, type ConnectOptions } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { KeeperWorld, Scripted } from "../master/keeper_world.ts";
import { gone } from "../support/processes.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const LARGE_BYTES = 96 * 1024 * 1024;

class Files implements AsyncDisposable {
  private constructor(readonly directory: string, readonly large: string, readonly small: string) {}

  static async make(): Promise<Files> {
    const directory = await Deno.makeTempDir();
    const files = new Files(directory, join(directory, "large"), join(directory, "small"));
    await Deno.writeFile(files.large, new Uint8Array(LARGE_BYTES));
    await Deno.writeTextFile(files.small, "small\n");
    return files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

function privately(sshd: Sshd, options: ConnectOptions = {}): ConnectOptions & { prompter: Scripted } {
  const prompter = (options.prompter ?? new Scripted()) as Scripted;
  return { configFile: sshd.configFile, share: false, verbose: true, ...options, prompter };
}

Deno.test("a large copy and a large fetch go through a lane, which the next one uses again; a small one does not", async () => {
  await using sshd = await startSshd();
  await using files = await Files.make();
  const options = privately(sshd);
  {
    await using host = await connect("test", options);
    await host.copy(files.small, "small");
    assertEquals([sshd.connections(), host.load.lanes], [1, 0]);
    await host.copy(files.large, "large");
    assertEquals([sshd.connections(), host.load.lanes], [2, 1]);
    await host.fetch("large", join(files.directory, "back"));
    assertEquals((await Deno.stat(join(files.directory, "back"))).size, LARGE_BYTES);
    assertEquals(sshd.connections(), 2);
  }
  assertEquals(options.prompter.notices, [
    `Opened another connection to ${sshd.user}@${sshd.host}:${sshd.port} for the data`,
  ]);
});

Deno.test("with lanes: 1 nothing leaves the one connection", async () => {
  await using sshd = await startSshd();
  await using files = await Files.make();
  await using host = await connect("test", privately(sshd, { lanes: 1 }));
  await host.copy(files.large, "large");
  await host.fetch("large", join(files.directory, "back"));
  await Promise.all(Array.from({ length: 40 }, () => host.exec("sleep 0.1")));
  assertEquals([sshd.connections(), host.load.lanes], [1, 0]);
});

Deno.test("a lane never asks for a password: the copy stays on the connection that there is", async () => {
  await using sshd = await startSshd({ password: "secret", config: ["PubkeyAuthentication no"] });
  await using files = await Files.make();
  const options = privately(sshd, { prompter: new Scripted("secret", "secret", "secret") });
  await using host = await connect("test", options);
  await host.copy(files.large, "large");
  await host.fetch("large", join(files.directory, "back"));
  assertEquals([options.prompter.asked.length, host.load.lanes], [1, 0]);
  assertEquals(options.prompter.notices.filter((line) => line.startsWith("Staying on one")).length, 1);
  assertEquals((await Deno.stat(join(files.directory, "back"))).size, LARGE_BYTES);
});

Deno.test("a lane never asks for a passphrase", async () => {
  await using sshd = await startSshd();
  await using files = await Files.make();
  const { ssh } = sshd.openssh;
  const keygen = join(ssh, "../ssh-keygen");
  const changed = await new Deno.Command(keygen, {
    args: ["-p", "-q", "-P", "", "-N", "phrase", "-f", sshd.identityFile],
    env: { ...sshd.openssh.env },
  }).output();
  assert(changed.success, new TextDecoder().decode(changed.stderr));
  const options = privately(sshd, { prompter: new Scripted("phrase", "phrase") });
  await using host = await connect("test", options);
  await host.copy(files.large, "large");
  assertEquals([options.prompter.asked.length, host.load.lanes], [1, 0]);
});

/** Each command leaves its number: where it stands then is when it had its turn. */
async function inOrder(host: Host, sshd: Sshd, count: number, slack: number): Promise<void> {
  const ends = await Promise.allSettled(
    Array.from({ length: count }, (_, n) => host.exec(`echo ${n} >> turns`)),
  );
  assertEquals(ends.filter((end) => end.status !== "fulfilled" || end.value.code !== 0), []);
  const turns = (await Deno.readTextFile(join(sshd.home, "turns"))).trim().split("\n").map(Number);
  assertEquals(turns.length, count);
  turns.forEach((n, place) => assert(Math.abs(n - place) <= slack, `${n} had turn ${place}`));
}

Deno.test("500 commands at once on MaxSessions 2 all run, in order of arrival", async (t) => {
  // Two run at a time, and of the first ten eight are refused before the limit is known.
  await t.step("on a private connection", async () => {
    await using sshd = await startSshd({ config: ["MaxSessions 2"] });
    await using host = await connect("test", privately(sshd, { lanes: 1 }));
    await inOrder(host, sshd, 500, 10);
    assertEquals(sshd.connections(), 1);
  });

  await t.step("through the keeper", async () => {
    await using world = await KeeperWorld.make({ config: ["MaxSessions 2"] });
    await using host = await world.connect({ lanes: 1 });
    await inOrder(host, world.sshd, 500, 10);
    assertEquals(world.sshd.connections(), 1);
  });

  await t.step("with lanes, where the server lets them in", async () => {
    await using sshd = await startSshd({ config: ["MaxSessions 2"] });
    await using host = await connect("test", privately(sshd));
    const ends = await Promise.allSettled(Array.from({ length: 500 }, () => host.exec("true")));
    assertEquals(ends.filter((end) => end.status !== "fulfilled" || end.value.code !== 0), []);
  });
});

Deno.test("a lane leaves with its program, even when that is killed", async () => {
  await using sshd = await startSshd();
  await using files = await Files.make();
  const program = join(files.directory, "program.ts");
  const door = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    program,
    `import { connect } from ${JSON.stringify(door)};
     const host = await connect("test", { configFile: Deno.args[0], share: false });
     await host.copy(Deno.args[1], "large");
     console.log(host.load.lanes);
     await new Promise(() => setTimeout(() => {}, 1e6));`,
  );
  const flags = ["run", "-A", "--quiet", "--no-check", "--no-config", "--no-lock"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, program, sshd.configFile, files.large],
    env: { ...sshd.openssh.env },
    stdout: "piped",
  }).spawn();
  const { value } = await child.stdout.getReader().read();
  assertEquals(new TextDecoder().decode(value), "1\n");
  const lane = await sshd.waitForLog(
    /Accepted publickey[^]*Accepted publickey[^]*User child is on pid (\d+)/,
  );
  child.kill("SIGKILL");
  await child.status;
  await gone([Number(lane[1])]);
});

Deno.test("through the keeper, a large copy makes a connection of this process's own, not of the keeper's", async () => {
  await using world = await KeeperWorld.make();
  await using files = await Files.make();
  await using host = await world.connect({ lanes: 2 });
  await host.copy(files.large, "large");
  assertEquals([world.sshd.connections(), host.load.lanes], [2, 1]);
  assertEquals((await world.masters()).length, 1);
});

Deno.test("bulk leaves little waiting in front of a narrow line, either way", async (t) => {
  await using sshd = await startSshd();
  // Room for far more than any window: what waits there is what nobody held back.
  await using line = await emulateLink({
    to: { hostname: sshd.host, port: sshd.port },
    rttMs: 40,
    bandwidthBytesPerSecond: 4e6,
    queueBytes: 16 * 1024 * 1024,
  });
  const configLines = [
    `HostName=${line.hostname}`,
    `Port=${line.port}`,
    `HostKeyAlias=[${sshd.host}]:${sshd.port}`,
  ];
  await using host = await connect("test", privately(sshd, { configLines, lanes: 1 }));
  // 160 kB fill this line for a round trip; a window of OpenSSH's own would leave 1.9 MB waiting.
  const most = 500_000;

  await t.step("a pull", async () => {
    await using pull = await host.spawn("cat /dev/zero");
    let bytes = 0;
    for await (const chunk of pull.stdout) {
      bytes += chunk.length;
      if (bytes >= 6_000_000 && bytes - chunk.length < 6_000_000) line.takeQueuePeakBytes("down");
      if (bytes >= 14_000_000) break;
    }
    const waited = line.takeQueuePeakBytes("down");
    assert(waited < most, `${waited} bytes waited`);
  });

  await t.step("a push", async () => {
    const push = await host.spawn("cat >/dev/null");
    const chunk = new Uint8Array(65_536);
    for (let bytes = 0; bytes < 14_000_000; bytes += chunk.length) {
      await push.write(chunk);
      if (bytes >= 6_000_000 && bytes - chunk.length < 6_000_000) line.takeQueuePeakBytes("up");
    }
    const waited = line.takeQueuePeakBytes("up");
    push.endInput();
    await push.status;
    assert(waited < most, `${waited} bytes waited`);
  });
});
