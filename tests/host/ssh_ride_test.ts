import { assertEquals } from "@std/assert";
import { findRide, isMasterOf } from "../../lib/host/ssh_ride.ts";
import { identityKey } from "../../lib/master/identity.ts";
import { places } from "../../lib/master/places.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { Target, TargetOptions } from "../../lib/target/target.ts";
import { TempHome } from "../support/temp_home.ts";

const resolved = (options: TargetOptions = {}) =>
  resolveTarget("me@web", {
    configFile: "none",
    environment: { HOME: "/home/caller", USER: "caller" },
    ...options,
  });

const at = ({ host, user, port }: Target, controlPath: string) =>
  ({ kind: "openssh", host, user, port, controlPath }) as const;

Deno.test("a file rides the master that was made for its connection, not one of another identity", async () => {
  const wanted = await resolved({ proxyJump: "gate1" });
  const mine = `/run/c/ssh-o${await identityKey(wanted)}`;
  assertEquals(await isMasterOf(at(wanted, mine), wanted, true), true);
  // The same host, user and port by name; behind another jump host that may be another machine.
  for (const options of [{}, { proxyJump: "gate2" }, { proxyJump: "gate1", identityFile: "/k" }]) {
    const other = `/run/c/ssh-o${await identityKey(await resolved(options))}`;
    assertEquals(await isMasterOf(at(wanted, other), wanted, true), false, JSON.stringify(options));
  }
  assertEquals(await isMasterOf({ ...at(wanted, mine), kind: "carpool" }, wanted, true), false);
});

Deno.test("a file rides the master at the ControlPath that was named, and no other", async () => {
  const target = await resolved({ controlPath: "/tmp/mux" });
  assertEquals(await isMasterOf(at(target, "/tmp/mux"), target, false), true);
  assertEquals(await isMasterOf(at(target, "/tmp/other"), target, false), false);
  assertEquals(await isMasterOf({ ...at(target, "/tmp/mux"), user: "other" }, target, false), false);
  const plain = await resolved();
  assertEquals(await isMasterOf(at(plain, "/tmp/mux"), plain, false), false);
});

Deno.test("where masters cannot be asked for, a file goes another way", async () => {
  await using home = await TempHome.make();
  const environment = { HOME: home.path, USER: "caller", PATH: home.path };
  await home.write("ssh", "#!/bin/sh\n");
  await Deno.chmod(`${home.path}/ssh`, 0o755);
  const [place] = await places(environment);
  await Deno.mkdir(place.directory, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(place.keeperSocket, "no socket");
  assertEquals(
    await findRide(await resolved({ environment, controlPath: "/tmp/mux" }), undefined),
    undefined,
  );
});
