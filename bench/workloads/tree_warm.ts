import type { Contender, Workload } from "../method/workload.ts";
import { type ClientRun, clientRun } from "../peers/client_run.ts";
import { peerContender } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters } from "../peers/ssh_tools.ts";
import { failed, type World } from "../world/world.ts";
import { PING } from "./names.ts";
import { countFiles, makeTree, TAR_WARM } from "./tree.ts";

const FILES = 200;
const MODULE = "carpool copy as a module";
const MODULE_OPENSSH = "carpool copy as a module, riding ssh's master";
const FETCH = "carpool fetch as a module";
const COPIES = 3;

/** Many small files to and from a host that is warm: how many round trips they take, in time. */
export async function treeWarm(world: World, rttMs: number): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = await findPeers();
  const local = `${world.home.path}/tree-${FILES}`;
  await makeTree(local, FILES);
  const received = `${world.sshd.home}/received`;
  const remove = (path: string) => Deno.remove(path, { recursive: true }).catch(() => {});
  const arrived = async (path: string) => {
    const count = await countFiles(path);
    if (count !== FILES) throw failed(path, `${count} of ${FILES} files arrived`);
  };
  const masters = onMasters(world);
  const frame = {
    ...{ operations: 1, cold: false },
    prepare: async () => {
      await remove(received);
      const [ssh, ...args] = world.ssh(...masters, host, "true");
      await world.run(ssh, args);
    },
    verify: () => arrived(received),
  } satisfies ClientRun;
  const inProcess = (name: string, more: () => Promise<object> = () => Promise.resolve({})): Contender => ({
    name,
    measure: async () => {
      const target = `${world.sshd.home}/copied`;
      for (let at = 0; at <= COPIES; at++) await remove(`${target}${at}`);
      const given = { host, share: true, direction: "push", local, remote: target, warmUp: 1, count: COPIES };
      const measurement = await world.contender("copy_loop.ts", { ...given, ...await more() });
      for (let at = 0; at <= COPIES; at++) await arrived(`${target}${at}`);
      return measurement;
    },
  });
  const ssh = ["-F", world.configFile, ...masters];
  const remote = `${host}:${received}`;
  return {
    id: `tree-warm-${rttMs}`,
    title: `a tree of ${FILES} files of 2 KiB, host warm; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: TAR_WARM,
    contenders: [
      {
        name: TAR_WARM,
        measure: () =>
          clientRun(world, {
            ...frame,
            words: world.ssh(...masters, host, `mkdir ${received} && tar -xf - -C ${received}`),
            script: `tar -C '${local}' -cf - . | "$@" || exit`,
          }),
      },
      inProcess(MODULE),
      inProcess(MODULE_OPENSSH, async () => ({
        configLines: [`ControlPath=${(await world.sshMaster(host)).socket}`],
      })),
      {
        name: "carpool copy",
        measure: async () => {
          await world.keeperWith(host);
          const words = world.carpool("copy", "-F", world.configFile, `${local}/`, `${remote}/`);
          return await clientRun(world, { ...frame, words });
        },
      },
      {
        name: FETCH,
        measure: async () => {
          const target = `${world.home.path}/fetched`;
          for (let at = 0; at <= COPIES; at++) await remove(`${target}${at}`);
          const source = `${world.sshd.home}/source`;
          if (await countFiles(source).catch(() => 0) !== FILES) {
            await remove(source);
            await world.contender("copy_loop.ts", {
              ...{ host: "rtt0", share: false, direction: "push", warmUp: 0, count: 1 },
              ...{ local, remote: source },
            });
            await Deno.rename(`${source}0`, source);
          }
          const measurement = await world.contender("copy_loop.ts", {
            ...{ host, share: true, direction: "pull", warmUp: 1, count: COPIES },
            ...{ local: target, remote: source },
          });
          for (let at = 0; at <= COPIES; at++) await arrived(`${target}${at}`);
          return measurement;
        },
      },
      peerContender(peers.rsync, "rsync, on a warm master", ({ words, env }) =>
        clientRun(world, {
          ...frame,
          env,
          words: [...words, "-a", "-e", world.ssh(...masters).join(" "), `${local}/`, `${remote}/`],
        })),
      {
        ...peerContender(
          peers.scp,
          "scp -r, on a warm master",
          ({ words, env }) =>
            clientRun(world, { ...frame, env, words: [...words, ...ssh, "-r", local, remote] }),
        ),
        rounds: 1,
      },
      { name: PING, floor: true, measure: () => world.ping(rttMs) },
    ],
    promises: [
      { contender: MODULE, against: PING, atMost: 2.5, source: "issue 5, 200 files" },
      { contender: MODULE, against: TAR_WARM, atMost: 1, source: "issue 5, 200 files" },
    ],
  };
}
