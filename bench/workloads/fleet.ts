import type { Contender, Measurement, Workload } from "../method/workload.ts";
import { commandTask } from "../peers/ansible.ts";
import { linesEnd } from "../peers/client_run.ts";
import { libraryLines, playbookLines, repeat, type RunFrame, toolLines, wordsLine } from "../peers/lines.ts";
import { peakMemory } from "../peers/memory.ts";
import {
  CARPOOL_COMMAND,
  CARPOOL_RUN,
  CARPOOL_RUN_OPENSSH,
  CARPOOL_RUN_PRIVATE,
  SSH_ON_MASTER,
} from "../peers/names.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters, type SshOptions } from "../peers/ssh_tools.ts";
import { taskFile } from "../peers/task_file.ts";
import type { LinkOptions, World, WorldOptions } from "../world/world.ts";
import { CURVE_OPTION } from "./names.ts";

export interface FleetOptions {
  readonly rttMs: number;
  readonly hosts: number;
  readonly steps: number;
  /** A second run, on what the first left in the background; else from nothing. */
  readonly warm: boolean;
  /** All behind one line of 10 Mbit/s. */
  readonly line?: boolean;
  /** The most memory instead of the time. */
  readonly memory?: boolean;
}

/** 10 Mbit/s, as an uplink at home. */
const LINE_BYTES_PER_SECOND = 1.25e6;

/**
 * The world of a fleet: loopback addresses of one server, far away where the round trip is not 0: each on its own, or
 * all behind one narrow line.
 */
export function fleetWorld(rttMs: number, hosts: number, line = false): WorldOptions {
  const addresses = Array.from({ length: hosts }, (_, index) => `127.0.12.${index + 1}`);
  if (rttMs === 0) return { hosts: addresses };
  const narrow = line ? { bandwidthBytesPerSecond: LINE_BYTES_PER_SECOND } : {};
  const links = addresses.map((host, index): [string, LinkOptions] => [
    `far${index + 1}`,
    { host, rttMs, ...narrow, ...(line && index > 0 ? { line: "far1" } : {}) },
  ]);
  return { hosts: addresses, links: Object.fromEntries(links) };
}

/** H hosts, S short steps on each, all hosts at once. */
export async function fleet(world: World, options: FleetOptions): Promise<Workload> {
  const { rttMs, hosts: count, steps, warm, line = false, memory = false } = options;
  const hosts = Array.from({ length: count }, (_, index) => `${rttMs > 0 ? "far" : "test"}${index + 1}`);
  const peers = await findPeers();
  const commands = Array.from({ length: steps }, (_, index) => `echo step ${index + 1}`);
  const task = await taskFile(world, "fleet", commands);
  const frame: RunFrame = { operations: 1, cold: !warm };
  const carpool = (...more: string[]) =>
    world.carpool(
      "run",
      task,
      "-F",
      world.configFile,
      "--hosts",
      hosts.join(","),
      "--parallel",
      String(count),
      ...more,
    );
  const exec = world.carpool(
    ...["exec", "-F", world.configFile, "--parallel", String(count), "--output", "lines"],
    ...[hosts.join(","), "--", "echo step"],
  );
  // The tools show what was printed: each step on each host must be there.
  const shown: RunFrame = { ...frame, check: linesEnd("step", count * steps) };
  const shells = (name: string, ssh: SshOptions) =>
    wordsLine(world, name, loopOverHosts(world, hosts, steps, ssh), shown);
  const tools = (suffix: string, ssh: SshOptions) =>
    toolLines(world, peers, hosts, { command: "echo step", count: steps, options: ssh, suffix }, shown);
  const masters = onMasters(world);
  const contenders: Contender[] = [
    shells(`${SSH_ON_MASTER}, a shell loop`, masters),
    wordsLine(world, CARPOOL_RUN, carpool(), frame),
    wordsLine(world, `${CARPOOL_COMMAND} step`, exec, frame, steps),
    wordsLine(world, CARPOOL_RUN_OPENSSH, carpool("--via", "openssh"), frame),
    ...tools("on ssh's masters", masters),
    ...(warm ? [] : [
      wordsLine(world, CARPOOL_RUN_PRIVATE, carpool("--no-share"), frame),
      shells(`${SSH_ON_MASTER}, a shell loop, no post-quantum kex`, [...masters, ...CURVE_OPTION]),
      ...tools("a connection per command", ["-S", "none"]).slice(1, 2),
      ...tools("a connection per command, no post-quantum kex", ["-S", "none", ...CURVE_OPTION]).slice(1, 2),
    ]),
    ...playbookLines(world, peers, hosts, commands.map(commandTask), frame),
    // They cannot keep anything for a later run: theirs is as the first.
    ...libraryLines(world, peers, hosts, { mode: "fleet", commands, width: count }, frame),
  ];
  const size = `${count} hosts × ${steps} steps${line ? " behind one line of 10 Mbit/s" : ""}`;
  return {
    id: memory ? "fleet-memory" : `fleet-${rttMs}${line ? "-line" : ""}${warm ? "-warm" : ""}`,
    title: memory
      ? `${size} from nothing: peak memory (PSS) of client, masters and keeper together`
      : `${size}, ${warm ? "a later run" : "from nothing"}; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: contenders[0].name,
    contenders: memory ? contenders.map((contender) => inMemory(world, contender)) : contenders,
  };
}

/** A shell for each host, at once, that runs one ssh for each step. */
export function loopOverHosts(
  world: World,
  hosts: readonly string[],
  steps: number,
  options: SshOptions,
): string[] {
  const script = `seq_hosts=$1; shift; for h in $seq_hosts; do (${
    repeat(steps).replace('"$@"', '"$@" "$h" "echo step"')
  }) & done; wait`;
  return ["/bin/sh", "-c", script, "sh", hosts.join(" "), ...world.ssh(...options)];
}

/** The same run, watched for its memory instead of its time. */
function inMemory(world: World, contender: Contender): Contender {
  const { measure } = contender;
  if (!measure) return { ...contender, unit: "MB" };
  return {
    ...contender,
    unit: "MB",
    measure: async () => {
      let more: Measurement["more"];
      const { pssMB, processes } = await peakMemory(world, async () => {
        more = (await measure()).more;
      });
      return { value: pssMB, operations: 1, more: { ...more, processes } };
    },
  };
}
