import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { TargetError } from "../../lib/base/errors.ts";
import { ConfigFiles } from "../../lib/target/config_blocks.ts";
import { configFiles, readDirective } from "../../lib/target/config_reader.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import { TempHome } from "../support/temp_home.ts";

const later = () => Date.now() + 60_000;

/** Resolves many hosts by one file that was written long ago. */
async function resolveAll(config: string, hosts: readonly string[]) {
  await using home = await TempHome.make();
  const configFile = await home.write("config", config);
  const now = Date.now;
  Date.now = () => now() + 60_000; // file memories of the whole program look at this clock
  try {
    const parsed = configFiles.parsed;
    const options = { configFile, environment: home.env };
    const results = await Promise.allSettled(hosts.map((host) => resolveTarget(host, options)));
    const again = await Promise.allSettled(hosts.map((host) => resolveTarget(host, options)));
    return { results, again, parsed: configFiles.parsed - parsed, home: home.path };
  } finally {
    Date.now = now;
  }
}

Deno.test("a hundred hosts take their ssh_config apart once, and each finds its own block", async () => {
  const hosts = Array.from({ length: 100 }, (_, index) => `web${index}`);
  const blocks = hosts.map((host, index) => `Host ${host}\n  Port ${index + 1}\n  User of-${host}\n`);
  const { results, again, parsed } = await resolveAll(`${blocks.join("")}Host *\n  Compression no\n`, hosts);
  for (const settled of [results, again]) {
    assertEquals(
      settled.map((one) => one.status === "fulfilled" && one.value.where),
      hosts.map((host, index) => `of-${host}@${host}:${index + 1}`),
    );
  }
  assertEquals(parsed, 1);
});

Deno.test("a mistake in a block that does not apply is told to every host, the second time too", async () => {
  const { results, again } = await resolveAll("Host other\n  Port many\nHost web\n  Port 1\n", ["web", "x"]);
  for (const one of [...results, ...again]) {
    assertEquals(one.status, "rejected");
    assertMatch(String((one as PromiseRejectedResult).reason), /config:2.*many.*not a port/s);
  }
});

Deno.test("a keyword that is unknown in another's block is told unless IgnoreUnknown names it above", async () => {
  const { results, again } = await resolveAll(
    "Host quiet\n  IgnoreUnknown Speed\nHost other\n  Speed 3\n",
    ["quiet", "loud"],
  );
  for (const [quiet, loud] of [results, again]) {
    assertEquals([quiet.status, loud.status], ["fulfilled", "rejected"]);
  }
});

Deno.test("Match is asked for each host anew, and Include counts where its block does", async () => {
  await using home = await TempHome.make();
  const more = await home.write("more", "User included\n");
  const { results, again } = await resolveAll(
    `Match host a*\n  Port 7\nHost b\n  Include ${more}\nHost *\n  User plain\n`,
    ["a1", "b", "a2"],
  );
  for (const settled of [results, again]) {
    assertEquals(settled.map((one) => one.status === "fulfilled" && one.value.where), [
      "plain@a1:7",
      "included@b:22",
      "plain@a2:7",
    ]);
  }
});

Deno.test("what cannot be read or may be written by others is said each time", async () => {
  await using home = await TempHome.make();
  const files = new ConfigFiles(readDirective, later);
  const path = await home.write("config", "Port 1\n");
  assertEquals((await files.get(path, { checkOwner: true }))?.length, 1);
  await Deno.chmod(path, 0o666);
  for (let time = 0; time < 2; time++) {
    await assertRejects(() => files.get(path, { checkOwner: true }), TargetError, "others may write it");
  }
  assertEquals((await files.get(path, { checkOwner: false }))?.[0].entries[0].name, "port");
  assertEquals(await files.get(`${path}-not`, { checkOwner: true }), undefined);
});
