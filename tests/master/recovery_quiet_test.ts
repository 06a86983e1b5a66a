import { assert, assertEquals, assertMatch } from "@std/assert";
import type { EmulatedLink } from "../../lib/emulator/emulated_link.ts";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { acceptAll } from "../../lib/master/accept_all.ts";
import { Keeper } from "../../lib/master/keeper.ts";
import { openControlLink } from "../../lib/link/control_link.ts";
import { openLink } from "../../lib/link/open_link.ts";
import type { Log } from "../../lib/master/log.ts";
import { makePrivate } from "../../lib/master/places.ts";
import { bindSocket } from "../../lib/master/socket_birth.ts";
import { KeeperWorld } from "./keeper_world.ts";

/** Clocks that run as they do, and can be moved. */
class MovedClocks {
  steadyAheadMs = 0;
  wallAheadMs = 0;
  readonly steady = () => performance.now() + this.steadyAheadMs;
  readonly wall = () => Date.now() + this.steadyAheadMs + this.wallAheadMs;
}

class MemoryLog implements Log {
  readonly lines: string[] = [];
  #waiting: (() => void)[] = [];

  info(message: string): void {
    this.lines.push(message);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  error(message: string): void {
    this.info(`error: ${message}`);
  }

  async has(pattern: RegExp): Promise<void> {
    while (!this.lines.some((line) => pattern.test(line))) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A keeper in this process, whose cable can be pulled and whose clocks can be moved. */
async function keeperWithCable() {
  const world = await KeeperWorld.make();
  const cable = await emulateLink({ to: { hostname: world.sshd.host, port: world.sshd.port }, rttMs: 0 });
  const [clocks, log] = [new MovedClocks(), new MemoryLog()];
  await makePrivate(world.place.directory);
  const listener = bindSocket(world.place.keeperSocket)!;
  const keeper = new Keeper({
    place: world.place,
    log,
    openLink,
    rideLink: openControlLink,
    onIdle: () => {},
    clocks,
    probeDeadlineMs: 300,
  });
  acceptAll(listener, (conn) => keeper.serve(conn), log);
  return {
    world,
    cable,
    clocks,
    log,
    connect: () => world.connect({ port: cable.port, strictHostKeyChecking: "no" }),
    [Symbol.asyncDispose]: async () => {
      keeper.exit();
      listener.close();
      await keeper.emptied();
      await cable[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** The cable is out when the request comes, and in again as soon as the keeper has noticed. */
async function cutUntilNoticed(cable: EmulatedLink, log: MemoryLog): Promise<void> {
  await log.has(/did not answer within/);
  cable.heal();
}

Deno.test("a quiet link that was cut without a word is found before the request, which moves to a new one", async () => {
  await using rig = await keeperWithCable();
  await using host = await rig.connect();
  assertEquals((await host.exec("echo one")).stdout, "one\n");
  rig.cable.cut();
  rig.clocks.steadyAheadMs += 20_000;
  const noticed = cutUntilNoticed(rig.cable, rig.log);
  const file = `${rig.world.sshd.home}/runs`;
  assertEquals((await host.exec(`echo run >> ${file}; cat ${file}`)).stdout, "run\n"); // once
  await noticed;
  assertEquals(rig.world.sshd.connections(), 2);
});

Deno.test("a link across a jump of the clock is probed as a quiet one", async () => {
  await using rig = await keeperWithCable();
  await using host = await rig.connect();
  assertEquals((await host.exec("echo one")).stdout, "one\n");
  rig.cable.cut();
  rig.clocks.wallAheadMs += 3_600_000; // the laptop slept, its steady clock with it
  const noticed = cutUntilNoticed(rig.cable, rig.log);
  assertEquals((await host.exec("echo two")).stdout, "two\n");
  await noticed;
  assertEquals(rig.world.sshd.connections(), 2);
});

Deno.test("what was written to a link that is found dead is unknown; nothing is repeated", async () => {
  await using rig = await keeperWithCable();
  await using host = await rig.connect();
  const running = await host.spawn("echo started; sleep 60");
  await running.stdout.getReader().read();
  rig.cable.cut();
  rig.clocks.steadyAheadMs += 20_000;
  const noticed = cutUntilNoticed(rig.cable, rig.log);
  assertEquals((await host.exec("echo two")).stdout, "two\n");
  await noticed;
  const status = await running.status;
  assertEquals([status.outcome, status.code], ["unknown", null]);
  const log = rig.world.sshd.log();
  assertEquals(log.match(/^Starting session/gm)?.length, 2);
});

Deno.test("a quiet link that lives is kept, and its master too", async () => {
  await using rig = await keeperWithCable();
  await using host = await rig.connect();
  for (let i = 0; i < 3; i++) {
    rig.clocks.steadyAheadMs += 20_000;
    rig.clocks.wallAheadMs += 60_000;
    assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  }
  // Longer than the deadline of the probe: nobody was taken for dead.
  assertEquals((await host.exec("sleep 0.6; echo ran")).stdout, "ran\n");
  assertEquals(rig.world.sshd.connections(), 1);
  assert(!rig.log.lines.some((line) => /did not answer/.test(line)), rig.log.lines.join("\n"));
});

Deno.test("a quiet link whose server is slow to answer an open, or has no room for it, is kept", async () => {
  await using rig = await keeperWithCable();
  await using host = await rig.connect();
  // All ten sessions that the server allows are taken, by commands that say nothing.
  const silent = await Promise.all(Array.from({ length: 10 }, () => host.spawn("read line")));
  rig.clocks.steadyAheadMs += 20_000;
  const waiting = host.exec("echo ran");
  await new Promise((resolve) => setTimeout(resolve, 600)); // twice what the probe may take
  for (const process of silent) await process.stdin.close();
  assertEquals((await waiting).stdout, "ran\n");
  for (const process of silent) assertEquals((await process.status).code, 1);
  assertEquals(rig.world.sshd.connections(), 1);
});

Deno.test("a listing shows the round-trip time, and ends a master whose link is dead", async () => {
  await using rig = await keeperWithCable();
  await using _host = await rig.connect();
  const { listMasters } = await import("../../lib/master/keeper_client.ts");
  const options = { probe: true, environment: rig.world.home.env };
  const [alive] = await listMasters(options);
  assert(alive.rttMs !== null && alive.rttMs > 0);
  rig.cable.cut();
  assertEquals(await listMasters(options), []);
  assertMatch(rig.log.lines.join("\n"), /did not answer within/);
});
