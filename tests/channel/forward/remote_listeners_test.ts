import { assertEquals, assertRejects } from "@std/assert";
import { LinkError } from "../../../lib/base/errors.ts";
import type { Channel } from "../../../lib/channel/channel.ts";
import { RemoteListeners } from "../../../lib/channel/forward/remote_listeners.ts";
import * as m from "../../../lib/wire/messages.ts";
import { Reader } from "../../../lib/wire/reader.ts";
import { Writer } from "../../../lib/wire/writer.ts";
import { Peer } from "../peer.ts";

function listener(hasRoom = true) {
  const channels: Channel[] = [];
  return { channels, hasRoom: () => hasRoom, accept: (channel: Channel) => void channels.push(channel) };
}

async function request(peer: Peer, name: string): Promise<Reader> {
  const asked = m.decodeGlobalRequest(await peer.next(m.MSG.GLOBAL_REQUEST));
  assertEquals([asked.name, asked.wantReply], [name, true]);
  return new Reader(asked.data);
}

let nextSender = 100;

/** The server reports a connection to its listener. */
function connect(peer: Peer, host: string, port: number): void {
  const data = new Writer().utf8(host).uint32(port).utf8("10.1.1.1").uint32(5555).finish();
  const open = { type: "forwarded-tcpip", sender: nextSender++, window: 1000, maxPacket: 1000, data };
  peer.send(m.encodeChannelOpen(open));
}

function connectPath(peer: Peer, path: string): void {
  const data = new Writer().utf8(path).utf8("").finish();
  const type = "forwarded-streamlocal@openssh.com";
  peer.send(m.encodeChannelOpen({ type, sender: nextSender++, window: 1000, maxPacket: 1000, data }));
}

Deno.test("remote listeners get the channels of their own address, port or path", async () => {
  const peer = new Peer();
  const registry = RemoteListeners.of(peer.connection);
  const [a, b, c] = [listener(), listener(), listener()];
  const opening = Promise.all([
    registry.listen({ host: "localhost", port: 9000 }, a),
    registry.listen({ host: "", port: 9000 }, b),
    registry.listen({ path: "/run/x 9000" }, c),
  ]);
  for (const name of ["tcpip-forward", "tcpip-forward", "streamlocal-forward@openssh.com"]) {
    await request(peer, name);
    peer.send(m.encodeGlobalReply(true));
  }
  await opening;
  connect(peer, "localhost", 9000);
  connect(peer, "", 9000);
  connectPath(peer, "/run/x 9000");
  for (let i = 0; i < 3; i++) await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  assertEquals([a.channels.length, b.channels.length, c.channels.length], [1, 1, 1]);
});

Deno.test("remote listener gets a connection that comes together with the answer", async () => {
  const peer = new Peer();
  const registry = RemoteListeners.of(peer.connection);
  const fixed = listener();
  const opening = registry.listen({ host: "localhost", port: 9000 }, fixed);
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  connect(peer, "localhost", 9000);
  assertEquals(await opening, { host: "localhost", port: 9000 });
  await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  assertEquals(fixed.channels.length, 1);

  const any = listener();
  const settling = registry.listen({ host: "localhost", port: 0 }, any);
  const asked = await request(peer, "tcpip-forward");
  assertEquals([asked.utf8(), asked.uint32()], ["localhost", 0]);
  peer.send(m.encodeGlobalReply(true, new Writer().uint32(40123).finish()));
  connect(peer, "localhost", 40123);
  connect(peer, "localhost", 40124); // not ours: let in while the port was not known, and closed then
  assertEquals(await settling, { host: "localhost", port: 40123 });
  await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  await peer.next(m.MSG.CHANNEL_CLOSE);
  assertEquals(any.channels.length, 1);
});

Deno.test("remote listeners let in nothing that was not asked for, was refused, cancelled or has no room", async () => {
  const peer = new Peer();
  const registry = RemoteListeners.of(peer.connection);
  const refusal = async () => m.decodeChannelOpenFailure(await peer.next(m.MSG.CHANNEL_OPEN_FAILURE)).reason;
  connect(peer, "localhost", 22);
  connectPath(peer, "/x");
  assertEquals([await refusal(), await refusal()], [1, 1]);

  const refused = registry.listen({ host: "localhost", port: 22 }, listener());
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(false));
  assertEquals(await refused, undefined);
  connect(peer, "localhost", 22);
  assertEquals(await refusal(), 1);

  const opening = registry.listen({ host: "localhost", port: 22 }, listener(false));
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  await opening;
  connect(peer, "localhost", 22);
  assertEquals(await refusal(), 4);

  const cancelling = registry.cancel({ host: "localhost", port: 22 });
  const asked = await request(peer, "cancel-tcpip-forward");
  assertEquals([asked.utf8(), asked.uint32()], ["localhost", 22]);
  peer.send(m.encodeGlobalReply(true));
  await cancelling;
  connect(peer, "localhost", 22);
  assertEquals(await refusal(), 1);
});

Deno.test("remote listener is found by its port when the server names another address, if only one has it", async () => {
  const peer = new Peer();
  const registry = RemoteListeners.of(peer.connection);
  const [a, b] = [listener(), listener()];
  const opening = registry.listen({ host: "localhost", port: 9000 }, a);
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  await opening;
  connect(peer, "127.0.0.1", 9000);
  await peer.next(m.MSG.CHANNEL_OPEN_CONFIRMATION);
  assertEquals(a.channels.length, 1);
  const second = registry.listen({ host: "", port: 9000 }, b);
  await request(peer, "tcpip-forward");
  peer.send(m.encodeGlobalReply(true));
  await second;
  connect(peer, "127.0.0.1", 9000);
  await peer.next(m.MSG.CHANNEL_OPEN_FAILURE);
});

Deno.test("remote listener is not made, and can be asked for again, when the connection ends first", async () => {
  const peer = new Peer();
  const registry = RemoteListeners.of(peer.connection);
  const opening = registry.listen({ host: "localhost", port: 9000 }, listener());
  await peer.hangUp();
  await assertRejects(() => opening, LinkError);
  assertEquals(registry.has({ host: "localhost", port: 9000 }), false);
});

Deno.test("a forwarded channel that cannot be read ends the link", async () => {
  const peer = new Peer();
  RemoteListeners.of(peer.connection);
  const data = new Writer().utf8("localhost").finish();
  peer.send(m.encodeChannelOpen({ type: "forwarded-tcpip", sender: 1, window: 1, maxPacket: 1, data }));
  assertEquals((await peer.connection.closed).how, "failed");
});
