import type { Contender, Workload } from "../method/workload.ts";
import { clientRun } from "../peers/client_run.ts";
import { libraryLines, type RunFrame } from "../peers/lines.ts";
import { PEER_NAMES } from "../peers/names.ts";
import { peerContender } from "../peers/peer.ts";
import { findPeers } from "../peers/peers.ts";
import { failed, type LinkOptions, type World } from "../world/world.ts";
import { CURVE_OPTION } from "./names.ts";

/** The links that the workload knows: 1 Gbit/s near and far, and loopback itself. */
export const FILE_LINKS: Readonly<Record<string, LinkOptions>> = {
  "short-fat": { rttMs: 2, bandwidthBytesPerSecond: 125e6 },
  "long-fat": { rttMs: 50, bandwidthBytesPerSecond: 125e6 },
};

export interface LargeFileOptions {
  readonly direction: "push" | "pull";
  /** A name of {@linkcode FILE_LINKS}; default loopback. */
  readonly link?: string;
  readonly bytes: number;
}

const BASELINE = "scp";

/** One file of random bytes, from disk to disk, from nothing: on a long link it is windows that count, else ciphers. */
export async function largeFile(world: World, options: LargeFileOptions): Promise<Workload> {
  const { direction, link, bytes } = options;
  const host = link ?? "rtt0";
  const peers = await findPeers();
  const [here, there] = [`${world.home.path}/large`, `${world.sshd.home}/large`];
  const [from, to] = direction === "push" ? [here, there] : [there, here];
  const push = direction === "push";
  const frame: RunFrame = {
    operations: 1,
    cold: true,
    prepare: async () => {
      await Deno.remove(to).catch(() => {});
      await makeFile(from, bytes, world.sshd.uid);
    },
    verify: async () => {
      const size = await Deno.stat(to).then((info) => info.size, () => 0);
      if (size !== bytes) throw failed(to, `${size} of ${bytes} bytes arrived`);
    },
  };
  const ssh = (...more: string[]) => ["-F", world.configFile, ...more];
  const remote = `${host}:${there}`;
  const ends = push ? [here, remote] : [remote, here];
  const cat = (name: string, ...more: string[]): Contender => ({
    name,
    measure: () =>
      clientRun(world, {
        ...frame,
        words: world.ssh("-S", "none", ...more, host, push ? `cat > ${there}` : `cat ${there}`),
        script: push ? `"$@" < '${here}' || exit` : `"$@" > '${here}' || exit`,
      }),
  });
  const carpool = (name: string, ...more: string[]): Contender => ({
    name,
    measure: () =>
      clientRun(world, { ...frame, words: world.carpool("copy", "-F", world.configFile, ...more, ...ends) }),
  });
  const libraries = libraryLines(
    world,
    peers,
    [host],
    {
      mode: direction,
      ...(push ? { local: here, remote: there } : { remote: there, local: here }),
    },
    frame,
    { suffix: " sftp" },
  );
  return {
    id: `file-${direction}${link ? `-${link}` : ""}`,
    title: `${bytes / 1e6} MB in one file, ${direction}${link ? `, ${link} link of 1 Gbit/s` : ""}, ` +
      "disk to disk, from nothing; ms in all",
    link: { rttMs: link ? FILE_LINKS[link].rttMs : 0, emulated: link !== undefined },
    baseline: BASELINE,
    contenders: [
      peerContender(
        peers.scp,
        BASELINE,
        ({ words, env }) => clientRun(world, { ...frame, env, words: [...words, ...ssh(), ...ends] }),
      ),
      peerContender(
        peers.scp,
        `${BASELINE}, no post-quantum kex`,
        ({ words, env }) =>
          clientRun(world, { ...frame, env, words: [...words, ...ssh(...CURVE_OPTION), ...ends] }),
      ),
      carpool("carpool copy"),
      carpool("carpool copy --no-share", "--no-share"),
      peerContender(peers.sftp, PEER_NAMES.sftp, ({ words, env }) =>
        clientRun(world, {
          ...frame,
          env,
          words: [...words, ...ssh("-b", "-", host)],
          script: `echo '${
            push ? `put ${here} ${there}` : `get ${there} ${here}`
          }' | "$@" >/dev/null || exit`,
        })),
      // -W: no search for what is there already, as nothing is.
      peerContender(peers.rsync, PEER_NAMES.rsync, ({ words, env }) =>
        clientRun(world, {
          ...frame,
          env,
          words: [...words, "-W", "-e", world.ssh("-S", "none").join(" "), ...ends],
        })),
      cat("ssh and cat"),
      cat("ssh and cat, aes128-gcm", "-c", "aes128-gcm@openssh.com"),
      ...libraries,
    ],
  };
}

/** A file of random bytes, unless it is there; the account's own where it lies with the server. */
export async function makeFile(path: string, bytes: number, uid: number): Promise<void> {
  if (await Deno.stat(path).then((info) => info.size === bytes, () => false)) return;
  using file = await Deno.open(path, { create: true, write: true, truncate: true });
  const piece = crypto.getRandomValues(new Uint8Array(65536));
  const writer = file.writable.getWriter();
  for (let left = bytes; left > 0; left -= piece.length) {
    await writer.write(left >= piece.length ? piece : piece.subarray(0, left));
  }
  await writer.close();
  if (Deno.uid() === 0) await Deno.chown(path, uid, uid);
}
