import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { endKeepers, keepersOf } from "../support/keeper_end.ts";
import { startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";
import { carpool as runCarpool } from "./carpool.ts";

const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

Deno.test("a second run, and everything else of the same user, makes no new connection", async (t) => {
  await using sshd = await startSshd({ hosts: addresses });
  await using home = await TempHome.make();
  await home.write(
    "tasks/look.yaml",
    `hosts: [127.0.0.2, 127.0.0.3, 127.0.0.4]\nsteps:\n  - exec: uname\n  - exec: id -un\n`,
  );
  const carpool = (...args: string[]) =>
    runCarpool(args, { cwd: home.path, env: home.env, clearEnv: true, deadlineMs: 60_000 });
  try {
    await t.step("the first run makes one connection a host", async () => {
      const { code, stderr } = await carpool("run", "look", "-F", sshd.configFile);
      assertEquals([code, stderr], [0, ""]);
      assertEquals([sshd.connections(), keepersOf(home).length], [3, 1]);
    });
    await t.step("the second run makes none", async () => {
      const { code, stderr } = await carpool("run", "look", "-F", sshd.configFile);
      assertEquals([code, stderr, sshd.connections()], [0, "", 3]);
    });
    await t.step("ten commands at once from ten processes make none", async () => {
      const results = await Promise.all(
        Array.from(
          { length: 10 },
          (_, n) => carpool("exec", "-F", sshd.configFile, "127.0.0.2", "--", `echo ${n}; exit ${n}`),
        ),
      );
      assertEquals(
        results.map(({ code, stdout, stderr }) => [code, stdout, stderr]),
        results.map((_, n) => [n, `${n}\n`, ""]),
      );
      assertEquals(sshd.connections(), 3);
    });
    await t.step("a copy makes none", async () => {
      await home.write("file.txt", "content\n");
      const { code, stderr } = await carpool(
        "copy",
        "-F",
        sshd.configFile,
        join(home.path, "file.txt"),
        "127.0.0.3:copied.txt",
      );
      assertEquals([code, stderr, sshd.connections()], [0, "", 3]);
      assertEquals(await Deno.readTextFile(join(sshd.home, "copied.txt")), "content\n");
    });
    await t.step("masters lists the three", async () => {
      const { stdout } = await carpool("masters", "--output", "json");
      const found = JSON.parse(stdout) as { host: string; kind: string; sessions: number }[];
      assertEquals(
        found.map(({ host, kind, sessions }) => [host, kind, sessions]).toSorted(),
        addresses.map((a) => [a, "carpool", 0]),
      );
    });
    await t.step("--no-share makes one of its own", async () => {
      const { code, stderr } = await carpool(
        "exec",
        "--no-share",
        "-F",
        sshd.configFile,
        "127.0.0.2",
        "--",
        "true",
      );
      assertEquals([code, stderr, sshd.connections()], [0, "", 4]);
    });
  } finally {
    await endKeepers(home);
  }
});
