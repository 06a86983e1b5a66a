import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import { copyToHost } from "../../lib/host/copy.ts";
import { localError } from "../../lib/host/copy_errors.ts";
import { fetchFromHost } from "../../lib/host/fetch.ts";
import { leftBehind, realClient, tempDir, WHERE } from "./sftp_server.ts";

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return await work().then(() => undefined, (error) => error);
}

Deno.test("a full local disk, a denied and a missing file are told apart", async () => {
  // Deno opens /dev/full to nobody but --allow-all: its error is made from what it says there.
  const full = Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
  const cases: [unknown, string, string][] = [
    [
      full,
      "no-space",
      "Cannot fetch f: /here/f: No space left on device (os error 28); free some space there",
    ],
    [
      new Deno.errors.PermissionDenied("Permission denied (os error 13): open '/here/f'"),
      "denied",
      "Cannot fetch f: /here/f: Permission denied (os error 13)",
    ],
    [
      await failureOf(() => Deno.stat("/no/such")),
      "missing",
      "Cannot fetch f: /here/f: there is no such file or directory here; check the path",
    ],
    [
      await failureOf(() => Deno.readDir("/etc/passwd")[Symbol.asyncIterator]().next()),
      "local-failed",
      "Cannot fetch f: /here/f: Not a directory (os error 20)",
    ],
  ];
  for (const [cause, code, message] of cases) {
    const error = localError(cause, "Cannot fetch f", "/here/f");
    assert(error instanceof CopyError);
    assertEquals([error.code, error.message, error.cause], [code, message, cause]);
  }
});

Deno.test("what is no failure of the file system is not called one", () => {
  for (const cause of [new TypeError("bug"), new DOMException("stop", "AbortError"), "reason", undefined]) {
    assertEquals(localError(cause, "what", "path"), cause);
  }
});

Deno.test("a host that denies says so for the file that was named", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/a`, "a");
  await using sftp = await realClient({ refuse: ["open", "mkdir"] });
  const copying = await assertRejects(() => copyToHost(sftp, `${dir.path}/a`, `${dir.path}/b`), CopyError);
  assertEquals(
    copying.message,
    `Cannot copy ${dir.path}/a: ${WHERE}:${dir.path}/b: the server says permission denied (3); ` +
      "check the permissions there",
  );
  const fetching = await assertRejects(
    () => fetchFromHost(sftp, `${dir.path}/a`, `${dir.path}/b`),
    CopyError,
  );
  assertStringIncludes(
    fetching.message,
    `Cannot fetch ${dir.path}/a: ${WHERE}:${dir.path}/a: the server says`,
  );
  const making = await assertRejects(() => copyToHost(sftp, dir.path, `${dir.path}/new`), CopyError);
  assertEquals([copying.code, fetching.code, making.code], ["denied", "denied", "denied"]);
  assertEquals(await leftBehind(dir.path), []);
});
