import { assert, assertEquals, assertRejects } from "@std/assert";
import { CopyError, ProtocolError } from "../../lib/base/errors.ts";
import { SftpClient } from "../../lib/host/sftp_client.ts";
import { readReply, sendRead } from "../../lib/host/sftp_data.ts";
import { fstat, openFile, stat } from "../../lib/host/sftp_files.ts";
import { FX, FXP } from "../../lib/wire/sftp.ts";
import * as peer from "../wire/sftp_packets.ts";
import { realClient, scriptedClient, scriptedServer, WHERE } from "./sftp_server.ts";

const HANDLE = new Uint8Array([1, 2, 3]);
const look = (sftp: SftpClient, path = "f") => stat(sftp, path, true);

Deno.test("an SFTP client learns what OpenSSH's server can do", async () => {
  await using sftp = await realClient();
  assert(sftp.supports("POSIX_RENAME") && sftp.supports("STATVFS") && sftp.supports("LIMITS"));
  await look(sftp, "/");
  assertEquals([sftp.readBytes, sftp.writeBytes], [128 * 1024, 128 * 1024]);
});

Deno.test("a server older than version 3 is refused", async () => {
  await assertRejects(
    () => SftpClient.open(scriptedServer(() => {}, { version: 2 })),
    CopyError,
    `Cannot start SFTP: ${WHERE}: the server speaks version 2; version 3 is needed`,
  );
});

Deno.test("a shell that prints text before SFTP is told apart", async () => {
  const text = new TextEncoder().encode("Last login: Friday\n");
  let disposed = false;
  const opening = SftpClient.open({
    where: WHERE,
    readable: ReadableStream.from([text]),
    writable: new WritableStream(),
    [Symbol.asyncDispose]: () => Promise.resolve(void (disposed = true)),
  });
  await assertRejects(
    () => opening,
    ProtocolError,
    'the host sent text where the first packet was due: "Last login',
  );
  assert(disposed);
});

Deno.test("a server that closes rejects everything under way, and what is asked later", async () => {
  await using sftp = await scriptedClient((request, close) =>
    request.type === FXP.LSTAT ? close() : undefined
  );
  const waiting = [look(sftp), look(sftp), stat(sftp, "g", false)];
  for (const answer of await Promise.allSettled(waiting)) {
    assert(answer.status === "rejected" && answer.reason instanceof CopyError);
    assertEquals(answer.reason.message, `SFTP was interrupted: ${WHERE}: the server closed the session`);
    assertEquals(answer.reason.code, "interrupted");
  }
  await assertRejects(() => look(sftp), CopyError, "the server closed the session");
});

Deno.test("a reply to a request that was never made ends the session", async () => {
  await using sftp = await scriptedClient(({ id }) => peer.status(id + 1, FX.OK));
  await assertRejects(() => look(sftp), ProtocolError, "a reply to request");
  await assertRejects(() => look(sftp), ProtocolError);
});

Deno.test("a second reply to one request ends the session", async () => {
  await using sftp = await scriptedClient(({ id, type }) =>
    type === FXP.STAT ? [peer.attributes(id, {}), peer.attributes(id, {})] : undefined
  );
  assertEquals(await look(sftp), {});
  await assertRejects(() => stat(sftp, "g", false), ProtocolError, "which was never made");
});

Deno.test("a reply of the wrong kind ends the session", async () => {
  for (
    const answer of [
      (id: number) => peer.handle(id, HANDLE),
      (id: number) => peer.status(id, FX.OK),
      (id: number) => peer.names(id, []),
    ]
  ) {
    await using sftp = await scriptedClient(({ id }) => answer(id));
    await assertRejects(() => look(sftp), ProtocolError, "where attributes was due");
  }
});

Deno.test("a packet that is truncated, or too long, ends the session", async () => {
  await using short = await scriptedClient(({ id }) => {
    const packet = peer.attributes(id, { size: 1, permissions: 0o100644 }).slice(0, -2);
    packet[3] -= 2;
    return packet;
  });
  await assertRejects(() => look(short), ProtocolError, "bytes wanted");
  await using long = await scriptedClient(() => new Uint8Array([0x10, 0, 0, 0, 1]));
  await assertRejects(() => look(long), ProtocolError, "a packet of 268435456 bytes");
});

Deno.test("more data than was asked for ends the session", async () => {
  await using sftp = await scriptedClient(({ id, type }) =>
    type === FXP.OPEN ? peer.handle(id, HANDLE) : peer.data(id, new Uint8Array(11))
  );
  const handle = await openFile(sftp, "f");
  const sent = await sendRead(sftp, handle, 0, 10);
  await assertRejects(
    () => readReply(sftp, handle, sent, 10),
    ProtocolError,
    "11 bytes where 10 were asked for",
  );
});

Deno.test("replies in any order reach who asked", async () => {
  const held: peer.Request[] = [];
  await using sftp = await scriptedClient((request) => {
    held.push(request);
    if (held.length < 50) return [];
    return held.reverse().map(({ id, body }) => peer.attributes(id, { size: Number(body.utf8()) }));
  });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => look(sftp, String(at))));
  assertEquals(answers.map(({ size }) => size), Array.from({ length: 50 }, (_, at) => at));
});

Deno.test("a handle that arrives after its request was aborted is closed again", async () => {
  let late: peer.Request | undefined;
  const asked = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Uint8Array>();
  await using sftp = await scriptedClient((request) => {
    if (request.type === FXP.OPEN) {
      late = request;
      asked.resolve();
    }
    if (request.type === FXP.CLOSE) closed.resolve(request.body.string());
    return request.type === FXP.STAT ? [peer.handle(late!.id, HANDLE), peer.attributes(request.id, {})] : [];
  });
  const controller = new AbortController();
  const opening = openFile(sftp, "f", { signal: controller.signal });
  opening.catch(() => {});
  await asked.promise;
  controller.abort("enough");
  assertEquals(await opening.catch((reason) => reason), "enough");
  await look(sftp);
  assertEquals(await closed.promise, HANDLE);
});

Deno.test("no more requests and bytes are under way than allowed, and all are served", async () => {
  let underWay = 0;
  let most = 0;
  const held: Uint8Array[] = [];
  const transport = scriptedServer((request) => {
    most = Math.max(most, ++underWay);
    held.push(peer.attributes(request.id, {}));
    if (underWay < 4) return [];
    underWay = 0;
    return held.splice(0);
  });
  await using sftp = await SftpClient.open(transport, { maxRequests: 4 });
  await Promise.all(Array.from({ length: 40 }, () => fstat(sftp, { id: HANDLE, path: "f" })));
  assertEquals(most, 4);
});

Deno.test("disposing a client twice is as good as once, and rejects what is under way", async () => {
  const sftp = await scriptedClient(() => {});
  const waiting = look(sftp);
  waiting.catch(() => {});
  await Promise.all([sftp[Symbol.asyncDispose](), sftp[Symbol.asyncDispose]()]);
  await assertRejects(() => waiting, CopyError, "SFTP was closed here");
});

Deno.test("an aborted start rejects with the signal's reason", async () => {
  const transport = { ...scriptedServer(() => {}), readable: new ReadableStream<Uint8Array>() };
  const controller = new AbortController();
  const opening = SftpClient.open(transport, { signal: controller.signal });
  controller.abort("no longer");
  assertEquals(await opening.then(() => undefined, (reason) => reason), "no longer");
});

Deno.test("a server's own words are shown without what a terminal would obey", async () => {
  await using sftp = await scriptedClient(({ id }) => peer.status(id, FX.FAILURE, "\x1b[2Jquota exceeded\n"));
  await assertRejects(
    () => look(sftp, "a\x1b]0;x\x07"),
    CopyError,
    `Cannot look at a remote file: ${WHERE}:a\\x1b]0;x\\x07: the server says failure, and does not say why: "\\x1b[2Jquota exceeded" (4)`,
  );
});
