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
  const place = await placeInMemory(world);
  const received = `${place}received`;
  const remove = (path: string) => world.run("rm", ["-rf", path]);
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
    verify: async () => {
      await arrived(received);
      await remove(received);
    },
  } satisfies ClientRun;
  const eachCopy = async (target: string, work: (path: string) => Promise<unknown>) => {
    for (let at = 0; at <= COPIES; at++) await work(`${target}${at}`);
  };
  const inProcess = (name: string, more: () => Promise<object> = () => Promise.resolve({})): Contender => ({
    name,
    measure: async () => {
      const target = `${place}copied`;
      const given = { host, share: true, direction: "push", local, remote: target, warmUp: 1, count: COPIES };
      const measurement = await world.contender("copy_loop.ts", { ...given, ...await more() });
      await eachCopy(target, arrived);
      await eachCopy(target, remove);
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
          const target = `${place}fetched`;
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
          await eachCopy(target, arrived);
          await eachCopy(target, remove);
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

/**
 * What the names of received trees begin with: they lie in memory, where the system has a place for that. On ext4 a file
 * that is made takes 0.4 ms of the kernel's time instead of 0.02 where many have been removed in the last minutes (it looks
 * for inodes that have not), as every round of a benchmark does: 80 ms for 200 files, for whoever makes them.
 */
async function placeInMemory(world: World): Promise<string> {
  const name = `carpool-bench-${crypto.randomUUID()}-`;
  const there = await Deno.stat("/dev/shm").then(({ isDirectory }) => isDirectory, () => false);
  return there ? `/dev/shm/${name}` : `${world.sshd.home}/${name}`;
}
