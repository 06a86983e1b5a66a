import type { Contender, RatioPromise, Workload } from "../method/workload.ts";
import { clientRun } from "../peers/client_run.ts";
import { libraryLines, type RunFrame } from "../peers/lines.ts";
import { peerContender } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import { failed, type LinkOptions, type World } from "../world/world.ts";
import { makeFile } from "./large_file.ts";

/** 1 Gbit/s with a round trip of 200 ms. */
export const FAR_LINK: LinkOptions = { rttMs: 200, bandwidthBytesPerSecond: 125e6 };

export interface LargeCopyOptions {
  readonly direction: "push" | "pull";
  readonly bytes: number;
  /** Over {@linkcode FAR_LINK}, as `far`; default loopback. */
  readonly far?: boolean;
}

const SCP = "scp, on a warm master";
const RIDING = "carpool copy, riding ssh's warm master";
const OWN = "carpool copy, host warm";

/** One large file of random bytes, from disk to disk, on a host that is warm. */
export async function largeCopy(world: World, options: LargeCopyOptions): Promise<Workload> {
  const { direction, bytes, far = false } = options;
  const host = far ? "far" : "rtt0";
  const push = direction === "push";
  const peers = await findPeers();
  const [here, there] = [`${world.home.path}/large`, `${world.sshd.home}/large`];
  const [from, to] = push ? [here, there] : [there, here];
  const frame = (warm: () => Promise<unknown>): RunFrame => ({
    ...{ operations: 1, cold: false },
    prepare: async () => {
      await Deno.remove(to).catch(() => {});
      await makeFile(from, bytes, world.sshd.uid);
      await warm();
    },
    verify: async () => {
      const size = await Deno.stat(to).then((info) => info.size, () => 0);
      if (size !== bytes) throw failed(to, `${size} of ${bytes} bytes arrived`);
      await Deno.remove(to);
    },
  });
  const ends = push ? [here, `${host}:${there}`] : [`${host}:${there}`, here];
  const masters = onMasters(world);
  const onMaster = frame(async () => {
    const [ssh, ...args] = world.ssh(...masters, host, "true");
    await world.run(ssh, args);
  });
  const carpool = (name: string, warm: () => Promise<unknown>, ...more: string[]): Contender => ({
    name,
    measure: () =>
      clientRun(world, {
        ...frame(warm),
        words: world.carpool("copy", "-F", world.configFile, ...more, ...ends),
      }),
  });
  const riding = async () => `ControlPath=${(await world.sshMaster(host)).socket}`;
  const scp = (name: string, given: RunFrame, ...more: string[]) =>
    peerContender(
      peers.scp,
      name,
      ({ words, env }) =>
        clientRun(world, { ...given, env, words: [...words, "-F", world.configFile, ...more, ...ends] }),
    );
  const source = far ? "issue 5, one large push far away" : "issue 5, 500 MB on loopback";
  const promises: RatioPromise[] = far
    ? [RIDING, OWN].map((contender) => ({ contender, against: SCP, atMost: 0.2, source }))
    : [{ contender: RIDING, against: SCP, atMost: 1, source }];
  return {
    id: far ? `large-${direction}-far` : `large-${direction}`,
    title: `${bytes / 1e6} MB in one file, ${direction}${
      far ? ", 1 Gbit/s" : ""
    }, disk to disk, host warm; ms in all`,
    link: { rttMs: far ? FAR_LINK.rttMs : 0, emulated: far },
    baseline: SCP,
    contenders: [
      scp(SCP, onMaster, ...masters),
      {
        name: RIDING,
        measure: async () => {
          const line = await riding();
          const warm = () => world.keeperWith(host, [line]);
          return await carpool(RIDING, warm, "-o", line).measure!();
        },
      },
      carpool(OWN, () => world.keeperWith(host)),
      ...(far ? [] : [{
        name: "ssh and cat, on a warm master",
        measure: () =>
          clientRun(world, {
            ...onMaster,
            words: world.ssh(...masters, host, push ? `cat > ${there}` : `cat ${there}`),
            script: push ? `"$@" < '${here}' || exit` : `"$@" > '${here}' || exit`,
          }),
      }]),
      // It has no warm host: its login is in its time.
      ...libraryLines(
        world,
        peers,
        [host],
        { mode: direction, ...(push ? { local: here, remote: there } : { remote: there, local: here }) },
        frame(() => Promise.resolve()),
        { which: ["ssh2"], suffix: " sftp, from nothing" },
      ).map((contender) => far ? { ...contender, rounds: 1 } : contender),
    ],
    promises,
  };
}
