import type { Contender, FloorPromise, Measurement, ValuePromise, Workload } from "../method/workload.ts";
import { quantile } from "../method/statistics.ts";
import { clientRun, endClients } from "../peers/client_run.ts";
import { libraryWords } from "../peers/libraries.ts";
import { carpoolProgram, severalLines } from "../peers/lines.ts";
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
  readonly direction: "pull" | "push";
  /** Short commands, idle and again during bulk. */
  readonly count: number;
  /** At most so many rounds for the others, whose commands take three times as long. */
  readonly peerRounds?: number;
}

/** Both end only when nobody reads or writes any more. */
const BULK = {
  // Of a kind that no compression makes less: asyncssh asks for it by itself.
  pull: "while cat bulk; do :; done",
  push: "cat >/dev/null",
} as const;
const BULK_PIECE_BYTES = 8_000_000;
/** Sparse: more than flows while the commands run, and never moved to its end. */
const FILE_BYTES = 4_000_000_000;

/** What the promise allows of the idle figures, and asks of the link. */
const LIMITS = { p50: 1.3, p99: 1.5, linkPercent: 85 } as const;

const CARPOOL_KINDS = {
  pull: { spawn: "spawn-pull", file: "fetch", spawnName: "reads a command", fileName: "fetches a file" },
  push: { spawn: "spawn-push", file: "copy", spawnName: "writes to a command", fileName: "copies a file" },
} as const;

/** What a short command takes while bulk runs on the same host: p50 and p99, alone and against the idle ones. */
export async function duringBulk(world: World, options: DuringBulkOptions): Promise<Workload> {
  const { link, direction, count, peerRounds } = options;
  const host = link ?? "rtt0";
  const peers = await findPeers();
  await writeRandom(`${world.sshd.home}/bulk`, BULK_PIECE_BYTES);
  const [local, remote] = [`${world.home.path}/bulk-file`, `${world.sshd.home}/bulk-file`];
  await sparse(direction === "push" ? local : remote);
  const afterBytes = link ? 5e6 : 50e6;
  const bulk = BULK[direction];
  const given = { bulk, afterBytes, count };
  const linkRate = link === undefined ? undefined : BULK_LINKS[link].bandwidthBytesPerSecond! / 1e6;
  const lines = (name: string, head: Partial<Contender>, report?: () => Promise<Report>): Contender[] => {
    const units = [
      ["p50", "ms"],
      ["p99", "ms"],
      ["p50 against idle", "× idle"],
      ["p99 against idle", "× idle"],
      ...(linkRate === undefined ? [] : [["bulk", "% of the link"] as const]),
    ] as const;
    const heads = units.map(([figure, unit]) => ({ ...head, name: `${name}: ${figure}`, unit }));
    return severalLines(
      heads,
      report && (async () => {
        const { p50Ms, p99Ms, idleP50Ms, idleP99Ms, bulkMBPerSecond } = await report();
        const more = { idleP50Ms, idleP99Ms, bulkMBPerSecond };
        const values = [p50Ms, p99Ms, p50Ms / idleP50Ms, p99Ms / idleP99Ms];
        if (linkRate !== undefined) values.push(bulkMBPerSecond / linkRate * 100);
        return values.map((value): Measurement => ({ value, operations: count, more }));
      }),
    );
  };
  /** A program that does it all and prints what it found. */
  const program = async (words: readonly string[], env = {}): Promise<Report> => {
    let report: Report | undefined;
    const check = ({ stdout }: { stdout: string }) => {
      report = JSON.parse(stdout);
    };
    // A copy must not resume what the round before left.
    const prepare = () => Deno.remove(direction === "push" ? remote : local).catch(() => {});
    await clientRun(world, { operations: 1, cold: true, words, env, check, prepare });
    return report!;
  };
  const kinds = CARPOOL_KINDS[direction];
  const ours: [name: string, kind: string, share: boolean][] = [
    [`${CARPOOL_PROGRAM}, ${kinds.fileName}`, kinds.file, true],
    [`${CARPOOL_PROGRAM}, ${kinds.spawnName}`, kinds.spawn, true],
    [`${CARPOOL_PROGRAM_PRIVATE}, ${kinds.fileName}`, kinds.file, false],
  ];
  const carpool = ([name, kind, share]: typeof ours[number]) =>
    lines(name, {}, () =>
      program(
        carpoolProgram(world, "peer_carpool_during_bulk.ts", {
          ...{ host, share, kind, ...given },
          ...{ local, remote },
        }),
      ));
  const library = (id: "asyncssh" | "ssh2") => {
    const peer = peers[id];
    const head = { rounds: peerRounds };
    if ("missing" in peer) return lines(PEER_NAMES[id], { ...head, missing: peer.missing });
    const words = libraryWords(world, peer, [host], {
      mode: direction === "pull" ? "duringBulk" : "duringPush",
      ...given,
    });
    return lines(PEER_NAMES[id], head, () => program(words, peer.env));
  };
  const narrow = link === undefined ? "" : ", 100 Mbit/s, 256 KiB of queue";
  return {
    id: `during-bulk${direction === "push" ? "-push" : ""}${link ? `-${link}` : ""}`,
    title: `true during a bulk ${direction} on the same host${narrow}, ${count} of them; ms per command`,
    link: { rttMs: link ? BULK_LINKS[link].rttMs : 0, emulated: link !== undefined },
    baseline: `${SSH_ON_MASTER}: p50`,
    contenders: [
      ...lines(SSH_ON_MASTER, { rounds: peerRounds }, () => withSsh(world, host, direction, count)),
      ...ours.flatMap(carpool),
      ...library("asyncssh"),
      ...library("ssh2"),
    ],
    promises: link === undefined ? [] : ours.slice(0, 2).flatMap(([name]) => promisesOf(name)),
  };
}

function promisesOf(name: string): (ValuePromise | FloorPromise)[] {
  const source = "issue 5, short under bulk";
  return [
    { contender: `${name}: p50 against idle`, atMostValue: LIMITS.p50, source },
    { contender: `${name}: p99 against idle`, atMostValue: LIMITS.p99, source },
    { contender: `${name}: bulk`, atLeastValue: LIMITS.linkPercent, source },
  ];
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(all.subarray(at, at + 65536));
  await Deno.writeFile(path, all, { mode: 0o644 });
}

async function sparse(path: string): Promise<void> {
  await Deno.writeFile(path, new Uint8Array(0), { mode: 0o644 });
  await Deno.truncate(path, FILE_BYTES);
}

interface Report {
  readonly idleP50Ms: number;
  readonly idleP99Ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bulkMBPerSecond: number;
}

/**
 * A new `ssh` on the master for each command, timed by a shell that is small to fork; another for the bulk. What has
 * flowed is what the process at this end of it has read, which the kernel counts.
 */
async function withSsh(
  world: World,
  host: string,
  direction: "pull" | "push",
  count: number,
): Promise<Report> {
  await endClients(world);
  await Deno.mkdir(`${world.home.path}/cm`, { mode: 0o700, recursive: true });
  const start = direction === "pull"
    ? `mkfifo pull-$$; dd if=pull-$$ of=/dev/null bs=64k status=none & counter=$!; ` +
      `"$@" '${BULK.pull}' > pull-$$ & bulk=$!; `
    : `dd if=/dev/zero bs=64k status=none > >(exec "$@" '${BULK.push}') & bulk=$!; counter=$bulk; `;
  const script = 'n=$1; shift; now() { echo "${EPOCHREALTIME/./}"; }; ' +
    'loop() { for ((i = 0; i < n; i++)); do a=$(now); "$@" true || exit 1; echo "$1x $(($(now) - a))"; done; }; ' +
    '"$@" true || exit 1; loop "$@" | sed "s/^.*x /idle /"; ' +
    `${start} sleep 2; read -r _ before < "/proc/$counter/io"; from=$(now); ` +
    'loop "$@" | sed "s/^.*x /loaded /"; ' +
    'read -r _ after < "/proc/$counter/io"; echo "rate $((after - before)) $(($(now) - from))"; ' +
    'kill "$bulk" "$counter" 2>/dev/null; wait 2>/dev/null; true';
  const words = ["/bin/bash", "-c", script, "bash", String(count), ...world.ssh(...onMasters(world), host)];
  const { stdout } = await world.run(words[0], words.slice(1));
  const samples = (kind: string) =>
    stdout.split("\n").filter((line) => line.startsWith(kind)).map((line) =>
      Number(line.split(" ")[1]) / 1000
    );
  await endClients(world);
  const [idle, loaded] = [samples("idle"), samples("loaded")];
  const [, bytes, micros] = /^rate (\d+) (\d+)$/m.exec(stdout)!;
  return {
    ...{ idleP50Ms: quantile(idle, 0.5), idleP99Ms: quantile(idle, 0.99) },
    ...{ p50Ms: quantile(loaded, 0.5), p99Ms: quantile(loaded, 0.99) },
    bulkMBPerSecond: Number(bytes) / Number(micros),
  };
}
