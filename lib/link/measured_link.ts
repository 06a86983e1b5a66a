import { lookup } from "node:dns/promises";
import net from "node:net";
import { Connection } from "../channel/connection.ts";
import type { Link } from "../channel/link.ts";
import type { Target } from "../target/target.ts";
import { Writer } from "../wire/writer.ts";
import { type Carrier, carryOverChannel, dialProxyCommand, dialTcp } from "./dial.ts";
import { openLink, type OpenLinkOptions } from "./open_link.ts";
import { type AgreedAlgorithms, loadSsh2, openSsh2Link } from "./ssh2_link.ts";
import { TurnCounter } from "./turns.ts";

/** A part of connecting, and what it took. */
export interface Phase {
  readonly name: "resolve" | "jump hosts" | "connect" | "ProxyCommand" | "key exchange" | "log in";
  readonly ms: number;
  /**
   * A number, or the marks between which they are to be counted, once it is known what one takes;
   * `uncounted`: they are not ours to count, but a name server's or a program's.
   */
  readonly roundTrips: number | readonly [from: number, to: number] | "uncounted";
}

/** A connection of its own, with what each part of making it took. */
export interface MeasuredLink {
  readonly link: Link;
  /** What the network's part of connecting took, one round trip; undefined behind a ProxyCommand. */
  readonly connectMs: number | undefined;
  readonly agreed: AgreedAlgorithms | undefined;
  /** The address that was dialled; undefined behind jump hosts and programs. */
  readonly address: string | undefined;
  /** Goes on noting what goes out and comes in. */
  readonly turns: TurnCounter;
  close(): Promise<void>;
}

/** Told of each phase as it ends, so that what was measured before a failure is not lost. */
export interface MeasureOptions extends OpenLinkOptions {
  readonly onPhase: (phase: Phase) => void;
}

/** Connects as `openLink` does, measuring each part. Throws what that throws. */
export async function openMeasuredLink(target: Target, options: MeasureOptions): Promise<MeasuredLink> {
  await loadSsh2();
  const turns = new TurnCounter();
  let startedAt = performance.now();
  let startedAtMark = turns.mark;
  const phase: Tell = (name, roundTrips) => {
    const now = performance.now();
    options.onPhase({ name, ms: now - startedAt, roundTrips: roundTrips ?? [startedAtMark, turns.mark] });
    startedAt = now;
    startedAtMark = turns.mark;
  };
  const dialled = await dialMeasured(target, options, phase);
  let agreed: AgreedAlgorithms | undefined;
  try {
    const link = await openSsh2Link(target, counted(dialled.carrier, turns), {
      ...options,
      onHandshake: (algorithms) => {
        agreed = algorithms;
        phase("key exchange");
      },
    });
    phase("log in");
    const close = async () => {
      await link.close();
      await dialled.close();
    };
    return { link, connectMs: dialled.connectMs, agreed, address: dialled.address, turns, close };
  } catch (error) {
    await dialled.close();
    throw error;
  }
}

interface Dialled {
  readonly carrier: Carrier;
  readonly connectMs: number | undefined;
  readonly address: string | undefined;
  close(): Promise<void>;
}

type Tell = (name: Phase["name"], roundTrips?: number | "uncounted") => void;

async function dialMeasured(target: Target, options: OpenLinkOptions, phase: Tell): Promise<Dialled> {
  const nothing = { address: undefined, close: () => Promise.resolve() };
  if (target.jumps.length > 0) return await dialThroughJumps(target, options, phase);
  if (target.proxyCommand !== undefined) {
    const carrier = await dialProxyCommand(target, target.proxyCommand, options.signal);
    phase("ProxyCommand", "uncounted");
    return { carrier, connectMs: undefined, ...nothing };
  }
  const addresses = await addressesOf(target);
  phase("resolve", net.isIP(target.host) ? 0 : "uncounted");
  for (const [i, address] of addresses.entries()) {
    const startedAt = performance.now();
    try {
      const carrier = await dialTcp({ ...target, host: address }, options.signal);
      const connectMs = performance.now() - startedAt;
      phase("connect", 1);
      return { carrier, connectMs, ...nothing, address };
    } catch (error) {
      if (i === addresses.length - 1 || options.signal?.aborted) throw error;
    }
  }
  // The name does not resolve: dialling it says so in the right words.
  return { carrier: await dialTcp(target, options.signal), connectMs: undefined, ...nothing };
}

async function addressesOf({ host, addressFamily }: Target): Promise<string[]> {
  const family = addressFamily === "inet" ? 4 : addressFamily === "inet6" ? 6 : 0;
  try {
    return (await lookup(host, { all: true, family })).map(({ address }) => address);
  } catch {
    return [];
  }
}

async function dialThroughJumps(target: Target, options: OpenLinkOptions, phase: Tell): Promise<Dialled> {
  const before = target.jumps.slice(0, -1);
  const last = target.jumps.at(-1)!;
  const via = new Connection(await openLink(before.length > 0 ? { ...last, jumps: before } : last, options));
  phase("jump hosts", "uncounted");
  try {
    const startedAt = performance.now();
    // string host · uint32 port · string originator address · uint32 originator port (RFC 4254 §7.2)
    const data = new Writer().utf8(target.host).uint32(target.port).utf8("127.0.0.1").uint32(0).finish();
    const channel = await via.open("direct-tcpip", { data, signal: options.signal });
    const connectMs = performance.now() - startedAt;
    phase("connect", 1);
    return { carrier: carryOverChannel(channel), connectMs, address: undefined, close: () => via.close() };
  } catch (error) {
    await via.close();
    throw error;
  }
}

/** The same carrier, watched. */
function counted(carrier: Carrier, turns: TurnCounter): Carrier {
  const write = carrier.write;
  carrier.write = function (this: Carrier, ...args: unknown[]) {
    turns.wrote();
    return Reflect.apply(write, this, args);
  } as typeof carrier.write;
  const push = carrier.push;
  carrier.push = function (this: Carrier, ...args: unknown[]) {
    if (args[0] !== null) turns.read();
    return Reflect.apply(push, this, args);
  } as typeof carrier.push;
  return carrier;
}
