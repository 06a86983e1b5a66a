import { assertEquals, assertRejects } from "@std/assert";
import { LinkError } from "../../lib/base/errors.ts";
import * as m from "../../lib/wire/messages.ts";
import { Writer } from "../../lib/wire/writer.ts";
import {
  bytes,
  openThrough,
  type RelayEnds,
  relayEnds,
  type ScriptedEnd,
  settle,
  text,
} from "./relay_ends.ts";

const { MSG } = m;
const tcp = (host: string, port: number) => new Writer().utf8(host).uint32(port).finish();
const unix = (path: string) => new Writer().utf8(path).finish();
const ask = (name: string, data: Uint8Array, wantReply = true) =>
  m.encodeGlobalRequest(name, wantReply, data);

async function forward(
  ends: RelayEnds,
  passenger: ScriptedEnd,
  name: string,
  data: Uint8Array,
  answer?: Uint8Array,
) {
  passenger.send(ask(name, data));
  const request = m.decodeGlobalRequest(await ends.server.next(MSG.GLOBAL_REQUEST));
  assertEquals([request.name, request.data, request.wantReply], [name, data, true]);
  ends.server.send(m.encodeGlobalReply(true, answer));
  await passenger.next(MSG.REQUEST_SUCCESS);
}

function serverOpens(ends: RelayEnds, sender: number, type: string, ...fields: (string | number)[]): void {
  const data = new Writer();
  for (const field of fields) typeof field === "string" ? data.utf8(field) : data.uint32(field);
  ends.server.send(m.encodeChannelOpen({ type, sender, window: 1000, maxPacket: 500, data: data.finish() }));
}

/** The server's number of what was refused. */
async function refused(ends: RelayEnds): Promise<number> {
  return m.decodeChannelOpenFailure(await ends.server.next(MSG.CHANNEL_OPEN_FAILURE)).recipient;
}

Deno.test("relay never passes no-more-sessions@openssh.com on, nor anything else that concerns the connection", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.send(ask("no-more-sessions@openssh.com", bytes(""), false), ask("keepalive@openssh.com", bytes("")));
  await a.next(MSG.REQUEST_FAILURE);
  a.send(ask("hostkeys-prove-00@openssh.com", bytes("")));
  await a.next(MSG.REQUEST_FAILURE);
  assertEquals([ends.server.types, a.types], [[], []]);
});

Deno.test("relay answers each passenger's global requests in its order, some here and some by the server", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  a.send(
    ask("tcpip-forward", tcp("", 0)),
    ask("keepalive@openssh.com", bytes("")),
    ask("tcpip-forward", tcp("", 81)),
  );
  b.send(ask("tcpip-forward", tcp("", 82)));
  await settle();
  assertEquals(ends.server.types, [MSG.GLOBAL_REQUEST, MSG.GLOBAL_REQUEST, MSG.GLOBAL_REQUEST]);
  assertEquals(a.types, []); // the second is answered, and waits for the first
  ends.server.send(m.encodeGlobalReply(true, new Writer().uint32(40000).finish()));
  assertEquals(
    await a.next(MSG.REQUEST_SUCCESS),
    m.encodeGlobalReply(true, new Writer().uint32(40000).finish()),
  );
  await a.next(MSG.REQUEST_FAILURE);
  ends.server.send(m.encodeGlobalReply(false), m.encodeGlobalReply(true));
  await a.next(MSG.REQUEST_FAILURE);
  await b.next(MSG.REQUEST_SUCCESS);
  assertEquals([a.types, b.types], [[], []]);
});

Deno.test("relay's own requests and passengers' get their own answers", async () => {
  const ends = relayEnds();
  const a = ends.board();
  const first = ends.relay.request("keepalive@openssh.com");
  a.send(ask("tcpip-forward", tcp("h", 80)));
  await settle();
  const second = ends.relay.request("keepalive@openssh.com");
  ends.server.send(
    m.encodeGlobalReply(false),
    m.encodeGlobalReply(true),
    m.encodeGlobalReply(true, bytes("x")),
  );
  assertEquals((await first)[0], MSG.REQUEST_FAILURE);
  await a.next(MSG.REQUEST_SUCCESS);
  assertEquals(text((await second).subarray(1)), "x");
  assertEquals(a.types, []);
});

Deno.test("relay's own request fails when the link ends before the answer, and after", async () => {
  const ends = relayEnds();
  const request = ends.relay.request("keepalive@openssh.com");
  const rejected = assertRejects(
    () => request,
    LinkError,
    "Cannot learn the answer to keepalive@openssh.com",
  );
  await ends.server.link.close();
  await rejected;
  await assertRejects(() => ends.relay.request("keepalive@openssh.com"), LinkError);
});

Deno.test("relay routes what the server opens to whoever asked for the listener, and refuses the rest", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  await forward(ends, a, "tcpip-forward", tcp("localhost", 80));
  await forward(ends, b, "tcpip-forward", tcp("", 0), new Writer().uint32(40000).finish());
  await forward(ends, b, "streamlocal-forward@openssh.com", unix("/run/s"));
  serverOpens(ends, 10, "forwarded-tcpip", "localhost", 80, "9.9.9.9", 1);
  serverOpens(ends, 11, "forwarded-tcpip", "", 40000, "9.9.9.9", 2);
  serverOpens(ends, 12, "forwarded-streamlocal@openssh.com", "/run/s", "");
  serverOpens(ends, 13, "forwarded-tcpip", "localhost", 81, "9.9.9.9", 3);
  serverOpens(ends, 14, "forwarded-streamlocal@openssh.com", "/run/other", "");
  serverOpens(ends, 15, "session");
  assertEquals(m.decodeChannelOpen(await a.next(MSG.CHANNEL_OPEN)).sender, 10);
  assertEquals(m.decodeChannelOpen(await b.next(MSG.CHANNEL_OPEN)).sender, 11);
  assertEquals(m.decodeChannelOpen(await b.next(MSG.CHANNEL_OPEN)).sender, 12);
  assertEquals([await refused(ends), await refused(ends), await refused(ends)], [13, 14, 15]);
  assertEquals([a.types, b.types], [[], []]);

  // The accepted one works, both ways, with its window capped and its numbers its own.
  a.send(m.encodeChannelOpenConfirmation({ recipient: 10, sender: 6, window: 0xffffffff, maxPacket: 100 }));
  const taken = m.decodeChannelOpenConfirmation(await ends.server.next(MSG.CHANNEL_OPEN_CONFIRMATION));
  assertEquals([taken.recipient, taken.window, taken.maxPacket], [10, 2 * 1024 * 1024, 100]);
  ends.server.send(m.encodeChannelData(taken.sender, bytes("in")));
  assertEquals(m.decodeChannelData(await a.next(MSG.CHANNEL_DATA)), { recipient: 6, data: bytes("in") });
  a.send(m.encodeChannelData(10, bytes("out")));
  assertEquals(m.decodeChannelData(await ends.server.next(MSG.CHANNEL_DATA)), {
    recipient: 10,
    data: bytes("out"),
  });
  b.send(m.encodeChannelOpenFailure({ recipient: 11, reason: 2, description: "no" }));
  assertEquals(await refused(ends), 11);
});

Deno.test("relay takes the port for an answer where the server names another address, if it is one passenger's", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  await forward(ends, a, "tcpip-forward", tcp("localhost", 80));
  serverOpens(ends, 10, "forwarded-tcpip", "127.0.0.1", 80, "9.9.9.9", 1);
  assertEquals(m.decodeChannelOpen(await a.next(MSG.CHANNEL_OPEN)).sender, 10);
  await forward(ends, b, "tcpip-forward", tcp("127.0.0.2", 80));
  serverOpens(ends, 11, "forwarded-tcpip", "0.0.0.0", 80, "9.9.9.9", 1);
  assertEquals(await refused(ends), 11);
  assertEquals([a.types, b.types], [[], []]);
});

Deno.test("relay refuses another's listener and its cancellation, and passes its own cancellation on", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  await forward(ends, a, "tcpip-forward", tcp("h", 80));
  await forward(ends, a, "streamlocal-forward@openssh.com", unix("/s"));
  b.send(ask("tcpip-forward", tcp("h", 80)), ask("cancel-tcpip-forward", tcp("h", 80)));
  b.send(ask("cancel-streamlocal-forward@openssh.com", unix("/s")));
  for (let i = 0; i < 3; i++) await b.next(MSG.REQUEST_FAILURE);
  assertEquals(ends.server.types, []);
  await forward(ends, a, "cancel-tcpip-forward", tcp("h", 80));
  serverOpens(ends, 10, "forwarded-tcpip", "h", 80, "9.9.9.9", 1);
  assertEquals(await refused(ends), 10);
  await forward(ends, b, "tcpip-forward", tcp("h", 80)); // free again
  serverOpens(ends, 11, "forwarded-tcpip", "h", 80, "9.9.9.9", 1);
  assertEquals(m.decodeChannelOpen(await b.next(MSG.CHANNEL_OPEN)).sender, 11);
});

Deno.test("relay gives nobody a listener that the server refused, and keeps one whose cancellation it refused", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  a.send(ask("tcpip-forward", tcp("h", 80)));
  await ends.server.next(MSG.GLOBAL_REQUEST);
  ends.server.send(m.encodeGlobalReply(false));
  await a.next(MSG.REQUEST_FAILURE);
  serverOpens(ends, 10, "forwarded-tcpip", "h", 80, "9.9.9.9", 1);
  assertEquals(await refused(ends), 10);
  await forward(ends, b, "tcpip-forward", tcp("h", 80));
  b.send(ask("cancel-tcpip-forward", tcp("h", 80)));
  await ends.server.next(MSG.GLOBAL_REQUEST);
  ends.server.send(m.encodeGlobalReply(false));
  await b.next(MSG.REQUEST_FAILURE);
  serverOpens(ends, 11, "forwarded-tcpip", "h", 80, "9.9.9.9", 1);
  assertEquals(m.decodeChannelOpen(await b.next(MSG.CHANNEL_OPEN)).sender, 11);
});

Deno.test("relay cancels the listeners of a passenger that vanishes, and gives them to others", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  await forward(ends, a, "tcpip-forward", tcp("", 0), new Writer().uint32(40000).finish());
  await forward(ends, a, "streamlocal-forward@openssh.com", unix("/s"));
  await a.link.close();
  const cancels = [await ends.server.next(MSG.GLOBAL_REQUEST), await ends.server.next(MSG.GLOBAL_REQUEST)];
  assertEquals(cancels.map((payload) => m.decodeGlobalRequest(payload)), [
    { name: "cancel-tcpip-forward", wantReply: true, data: tcp("", 40000) },
    { name: "cancel-streamlocal-forward@openssh.com", wantReply: true, data: unix("/s") },
  ]);
  serverOpens(ends, 10, "forwarded-tcpip", "", 40000, "9.9.9.9", 1);
  assertEquals(await refused(ends), 10);
  ends.server.send(m.encodeGlobalReply(true), m.encodeGlobalReply(false));
  await forward(ends, b, "streamlocal-forward@openssh.com", unix("/s"));
});

Deno.test("relay cancels a listener that the server grants to a passenger that has vanished meanwhile", async () => {
  const ends = relayEnds();
  const a = ends.board();
  a.send(ask("tcpip-forward", tcp("", 0)));
  await ends.server.next(MSG.GLOBAL_REQUEST);
  await a.link.close();
  await settle();
  assertEquals(ends.server.types, []); // nothing to cancel yet
  ends.server.send(m.encodeGlobalReply(true, new Writer().uint32(40000).finish()));
  const cancel = m.decodeGlobalRequest(await ends.server.next(MSG.GLOBAL_REQUEST));
  assertEquals([cancel.name, cancel.data], ["cancel-tcpip-forward", tcp("", 40000)]);
});

Deno.test("relay gives agent and display channels to the latest on board that asked for them", async () => {
  const ends = relayEnds();
  const [a, b] = [ends.board(), ends.board()];
  serverOpens(ends, 9, "auth-agent@openssh.com");
  assertEquals(await refused(ends), 9);
  const toA = await openThrough(ends, a, { sender: 1, remoteId: 40 });
  await openThrough(ends, b, { sender: 1, remoteId: 41 });
  const x11 = new Writer().boolean(false).utf8("MIT-MAGIC-COOKIE-1").utf8("00").uint32(0).finish();
  a.send(m.encodeChannelRequest(40, "x11-req", false, x11));
  a.send(m.encodeChannelRequest(40, "auth-agent-req@openssh.com", false));
  await settle();
  b.send(m.encodeChannelRequest(41, "auth-agent-req@openssh.com", false));
  await settle();
  ends.server.arrived.length = 0;
  serverOpens(ends, 10, "auth-agent@openssh.com");
  assertEquals(m.decodeChannelOpen(await b.next(MSG.CHANNEL_OPEN)).sender, 10);
  serverOpens(ends, 11, "x11", "1.2.3.4", 5);
  assertEquals(m.decodeChannelOpen(await a.next(MSG.CHANNEL_OPEN)).sender, 11);
  await b.link.close();
  await settle();
  ends.server.arrived.length = 0;
  serverOpens(ends, 12, "auth-agent@openssh.com");
  assertEquals(m.decodeChannelOpen(await a.next(MSG.CHANNEL_OPEN)).sender, 12);
  // Its session over, it asks for nothing any more.
  ends.server.send(m.encodeChannelClose(toA));
  await a.next(MSG.CHANNEL_CLOSE);
  a.send(m.encodeChannelClose(40));
  await ends.server.next(MSG.CHANNEL_CLOSE);
  serverOpens(ends, 13, "auth-agent@openssh.com");
  assertEquals(await refused(ends), 13);
});
