/** How many round trips a job takes, counted by the emulated link. */
import { assert, assertEquals } from "@std/assert";
import type { JobDefinition } from "../../lib/job/job.ts";
import { FusionWorld, kept } from "./fusion_world.ts";

/** Longer than this machine takes for its part between two round trips, so that a pause is not taken for a wait. */
const RTT_MS = 400;

/** The least of several counts: a busy machine only adds. */
async function roundTrips(world: FusionWorld, job: JobDefinition, fuse = true): Promise<number> {
  await using host = await world.connect("test", { signal: AbortSignal.timeout(60_000) });
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    // Whatever is opened ahead of need is there then.
    await host.exec("true");
    await new Promise((resolve) => setTimeout(resolve, 3 * RTT_MS));
    using mark = world.link!.mark();
    const { result } = await world.run(job, { fuse, connect: () => Promise.resolve(kept(host)) });
    counts.push(mark.counters().roundTrips);
    assertEquals(result.status, "ok");
  }
  return Math.min(...counts);
}

Deno.test("a job of 20 plain steps takes one round trip on a warm connection", async () => {
  await using world = await FusionWorld.make({ rttMs: RTT_MS });
  const steps = Array.from({ length: 20 }, (_, i) => ({ exec: `echo step ${i}` }));
  assertEquals(await roundTrips(world, { steps }), 1);
});

Deno.test("a job whose text does not fit the exec string takes two round trips", async () => {
  await using world = await FusionWorld.make({ rttMs: RTT_MS });
  const steps = Array.from({ length: 20 }, (_, i) => ({ exec: `echo step ${i} # ${"x".repeat(8192)}` }));
  const count = await roundTrips(world, { steps });
  assert(count <= 2, `${count} round trips`);
});

Deno.test("small copies between commands take no round trip of their own", async () => {
  await using world = await FusionWorld.make({ rttMs: RTT_MS });
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/a`, "content\n");
  const steps = [{ exec: "mkdir -p in" }, { copy: `${dir}/a`, to: "in/" }, { exec: "cat in/a" }];
  assertEquals(await roundTrips(world, { steps }), 1);
  await Deno.remove(dir, { recursive: true });
});
