/** Round trips of a warm command, counted on an emulated link, on every kind of link there is; real OpenSSH serves. */
import { assertEquals } from "@std/assert";
import { type EmulatedLink, emulateLink } from "../../lib/emulator/emulated_link.ts";
import type { ConnectOptions } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { StockRig } from "./stock_rig.ts";

const RTT_MS = 60;

/** Options that lead through the link to the rig's server. */
function through(link: EmulatedLink, rig: StockRig): string[] {
  return [
    `HostName=${link.hostname}`,
    `Port=${link.port}`,
    `HostKeyAlias=[${rig.sshd.host}]:${rig.sshd.port}`,
  ];
}

async function linkTo(rig: StockRig): Promise<EmulatedLink> {
  return await emulateLink({ to: { hostname: rig.sshd.host, port: rig.sshd.port }, rttMs: RTT_MS });
}

/** Waits until nothing is under way: the spare is there, closes have been answered. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RTT_MS * 2));
}

/** The least of several, for scheduling can only add to the count. */
async function flightsOf(link: EmulatedLink, work: () => Promise<unknown>): Promise<number> {
  const counts: number[] = [];
  for (let time = 0; time < 5; time++) {
    await quiet();
    using mark = link.mark();
    await work();
    counts.push(mark.counters().roundTrips);
  }
  return Math.min(...counts);
}

async function oneRoundTrip(link: EmulatedLink, host: Host): Promise<void> {
  assertEquals((await host.exec("echo warm")).stdout, "warm\n");
  const exec = async () => assertEquals((await host.exec("echo hi")).stdout, "hi\n");
  assertEquals(await flightsOf(link, exec), 1);
  const failing = async () => assertEquals((await host.exec("echo err >&2; exit 3")).code, 3);
  assertEquals(await flightsOf(link, failing), 1);
}

Deno.test("a warm command costs exactly one round trip", async (t) => {
  await t.step("on a private connection", async () => {
    await using rig = await StockRig.start();
    await using link = await linkTo(rig);
    await using host = await rig.connect({ share: false, configLines: through(link, rig) });
    await oneRoundTrip(link, host);
    assertEquals(rig.sshd.connections(), 1);
  });

  await t.step("through the keeper", async () => {
    await using rig = await StockRig.start();
    await using link = await linkTo(rig);
    const options: ConnectOptions = { configLines: through(link, rig) };
    await using host = await rig.connect(options);
    await oneRoundTrip(link, host);
    // Another process finds a session open too: connecting to the keeper crosses no link.
    const exec = async () => {
      await using another = await rig.connect(options);
      assertEquals((await another.exec("echo hi")).stdout, "hi\n");
    };
    assertEquals(await flightsOf(link, exec), 1);
    assertEquals([rig.sshd.connections(), rig.notices], [1, []]);
  });

  await t.step("as a process of its own, carpool exec", async () => {
    await using rig = await StockRig.start();
    await using link = await linkTo(rig);
    const words = through(link, rig).flatMap((line) => ["-o", line]);
    const exec = async () => {
      const result = await rig.carpool(["exec", "-F", rig.configFile, ...words, "test", "--", "echo hi"]);
      assertEquals([result.stdout, result.code], ["hi\n", 0], result.stderr);
    };
    await exec();
    assertEquals(await flightsOf(link, exec), 1);
    assertEquals(rig.sshd.connections(), 1);
  });

  await t.step("riding a master that ssh started", async () => {
    await using rig = await StockRig.start();
    await using link = await linkTo(rig);
    const words = through(link, rig).flatMap((line) => ["-o", line]);
    await rig.startStockMaster(words);
    await using host = await rig.connectAtSocket();
    assertEquals(host.connection, "openssh-master");
    await oneRoundTrip(link, host);
    assertEquals([rig.sshd.connections(), rig.notices], [1, []]);
  });

  await t.step("on a private connection that the installed ssh makes", async () => {
    await using rig = await StockRig.start();
    await using link = await linkTo(rig);
    const options: ConnectOptions = { share: false, via: "openssh", configLines: through(link, rig) };
    await using host = await rig.connect(options);
    await oneRoundTrip(link, host);
  });
});

Deno.test("several at once cost one round trip when several were wanted before", async () => {
  await using rig = await StockRig.start();
  await using link = await linkTo(rig);
  await using host = await rig.connect({ share: false, configLines: through(link, rig) });
  const three = () => Promise.all([1, 2, 3].map((n) => host.exec(`echo ${n}`)));
  await three();
  await three();
  assertEquals(await flightsOf(link, three), 1);
});

Deno.test("servers that allow one session or two run everything, spares or not", async () => {
  for (const limit of [1, 2]) {
    for (const share of [false, true]) {
      await using rig = await StockRig.start({ config: [`MaxSessions ${limit}`] });
      await using host = await rig.connect({ share });
      for (let n = 0; n < 5; n++) assertEquals((await host.exec(`echo ${n}`)).stdout, `${n}\n`);
      const results = await Promise.all(Array.from({ length: 10 }, (_, n) => host.exec(`echo ${n}`)));
      assertEquals(results.map(({ stdout }) => stdout), results.map((_, n) => `${n}\n`));
    }
  }
});

Deno.test("an idle master shows no session, and its spare does not hold it: it lingers and leaves", async () => {
  await using rig = await StockRig.start();
  await using host = await rig.connect({ controlPersist: "1s" });
  await host.exec("true");
  assertEquals((await rig.masters()).map(({ sessions }) => sessions), [0]);
  while ((await rig.masters()).length > 0); // held by a spare, it would stay for a minute more
  assertEquals(host.load.sessions, 0);
});
