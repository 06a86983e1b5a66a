import type { Contender, Workload } from "../method/workload.ts";
import { clientRun } from "../peers/client_run.ts";
import { libraryLines, playbookLines, type RunFrame } from "../peers/lines.ts";
import { PEER_NAMES } from "../peers/names.ts";
import { peerContender, type PeerId } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { onMasters, type SshOptions } from "../peers/ssh_tools.ts";
import { failed, type World } from "../world/world.ts";
import { CURVE_OPTION } from "./names.ts";

export interface TreeOptions {
  readonly rttMs: number;
  readonly files: number;
  /** Ids of peers that would take minutes for this many files, and where they are measured instead. */
  readonly tooSlow?: Readonly<Partial<Record<PeerId, string>>>;
}

const FILE_BYTES = 2048;
const PER_DIRECTORY = 20;
const TAR = "tar | ssh";
export const TAR_WARM = "tar | ssh, on a warm master";

/** Many small files to one host, from nothing, and on what is warm already. */
export async function tree(world: World, { rttMs, files, tooSlow = {} }: TreeOptions): Promise<Workload> {
  const host = `rtt${rttMs}`;
  const peers = { ...await findPeers() };
  for (const [id, missing] of Object.entries(tooSlow)) peers[id as PeerId] = { id: id as PeerId, missing };
  const local = `${world.home.path}/tree-${files}`;
  await makeTree(local, files);
  const remote = `${world.sshd.home}/received`;
  const clear = () => Deno.remove(remote, { recursive: true }).catch(() => {});
  const verify = async () => {
    const arrived = await countFiles(remote);
    if (arrived !== files) throw failed(remote, `${arrived} of ${files} files arrived`);
  };
  const cold: RunFrame = { operations: 1, cold: true, prepare: clear, verify };
  // What is warm is made so before the clock starts.
  const warm = (...words: string[]): RunFrame => ({
    ...{ operations: 1, cold: false, verify },
    prepare: async () => {
      await clear();
      await world.run(words[0], words.slice(1));
    },
  });
  const masters = onMasters(world);
  const masterWords = world.ssh(...masters, host, "true");
  const tar = (name: string, options: SshOptions, frame: RunFrame): Contender => ({
    name,
    measure: () =>
      clientRun(world, {
        ...frame,
        words: world.ssh(...options, host, `mkdir ${remote} && tar -xf - -C ${remote}`),
        script: `tar -C '${local}' -cf - . | "$@" || exit`,
      }),
  });
  const line = (name: string, words: readonly string[], frame: RunFrame): Contender => ({
    name,
    measure: () => clientRun(world, { ...frame, words }),
  });
  const ssh = (options: SshOptions) => ["-F", world.configFile, ...options];
  const rsync = (name: string, options: SshOptions, frame: RunFrame) =>
    peerContender(peers.rsync, name, ({ words, env }) =>
      clientRun(world, {
        ...frame,
        env,
        words: [...words, "-a", "-e", world.ssh(...options).join(" "), `${local}/`, `${host}:${remote}/`],
      }));
  const carpool = (...more: string[]) =>
    world.carpool("copy", "-F", world.configFile, ...more, `${local}/`, `${host}:${remote}/`);
  const carpoolOpen = world.carpool("open", "-F", world.configFile, host);
  const slow: Contender[] = [
    peerContender(
      peers.scp,
      "scp -r",
      ({ words, env }) =>
        clientRun(world, { ...cold, env, words: [...words, ...ssh([]), "-r", local, `${host}:${remote}`] }),
    ),
    peerContender(peers.sftp, "sftp put -r", ({ words, env }) =>
      clientRun(world, {
        ...cold,
        env,
        words: [...words, ...ssh([]), "-b", "-", host],
        script: `printf 'mkdir received\\nput -r ${local}/* received\\n' | "$@" >/dev/null || exit`,
      })),
    ...playbookLines(world, peers, [host], [`copy: {src: ${local}/, dest: ${remote}/}`], cold),
    ...libraryLines(world, peers, [host], { mode: "tree", local, remote }, cold, {
      which: ["asyncssh"],
      suffix: " sftp",
    }),
  ];
  return {
    id: `tree-${rttMs}${Object.keys(tooSlow).length === 0 ? "-all" : ""}`,
    title: `a tree of ${files} files of 2 KiB to one host; ms in all`,
    link: { rttMs, emulated: rttMs > 0 },
    baseline: TAR,
    contenders: [
      tar(TAR, ["-S", "none"], cold),
      tar(`${TAR}, no post-quantum kex`, ["-S", "none", ...CURVE_OPTION], cold),
      tar(TAR_WARM, masters, warm(...masterWords)),
      line("carpool copy", carpool(), cold),
      line("carpool copy --no-share", carpool("--no-share"), cold),
      line("carpool copy, host warm", carpool(), warm(...carpoolOpen)),
      rsync(PEER_NAMES.rsync, ["-S", "none"], cold),
      rsync(`${PEER_NAMES.rsync}, on a warm master`, masters, warm(...masterWords)),
      ...libraryLines(world, peers, [host], { mode: "tree", local, remote }, cold, {
        which: ["ssh2"],
        suffix: " fastPut, 32 at once",
      }),
      ...slow,
    ],
  };
}

/** Files of random bytes, twenty to a directory. */
export async function makeTree(dir: string, files: number): Promise<void> {
  for (let index = 0; index < files; index++) {
    const folder = `${dir}/d${Math.floor(index / PER_DIRECTORY)}`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(`${folder}/f${index}`, crypto.getRandomValues(new Uint8Array(FILE_BYTES)));
  }
}

/** How many of the right size there are. */
export async function countFiles(dir: string): Promise<number> {
  let count = 0;
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) count += await countFiles(`${dir}/${name}`);
    else if ((await Deno.stat(`${dir}/${name}`)).size === FILE_BYTES) count++;
  }
  return count;
}
