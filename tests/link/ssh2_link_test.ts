/** The contract of links, over a connection of our own to a real sshd. */
import { assert, assertEquals } from "@std/assert";
import { dialTcp } from "../../lib/link/dial.ts";
import { openLink } from "../../lib/link/open_link.ts";
import { openSsh2Link } from "../../lib/link/ssh2_link.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import * as m from "../../lib/wire/messages.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { startSshd } from "../support/sshd.ts";
import { Arrivals, linkContract } from "./contract.ts";

async function overSshd() {
  const sshd = await startSshd();
  const target = await resolveTarget("test", { configFile: sshd.configFile });
  const link = await openLink(target, { prompter: noPrompter });
  return {
    link,
    sshd,
    cut: () => sshd.dropConnections(),
    [Symbol.asyncDispose]: async () => {
      await link.close();
      await sshd.stop();
    },
  };
}

linkContract("ssh2 link", overSshd);

Deno.test("ssh2 link carries large amounts both ways, in order", async () => {
  await using ends = await overSshd();
  const { link } = ends;
  const arrivals = new Arrivals(link);
  const next = async (type: number) => {
    for (let at = 0;; at++) {
      const payload = (await arrivals.upTo(at + 1))[at];
      // What sshd says on its own, host keys above all, comes in between.
      if (payload[0] === type) return arrivals.payloads.splice(at, 1)[0];
    }
  };
  link.send(m.encodeChannelOpen({ type: "session", sender: 5, window: 1 << 30, maxPacket: 32768 }));
  const { sender, maxPacket } = m.decodeChannelOpenConfirmation(await next(m.MSG.CHANNEL_OPEN_CONFIRMATION));
  link.send(m.encodeChannelRequest(sender, "exec", true, new Writer().utf8("cat").finish()));
  await next(m.MSG.CHANNEL_SUCCESS);
  let window = m.decodeWindowAdjust(await next(m.MSG.CHANNEL_WINDOW_ADJUST)).bytes;
  const total = 8 * 1024 * 1024;
  let [sent, received] = [0, 0];
  while (received < total) {
    while (sent < total && window >= maxPacket) {
      const part = new Uint8Array(maxPacket);
      for (let i = 0; i < part.length; i += 4) new DataView(part.buffer).setUint32(i, sent + i);
      link.send(m.encodeChannelData(sender, part));
      sent += part.length;
      window -= part.length;
    }
    const payload = (await arrivals.upTo(1)).shift()!;
    if (payload[0] === m.MSG.CHANNEL_WINDOW_ADJUST) window += m.decodeWindowAdjust(payload).bytes;
    if (payload[0] !== m.MSG.CHANNEL_DATA) continue;
    const { data } = m.decodeChannelData(payload);
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    // Pieces need not end where numbers do.
    for (let i = (4 - received % 4) % 4; i + 4 <= data.length; i += 4) {
      assertEquals(view.getUint32(i), received + i);
    }
    received += data.length;
  }
  assertEquals([sent, received], [total, total]);
});

Deno.test("ssh2 link sends what was sent in one turn in one piece, and a login in few", async () => {
  const sshd = await startSshd();
  try {
    const target = await resolveTarget("test", { configFile: sshd.configFile });
    const carrier = await dialTcp(target);
    let pieces = 0;
    for (const name of ["_write", "_writev"] as const) {
      const original = carrier[name]!;
      Reflect.set(carrier, name, (...args: unknown[]) => {
        pieces++;
        return Reflect.apply(original as (...args: unknown[]) => void, carrier, args);
      });
    }
    await using link = await openSsh2Link(target, carrier, { prompter: noPrompter });
    // Version and key exchange, our half of it, new keys and service, the signature.
    assert(pieces <= 6, `${pieces} pieces`);
    const arrivals = new Arrivals(link);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const before = pieces;
    for (let sender = 0; sender < 3; sender++) {
      link.send(m.encodeChannelOpen({ type: "session", sender, window: 0, maxPacket: 32768 }));
    }
    const opened = async () =>
      (await arrivals.upTo(arrivals.payloads.length + 1)).filter(([type]) =>
        type === m.MSG.CHANNEL_OPEN_CONFIRMATION
      ).length;
    while (await opened() < 3);
    assertEquals(pieces - before, 1);
  } finally {
    await sshd.stop();
  }
});
