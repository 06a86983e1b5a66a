import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { copy } from "../../lib/cli/copy.ts";
import { withCopyOptions } from "../../lib/cli/copy_update.ts";
import type { CopyOptions } from "../../lib/host/copy_options.ts";
import { FakeHost } from "../job/fake_host.ts";

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
