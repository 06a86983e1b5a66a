import type { Contender, Measurement, Workload } from "../method/workload.ts";
import { type ClientRun, clientRun } from "../peers/client_run.ts";
import { carpoolProgram, severalLines } from "../peers/lines.ts";
import { peerContender } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { failed, type World, type WorldOptions } from "../world/world.ts";
import { makeFile } from "./large_file.ts";

const HOSTS = 8;
const ALIASES = Array.from({ length: HOSTS }, (_, index) => `test${index + 1}`);
/** The one that the commands run on meanwhile. */
const NINTH = `test${HOSTS + 1}`;

/** One address for each host, all of one server. */
export const fleetBulkWorld: WorldOptions = {
  hosts: Array.from({ length: HOSTS + 1 }, (_, index) => `127.0.14.${index + 1}`),
};

const SCP = `${HOSTS} scp at once, on ssh's warm masters`;
const RIDING = "carpool as a module, riding ssh's masters";
const OWN = "carpool as a module, through the keeper";
const COMMANDS = `${HOSTS} carpool copy at once, riding ssh's masters`;

/** 8 copies at once, all of them in one program or a process each, and what a short command on a ninth host takes. */
export async function fleetBulk(world: World, bytes: number): Promise<Workload> {
  const peers = await findPeers();
  const [local, remote] = [`${world.home.path}/bulk`, `${world.sshd.home}/bulk`];
  await makeFile(local, bytes, Deno.uid() ?? 0);
  const frame = {
    ...{ operations: 1, cold: false },
    prepare: async () => {
      for (let at = 0; at < HOSTS; at++) await Deno.remove(`${remote}${at}`).catch(() => {});
      for (const host of [NINTH, ...ALIASES]) await world.sshMaster(host);
    },
    verify: async () => {
      for (let at = 0; at < HOSTS; at++) {
        const size = await Deno.stat(`${remote}${at}`).then((info) => info.size, () => 0);
        if (size !== bytes) throw failed(`${remote}${at}`, `${size} of ${bytes} bytes arrived`);
        await Deno.remove(`${remote}${at}`);
      }
    },
  } satisfies ClientRun;
  // The socket of a host's master is named after the host.
  const socket = (host: string) => `${world.home.path}/ssh-${host}`;
  /** `"$@"` once for each host, with its number and its name. */
  const eachHost = (work: string) =>
    `pids=; i=0; for h in ${ALIASES.join(" ")}; do ${work} & pids="$pids $!"; i=$((i+1)); done; ` +
    "for p in $pids; do wait $p || exit; done";
  const carpool = (name: string, riding: boolean): Contender[] =>
    severalLines(
      [
        { name },
        { name: `${name}: true on a ninth host`, unit: "ms" },
        { name: `${name}: true on a ninth host, against idle`, unit: "× idle" },
      ],
      async () => {
        let report: Record<string, number> = {};
        const measured = await clientRun(world, {
          ...frame,
          words: carpoolProgram(world, "fleet_bulk.ts", {
            ...{ host: NINTH, hosts: ALIASES, share: true, count: 30, local, remote },
            controlPaths: riding
              ? [NINTH, ...ALIASES].map((host) => `ControlPath=${socket(host)}`)
              : undefined,
          }),
          check: ({ stdout }) => {
            report = JSON.parse(stdout);
          },
        });
        const { totalMs, idleP50Ms, p50Ms, p99Ms, commands } = report;
        const more = { ...measured.more, idleP50Ms, p99Ms, commands };
        const entry = (value: number): Measurement => ({ value, operations: 1, more });
        return [
          { ...measured, value: totalMs, more },
          entry(p50Ms),
          entry(p50Ms / idleP50Ms),
        ];
      },
    );
  const source = "issue 5, 8 hosts at once";
  return {
    id: "fleet-bulk",
    title: `${bytes / 1e6} MB to each of ${HOSTS} hosts at once, hosts warm; ms in all`,
    link: { rttMs: 0, emulated: false },
    baseline: SCP,
    contenders: [
      peerContender(
        peers.scp,
        SCP,
        ({ words, env }) =>
          clientRun(world, {
            ...frame,
            env,
            words: [...words, "-F", world.configFile],
            script: eachHost(`"$@" -o ControlPath='${socket("")}'"$h" '${local}' "$h:${remote}$i"`),
          }),
      ),
      ...carpool(RIDING, true),
      ...carpool(OWN, false),
      {
        name: COMMANDS,
        measure: () =>
          clientRun(world, {
            ...frame,
            words: world.carpool("copy", "-F", world.configFile),
            script: eachHost(`"$@" -o ControlPath='${socket("")}'"$h" '${local}' "$h:${remote}$i"`),
          }),
      },
    ],
    promises: [
      { contender: RIDING, against: SCP, atMost: 1, source },
      { contender: `${RIDING}: true on a ninth host, against idle`, atMostValue: 1.5, source },
    ],
  };
}
