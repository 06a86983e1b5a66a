import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { copy } from "../../lib/cli/copy.ts";
import { CopyTally, withCopyOptions } from "../../lib/cli/copy_update.ts";
import type { CopyOptions } from "../../lib/host/copy_options.ts";
import { age } from "../host/stream_world.ts";
import { FakeHost } from "../job/fake_host.ts";
import { startSshd } from "../support/sshd.ts";
import { carpool } from "./carpool.ts";

Deno.test("what carpool copy was told reaches every copy and fetch, and nothing else changes", async () => {
  const fake = new FakeHost("a");
  const seen: CopyOptions[] = [];
  const answer = fake.copyAnswer;
  fake.copyAnswer = (from, to, options) => {
    seen.push(options);
    return answer(from, to, options);
  };
  const connect = withCopyOptions(() => Promise.resolve(fake), { update: "checksum" });
  const signal = new AbortController().signal;
  const host = await connect("a", { signal });
  await host.copy("x", "y", { signal });
  await host.fetch("x", "y");
  assertEquals(seen, [{ signal, update: "checksum" }, { update: "checksum" }]);
  assertEquals(host.where, fake.where);
  const plain = withCopyOptions(() => Promise.resolve(fake), {});
  assertEquals(await plain("a", { signal }), fake);
});

Deno.test("carpool copy refuses options that contradict each other", async () => {
  await assertRejects(
    () => copy(["--always", "--checksum", "a", "b:"]),
    UsageError,
    "--checksum says the opposite",
  );
});

Deno.test("what was moved and what was there already is counted, over all hosts", async () => {
  const tally = new CopyTally();
  assertEquals(tally.toText(), undefined);
  const hosts = ["a", "b"].map((name) => new FakeHost(name));
  for (const fake of hosts) {
    const answer = fake.copyAnswer;
    fake.copyAnswer = async (...words) => ({ ...await answer(...words), files: 3, symlinks: 1, skipped: 5 });
  }
  const signal = new AbortController().signal;
  const connect = withCopyOptions((name) => Promise.resolve(hosts["ab".indexOf(name)]), {}, tally);
  const first = await connect("a", { signal });
  await first.copy("x", "y");
  assertEquals(tally.toText(), "4 copied, 5 unchanged");
  await first.fetch("x", "y");
  await (await connect("b", { signal })).copy("x", "y");
  assertEquals(tally.toText(), "12 copied, 15 unchanged, on 2 hosts");
});

Deno.test("carpool copy -v says how much was copied and how much was there, in its last line", async () => {
  await using sshd = await startSshd();
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${cwd}/src`);
    for (const name of ["a", "b", "c"]) await Deno.writeTextFile(`${cwd}/src/${name}`, name);
    await age(`${cwd}/src`);
    const options = ["-F", sshd.configFile, "-o", "ControlMaster=no"];
    const last = async (...more: string[]) => {
      const { code, stdout, stderr } = await carpool(["copy", ...options, ...more], { cwd });
      assertEquals([code, stdout], [0, ""], stderr);
      return stderr.trimEnd().split("\n").at(-1);
    };
    const pair = ["src/", "test:dst"];
    assertEquals(await last("-v", ...pair), "3 copied, 0 unchanged");
    await Deno.writeTextFile(`${cwd}/src/b`, "changed");
    assertEquals(await last("-v", ...pair), "1 copied, 2 unchanged");
    assertEquals(await last("-v", "test:dst/", "back"), "3 copied, 0 unchanged");
    // Where nobody looks, what went well is not told.
    assertEquals(await last(...pair), "");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
