import type { ChannelOpen, GlobalRequest } from "../wire/messages.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import type { Passenger, RelayedChannel } from "./passenger.ts";

/** A request to send to the server. */
interface Request {
  readonly name: string;
  readonly data: Uint8Array;
}

/**
 * Who asked for which remote listener, agent or display, so that the channels which the server opens for them reach
 * whoever asked, and nobody else (RFC 4254 §7; OpenSSH's PROTOCOL §2.4).
 */
export class RemoteForwards {
  readonly #owners = new Map<string, Passenger>();
  /** Sessions with agent or display forwarding; the latest to ask is served first. */
  readonly #askers = new Map<string, Map<RelayedChannel, Passenger>>();

  /** Who answers for the agent in everybody's place. */
  #agent: Passenger | undefined;
  #agentAskedFor = false;

  serveAgentBy(passenger: Passenger): void {
    this.#agent = passenger;
  }

  /** What a global request would change once the server has agreed; undefined: it is not passed on. */
  changeFor(passenger: Passenger, request: GlobalRequest): ((answer: Uint8Array) => void) | undefined {
    const { name, data } = request;
    switch (name) {
      case "tcpip-forward":
      case "streamlocal-forward@openssh.com": {
        const key = keyOf(name, data);
        const owner = this.#owners.get(key);
        if (owner !== undefined && owner !== passenger) return undefined; // somebody else's, as sshd would refuse it
        return (answer) => {
          const allocated = name === "tcpip-forward" && key.endsWith(":0") && answer.length >= 4;
          const settled = allocated ? key.slice(0, -1) + new Reader(answer).uint32() : key;
          this.#owners.set(settled, passenger);
          passenger.forwards.add(settled);
        };
      }
      case "cancel-tcpip-forward":
      case "cancel-streamlocal-forward@openssh.com": {
        const key = keyOf(name, data);
        if (this.#owners.get(key) !== passenger) return undefined;
        return () => {
          this.#owners.delete(key);
          passenger.forwards.delete(key);
        };
      }
      default:
        return undefined;
    }
  }

  /** A session asked for something that makes the server open channels. */
  noteRequest(passenger: Passenger, channel: RelayedChannel, type: string): void {
    if (type === "auth-agent-req@openssh.com") {
      this.#agentAskedFor = true;
      this.#asks(channel, passenger, "auth-agent@openssh.com");
    }
    if (type === "x11-req") this.#asks(channel, passenger, "x11");
  }

  #asks(channel: RelayedChannel, passenger: Passenger, kind: string): void {
    const askers = this.#askers.get(kind) ?? new Map<RelayedChannel, Passenger>();
    askers.delete(channel); // to the end: the latest is served first
    askers.set(channel, passenger);
    this.#askers.set(kind, askers);
  }

  /** Whom a channel that the server opens is for. */
  passengerFor(open: ChannelOpen): Passenger | undefined {
    switch (open.type) {
      case "forwarded-tcpip": {
        const reader = new Reader(open.data);
        const host = reader.utf8();
        const port = reader.uint32();
        const exact = this.#owners.get(`tcp:${host}:${port}`);
        if (exact) return exact;
        // Some servers name the address they bound, not the one they were asked for: the port then decides, where
        // it can only be one's.
        const owners = new Set<Passenger>();
        for (const [key, owner] of this.#owners) {
          if (key.startsWith("tcp:") && key.endsWith(`:${port}`)) owners.add(owner);
        }
        return owners.size === 1 ? [...owners][0] : undefined;
      }
      case "forwarded-streamlocal@openssh.com":
        return this.#owners.get(`unix:${new Reader(open.data).utf8()}`);
      case "auth-agent@openssh.com":
        if (this.#agent && this.#agentAskedFor) return this.#agent;
        return [...this.#askers.get(open.type)?.values() ?? []].at(-1);
      case "x11":
        return [...this.#askers.get(open.type)?.values() ?? []].at(-1);
      default:
        return undefined;
    }
  }

  forget(channel: RelayedChannel): void {
    for (const askers of this.#askers.values()) askers.delete(channel);
  }

  /** Drops all that a passenger asked for; returns what must be sent to the server for that. */
  release(passenger: Passenger): Request[] {
    const requests: Request[] = [];
    for (const key of passenger.forwards) {
      this.#owners.delete(key);
      requests.push(cancelRequest(key));
    }
    passenger.forwards.clear();
    for (const askers of this.#askers.values()) {
      for (const [channel, asker] of askers) if (asker === passenger) askers.delete(channel);
    }
    return requests;
  }
}

/** `string address · uint32 port` (RFC 4254 §7.1) or `string path` (PROTOCOL §2.4) */
function keyOf(name: string, data: Uint8Array): string {
  const reader = new Reader(data);
  if (name.includes("streamlocal")) return `unix:${reader.utf8()}`;
  return `tcp:${reader.utf8()}:${reader.uint32()}`;
}

function cancelRequest(key: string): Request {
  if (key.startsWith("unix:")) {
    return { name: "cancel-streamlocal-forward@openssh.com", data: new Writer().utf8(key.slice(5)).finish() };
  }
  const colon = key.lastIndexOf(":");
  const data = new Writer().utf8(key.slice(4, colon)).uint32(Number(key.slice(colon + 1))).finish();
  return { name: "cancel-tcpip-forward", data };
}
