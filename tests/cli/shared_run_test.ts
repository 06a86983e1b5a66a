import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { KeeperWorld } from "../master/keeper_world.ts";

const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

Deno.test("a second run, and everything else of the same user, makes no new connection", async (t) => {
  await using world = await KeeperWorld.make({ hosts: addresses });
  const { sshd, home } = world;
  const steps = "steps:\n  - exec: uname\n  - exec: id -un\n";
  await home.write("tasks/look.yaml", `hosts: [${addresses.join(", ")}]\n${steps}`);
  const carpool = (...args: string[]) => world.run(args, { cwd: home.path });
  const options = ["-F", world.configFile];
  await t.step("the first run makes one connection a host, with one keeper", async () => {
    const { code, stdout, stderr } = await carpool("run", "look", ...options);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "3 connections opened");
    assertEquals([sshd.connections(), world.livingKeepers().length], [3, 1]);
  });
  await t.step("the second run makes none", async () => {
    const { code, stdout, stderr } = await carpool("run", "look", ...options);
    assertEquals([code, stderr, sshd.connections()], [0, "", 3]);
    assertStringIncludes(stdout, "0 connections opened");
  });
  await t.step("ten commands at once from ten processes make none", async () => {
    const numbers = Array.from({ length: 10 }, (_, n) => n);
    const results = await Promise.all(
      numbers.map((n) => carpool("exec", ...options, "127.0.0.2", "--", `echo ${n}; exit ${n}`)),
    );
    assertEquals(
      results.map(({ code, stdout, stderr }) => [code, stdout, stderr]),
      numbers.map((n) => [n, `${n}\n`, ""]),
    );
    assertEquals(sshd.connections(), 3);
  });
  await t.step("a copy makes none", async () => {
    const file = await home.write("file.txt", "content\n");
    const { code, stderr } = await carpool("copy", ...options, file, "127.0.0.3:copied.txt");
    assertEquals([code, stderr, sshd.connections()], [0, "", 3]);
    assertEquals(await Deno.readTextFile(join(sshd.home, "copied.txt")), "content\n");
  });
  await t.step("masters lists the three", async () => {
    const { stdout } = await carpool("masters", "--output", "json");
    const found = JSON.parse(stdout) as { host: string; kind: string; sessions: number }[];
    assertEquals(
      found.map(({ host, kind, sessions }) => [host, kind, sessions]).toSorted(),
      addresses.map((address) => [address, "carpool", 0]),
    );
  });
  await t.step("--no-share makes one of its own", async () => {
    const { code, stderr } = await carpool("exec", "--no-share", ...options, "127.0.0.2", "--", "true");
    assertEquals([code, stderr, sshd.connections()], [0, "", 4]);
  });
});
