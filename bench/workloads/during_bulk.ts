import type { Contender, Measurement, Workload } from "../method/workload.ts";
import { quantile } from "../method/statistics.ts";
import { clientRun, endClients } from "../peers/client_run.ts";
import { libraryWords } from "../peers/libraries.ts";
import { carpoolProgram, twoLines } from "../peers/lines.ts";
import { CARPOOL_PROGRAM, CARPOOL_PROGRAM_PRIVATE, PEER_NAMES, SSH_ON_MASTER } from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import type { LinkOptions, World } from "../world/world.ts";

/** 100 Mbit/s with 256 KiB of queue, far away. */
export const BULK_LINKS: Readonly<Record<string, LinkOptions>> = {
  "narrow": { rttMs: 50, bandwidthBytesPerSecond: 12.5e6, queueBytes: 256 * 1024 },
};

export interface DuringBulkOptions {
  /** A name of {@linkcode BULK_LINKS}; default loopback. */
  readonly link?: string;
  /** Short commands, idle and again during bulk. */
  readonly count: number;
}

/** Ends only when nobody reads any more, and of a kind that no compression makes less: asyncssh asks for it by itself. */
const BULK = "while cat bulk; do :; done";
const BULK_PIECE_BYTES = 8_000_000;

/** What a short command takes while a bulk pull runs on the same host: idle p50, p50 and p99 under load. */
export async function duringBulk(world: World, { link, count }: DuringBulkOptions): Promise<Workload> {
  const host = link ?? "rtt0";
  const peers = await findPeers();
  await writeRandom(`${world.sshd.home}/bulk`, BULK_PIECE_BYTES);
  const afterBytes = link ? 5e6 : 50e6;
  const given = { bulk: BULK, afterBytes, count };
  const lines = (name: string, report: (() => Promise<Report>) | undefined, missing?: string): Contender[] =>
    twoLines(
      [`${name}: p50`, `${name}: p99`],
      { missing },
      report && (async () => {
        const { p50Ms, p99Ms, ...more } = await report();
        const entry = (value: number): Measurement => ({ value, operations: count, more });
        return [entry(p50Ms), entry(p99Ms)];
      }),
    );
  /** A program that does it all and prints what it found. */
  const program = async (words: readonly string[], env = {}): Promise<Report> => {
    let report: Report | undefined;
    const check = ({ stdout }: { stdout: string }) => {
      report = JSON.parse(stdout);
    };
    await clientRun(world, { operations: 1, cold: true, words, env, check });
    return report!;
  };
  const carpool = (share: boolean) =>
    carpoolProgram(world, "peer_carpool_during_bulk.ts", { host, share, ...given });
  const library = (id: "asyncssh" | "ssh2") => {
    const peer = peers[id];
    if ("missing" in peer) return lines(PEER_NAMES[id], undefined, peer.missing);
    const words = libraryWords(world, peer, [host], { mode: "duringBulk", ...given });
    return lines(PEER_NAMES[id], () => program(words, peer.env));
  };
  return {
    id: `during-bulk${link ? `-${link}` : ""}`,
    title: `true during a bulk pull on the same host${link ? ", 100 Mbit/s, 256 KiB of queue" : ""}, ` +
      `${count} of them; ms per command`,
    link: { rttMs: link ? BULK_LINKS[link].rttMs : 0, emulated: link !== undefined },
    baseline: `${SSH_ON_MASTER}: p50`,
    contenders: [
      ...lines(SSH_ON_MASTER, () => withSsh(world, host, count)),
      ...lines(CARPOOL_PROGRAM, () => program(carpool(true))),
      ...lines(CARPOOL_PROGRAM_PRIVATE, () => program(carpool(false))),
      ...library("asyncssh"),
      ...library("ssh2"),
    ],
  };
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(all.subarray(at, at + 65536));
  await Deno.writeFile(path, all, { mode: 0o644 });
}

interface Report {
  readonly idleP50Ms: number;
  readonly idleP99Ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bulkMBPerSecond?: number;
}

/** A new `ssh` on the master for each command, timed by a shell that is small to fork; another for the bulk. */
async function withSsh(world: World, host: string, count: number): Promise<Report> {
  await endClients(world);
  await Deno.mkdir(`${world.home.path}/cm`, { mode: 0o700, recursive: true });
  const script = 'n=$1; shift; now() { echo "${EPOCHREALTIME/./}"; }; ' +
    'loop() { for ((i = 0; i < n; i++)); do a=$(now); "$@" true || exit 1; echo "$1x $(($(now) - a))"; done; }; ' +
    '"$@" true || exit 1; loop "$@" | sed "s/^.*x /idle /"; ' +
    `"$@" '${BULK}' >/dev/null & bulk=$!; sleep 2; ` +
    'loop "$@" | sed "s/^.*x /loaded /"; kill "$bulk"';
  const words = ["/bin/bash", "-c", script, "bash", String(count), ...world.ssh(...onMasters(world), host)];
  const { stdout } = await world.run(words[0], words.slice(1));
  const samples = (kind: string) =>
    stdout.split("\n").filter((line) => line.startsWith(kind)).map((line) =>
      Number(line.split(" ")[1]) / 1000
    );
  await endClients(world);
  const [idle, loaded] = [samples("idle"), samples("loaded")];
  return {
    ...{ idleP50Ms: quantile(idle, 0.5), idleP99Ms: quantile(idle, 0.99) },
    ...{ p50Ms: quantile(loaded, 0.5), p99Ms: quantile(loaded, 0.99) },
  };
}
