/** A server that means harm: whatever it answers, nothing is written outside the target, and every call ends. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CopyError, ProtocolError } from "../../lib/base/errors.ts";
import { CopyRun } from "../../lib/host/copy_run.ts";
import { fetchFromHost } from "../../lib/host/fetch.ts";
import { listRemoteTree } from "../../lib/host/fetch_list.ts";
import { FX, FXP } from "../../lib/wire/sftp.ts";
import * as peer from "../wire/sftp_packets.ts";
import { leftBehind, type Script, scriptedClient, snapshot, tempDir, unsupported } from "./sftp_server.ts";

const DIRECTORY = { permissions: 0o040755 };
const FILE = { permissions: 0o100644, size: 4 };
const LINK = { permissions: 0o120777 };
const HANDLE = new Uint8Array([1]);
const HOSTILE = new TextEncoder().encode("evil");

/** A server whose every directory has these entries, every file the same four bytes, every symlink `link`. */
function hostile(entries: (path: string) => readonly peer.Name[], link = "x"): Script {
  const listed = new Map<string, number>();
  let opened = "";
  let next = 0;
  const paths = new Map<number, string>();
  return ({ type, id, body }) => {
    switch (type) {
      case FXP.STAT:
        return peer.attributes(id, DIRECTORY);
      case FXP.OPENDIR:
        opened = body.utf8();
        paths.set(++next, opened);
        return peer.handle(id, new Uint8Array([next]));
      case FXP.READDIR: {
        const path = paths.get(body.string()[0])!;
        listed.set(path, (listed.get(path) ?? 0) + 1);
        return listed.get(path) === 1 ? peer.names(id, entries(path)) : peer.status(id, FX.EOF);
      }
      case FXP.OPEN:
        return peer.handle(id, HANDLE);
      case FXP.FSTAT:
        return peer.attributes(id, FILE);
      case FXP.READ:
        return peer.data(id, HOSTILE);
      case FXP.READLINK:
        return peer.names(id, [{ name: link, attributes: {} }]);
      case FXP.CLOSE:
        return peer.status(id, FX.OK);
      default:
        return unsupported({ type, id, body });
    }
  };
}

Deno.test("names that lead out of the target are refused, the rest is fetched", async () => {
  const names = ["../x", "/abs", "..", ".", "", "a/b", "a\0b", "good", "x".repeat(3000)];
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/dst`);
  await using sftp = await scriptedClient(hostile(() => names.map((name) => ({ name, attributes: FILE }))));
  const error = await assertRejects(
    () => fetchFromHost(sftp, "/r/", `${dir.path}/dst`),
    CopyError,
  );
  assertEquals(error.code, "escapes");
  assertStringIncludes(
    error.message,
    "../x (the server gave it a name that cannot be used: it leads to another",
  );
  assertEquals((error.cause as AggregateError).errors.length, 6);
  assertEquals((await snapshot(dir.path)).map((line) => line.split(" ")[0]), ["dst/", "dst/good"]);
});

Deno.test("a name that is first a symlink and then a directory leads nowhere", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/outside`);
  for (const link of [`${dir.path}/outside`, "../outside", "sub/../../outside"]) {
    for (const order of [[LINK, DIRECTORY], [DIRECTORY, LINK]]) {
      for (const symlinks of ["inside", "any"] as const) {
        const entries = (path: string): peer.Name[] =>
          path.endsWith("d")
            ? [{ name: "f", attributes: FILE }]
            : order.map((attributes) => ({ name: "d", attributes }));
        const target = `${dir.path}/${crypto.randomUUID()}`;
        await using sftp = await scriptedClient(hostile(entries, link));
        await assertRejects(() => fetchFromHost(sftp, "/r/", target, { symlinks }), CopyError);
        assertEquals(await Array.fromAsync(Deno.readDir(`${dir.path}/outside`)), []);
        // A second fetch finds what the first left.
        await using again = await scriptedClient(
          hostile((path) =>
            path.endsWith("d") ? [{ name: "f", attributes: FILE }] : [{ name: "d", attributes: DIRECTORY }]
          ),
        );
        await fetchFromHost(again, "/r/", target).catch((error) => assert(error instanceof CopyError));
        assertEquals(await Array.fromAsync(Deno.readDir(`${dir.path}/outside`)), []);
      }
    }
  }
});

Deno.test("a listing without end is given up", async () => {
  let count = 0;
  const endless: Script = ({ type, id }) =>
    type === FXP.OPENDIR
      ? peer.handle(id, HANDLE)
      : type === FXP.READDIR
      ? peer.names(id, Array.from({ length: 100 }, () => ({ name: `f${count++}`, attributes: FILE })))
      : peer.status(id, FX.OK);
  await using sftp = await scriptedClient(endless);
  const top = { relative: "", path: "/r", attributes: DIRECTORY };
  await assertRejects(
    () => listRemoteTree(new CopyRun({}), sftp, top, 5000),
    CopyError,
    "it has more than 5000 entries; fetch parts of it",
  );
  // Nor does it help to answer with nothing, for ever.
  const nothing: Script = (request, close) =>
    request.type === FXP.READDIR ? peer.names(request.id, []) : endless(request, close);
  await using empty = await scriptedClient(nothing);
  await assertRejects(() => listRemoteTree(new CopyRun({}), empty, top, 5000), CopyError, "more than 5000");
});

Deno.test("directories nested without end are given up", async () => {
  await using sftp = await scriptedClient(hostile(() => [{ name: "d", attributes: DIRECTORY }]));
  const top = { relative: "", path: "/r", attributes: DIRECTORY };
  await assertRejects(() => listRemoteTree(new CopyRun({}), sftp, top, 200), CopyError, "more than 200");
});

Deno.test("a file that is shorter than it says, or never ends, is not put in place", async () => {
  await using dir = await tempDir();
  const file =
    (size: number, read: (id: number, length: number) => Uint8Array): Script => ({ type, id, body }) => {
      switch (type) {
        case FXP.STAT:
        case FXP.FSTAT:
          return peer.attributes(id, { permissions: 0o100644, size });
        case FXP.OPEN:
          return peer.handle(id, HANDLE);
        case FXP.READ:
          body.string();
          body.uint64();
          return read(id, body.uint32());
        default:
          return peer.status(id, FX.OK);
      }
    };
  const fetching = async (script: Script) => {
    await using sftp = await scriptedClient(script);
    await fetchFromHost(sftp, "f", `${dir.path}/f`);
  };
  await assertRejects(
    () => fetching(file(100, (id) => peer.status(id, FX.EOF))),
    CopyError,
    "it shrank from 100 to 0 bytes",
  );
  await assertRejects(
    () => fetching(file(1000, (id) => peer.data(id, new Uint8Array(0)))),
    CopyError,
    "it shrank",
  );
  await assertRejects(
    () => fetching(file(0, (id, length) => peer.data(id, new Uint8Array(length)))),
    CopyError,
    "it says that it is empty, and has more than",
  );
  await assertRejects(
    () => fetching(file(100, (id) => peer.data(id, new Uint8Array(1e5)))),
    ProtocolError,
    "100000 bytes where 100 were",
  );
  await assertRejects(
    () => fetching(file(100, (id) => peer.status(id, FX.PERMISSION_DENIED))),
    CopyError,
    "permission denied",
  );
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

Deno.test("a server that gives a byte at a time is read to the end", async () => {
  const content = new TextEncoder().encode("one byte at a time");
  await using dir = await tempDir();
  await using sftp = await scriptedClient(({ type, id, body }) => {
    if (type === FXP.OPEN) return peer.handle(id, HANDLE);
    if (type !== FXP.READ) return peer.attributes(id, { permissions: 0o100600, size: content.length });
    body.string();
    const offset = Number(body.uint64());
    return peer.data(id, content.subarray(offset, offset + 1));
  });
  await fetchFromHost(sftp, "f", `${dir.path}/f`);
  assertEquals(await Deno.readFile(`${dir.path}/f`), content);
});

Deno.test("a server that closes in the middle of a tree leaves no temporary file", async () => {
  await using dir = await tempDir();
  const names = Array.from({ length: 40 }, (_, at) => ({ name: `f${at}`, attributes: FILE }));
  const script = hostile(() => names);
  let reads = 0;
  await using sftp = await scriptedClient((request, close) => {
    if (request.type === FXP.READ && ++reads === 20) close();
    return script(request, close);
  });
  const error = await assertRejects(() => fetchFromHost(sftp, "/r", `${dir.path}/dst`), CopyError);
  assertEquals(error.code, "interrupted");
  assertEquals(await leftBehind(dir.path), []);
});
