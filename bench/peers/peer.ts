/** A tool that somebody could use instead of Carpool, as found on this machine. */
import type { Contender, Measurement } from "../method/workload.ts";

/** It is there and runs. */
export interface Peer {
  readonly id: PeerId;
  /** As the tool itself says it. */
  readonly version: string;
  /** The words that start it; its arguments follow. */
  readonly words: readonly string[];
  /** What must be in its environment beside the caller's. */
  readonly env: Readonly<Record<string, string>>;
  /** The words of a program that makes a surrounding for it and then runs the words that follow; default none. */
  readonly within?: readonly string[];
  /** Anything else that its configuration needs to know, by name: paths of plugins. */
  readonly paths?: Readonly<Record<string, string>>;
}

/** It is not there, and why. */
export interface MissingPeer {
  readonly id: PeerId;
  readonly missing: string;
}

export const PEER_IDS = [
  ...["scp", "sftp", "rsync", "pssh", "pdsh", "clush", "ansible", "mitogen"] as const,
  ...["asyncssh", "paramiko", "ssh2"] as const,
];

export type PeerId = typeof PEER_IDS[number];

export type Peers = Readonly<Record<PeerId, Peer | MissingPeer>>;

/** A line of the table for a peer: measured where it is there, named with the reason where it is not. */
export function peerContender(
  found: Peer | MissingPeer,
  name: string,
  measure: (peer: Peer) => Promise<Measurement>,
): Contender {
  if ("missing" in found) return { name, missing: found.missing };
  return {
    name,
    measure: async () => {
      const measurement = await measure(found);
      return { ...measurement, more: { version: found.version, ...measurement.more } };
    },
  };
}
