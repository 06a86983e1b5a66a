import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CarpoolError } from "../../lib/base/errors.ts";
import { run } from "./run.ts";
import { git, provide, unpackedTool } from "./tools.ts";

Deno.test("rsync is provided and runs", async () => {
  const { path, env } = await provide("rsync");
  assertStringIncludes((await run(path, ["--version"], { env })).stdout, "protocol version");
});

Deno.test("git is provided and runs", async () => {
  const { path, env } = await git();
  assertStringIncludes((await run(path, ["--version"], { env })).stdout, "git version");
});

Deno.test("a program is unpacked once when many ask at the same time", async () => {
  const asked = Array.from({ length: 8 }, () => unpackedTool("mksh", ["mksh"]));
  const paths = new Set((await Promise.all(asked)).map(({ path }) => path));
  assertEquals(paths.size, 1);
  const [path] = paths;
  assert((await run(path, ["-c", "echo up"])).success);
});

Deno.test("a package that does not exist is refused with its name", async () => {
  const error = await assertRejects(() => unpackedTool("x", ["carpool-no-such-package"]), CarpoolError);
  assertStringIncludes(error.message, "carpool-no-such-package");
});
