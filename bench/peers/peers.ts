/** Which peers there are: installed, or unpacked from the distribution's packages; nothing of the system changes. */
import { dirname, join } from "../../lib/deps/node_path.ts";
import { CarpoolError } from "../../lib/base/errors.ts";
import { openssh } from "../../tests/support/openssh.ts";
import { cacheDir } from "../../tests/support/debian_packages.ts";
import { run } from "../../tests/support/run.ts";
import { installed, provide } from "../../tests/support/tools.ts";
import type { MissingPeer, Peer, PeerId, Peers } from "./peer.ts";
import { CRYPTOGRAPHY, python, YAML } from "./python.ts";
import { ssh2Modules } from "./ssh2_modules.ts";

type Found = Omit<Peer, "id" | "version"> & { readonly version: string };

let found: Promise<Peers> | undefined;

/** Looks for all of them, once per process. Never rejects: what cannot be had is named with the reason. */
export function findPeers(): Promise<Peers> {
  return found ??= lookForAll();
}

async function lookForAll(): Promise<Peers> {
  const peers: Partial<Record<PeerId, Peer | MissingPeer>> = {};
  // One after the other: they share apt's lock, and some build on what another unpacked.
  for (const [id, look] of Object.entries(finders) as [PeerId, () => Promise<Found>][]) {
    try {
      peers[id] = { id, ...await look() };
    } catch (error) {
      if (!(error instanceof CarpoolError)) throw error;
      peers[id] = { id, missing: error.message };
    }
  }
  return peers as Peers;
}

const ANSIBLE = [
  ...["ansible-core", "python3-jinja2", "python3-markupsafe"],
  ...["python3-packaging", "python3-resolvelib", "python3-distutils"],
];

const finders: Record<PeerId, () => Promise<Found>> = {
  scp: () => ofOpenSsh("scp"),
  sftp: () => ofOpenSsh("sftp"),
  rsync: async () => {
    const { path, env } = await provide("rsync");
    return await withVersion({ words: [path], env }, ["--version"], /version (\S+)/);
  },
  pssh: async () => {
    const tool = await python("no pssh is installed", ["pssh", "python3-psshlib"]);
    const words = [...tool.words, join(tool.roots[0], "usr/bin/parallel-ssh")];
    return await withVersion({ ...tool, words }, ["--version"], /([\d.]+)/);
  },
  pdsh: async () => {
    const { path, env, root } = await provide("pdsh", "pdsh", ["libgenders0"]);
    if (root === undefined) return await withVersion({ words: [path], env }, ["-V"], /pdsh-([\d.]+)/);
    return await withVersion(await unpackedPdsh(root, env), ["-V"], /pdsh-([\d.]+)/, /rcmd.*\bssh\b/);
  },
  clush: async () => {
    const tool = await python("no clush is installed", ["clustershell", "python3-clustershell"], YAML);
    const words = [...tool.words, join(tool.roots[0], "usr/bin/clush")];
    return await withVersion({ ...tool, words }, ["--version"], /clush ([\d.]+)/);
  },
  ansible: async () => {
    const tool = await python("no Ansible is installed", ANSIBLE, YAML, CRYPTOGRAPHY);
    const words = [...tool.words, join(tool.roots[0], "usr/bin/ansible-playbook")];
    return await withVersion({ ...tool, words }, ["--version"], /core ([\d.]+)/);
  },
  mitogen: async () => {
    const mitogen = ["ansible-mitogen", "python3-mitogen"];
    const tool = await python("no Mitogen is installed", ANSIBLE, YAML, CRYPTOGRAPHY, mitogen);
    const { version } = await withVersion(
      tool,
      ["-c", "import mitogen; print(mitogen.__version__)"],
      /\((.*)\)/,
    );
    const words = [...tool.words, join(tool.roots[0], "usr/bin/ansible-playbook")];
    const strategies = join(tool.roots[3], "usr/lib/python3/dist-packages/ansible_mitogen/plugins/strategy");
    const ansible = await withVersion({ ...tool, words }, ["--version"], /core ([\d.]+)/);
    return {
      ...ansible,
      version: `${version.replaceAll(", ", ".")} in Ansible ${ansible.version}`,
      paths: { strategies },
    };
  },
  asyncssh: () => library("asyncssh", ["python3-asyncssh", "python3-typing-extensions"]),
  paramiko: () =>
    library("paramiko", [
      ...["python3-paramiko", "python3-bcrypt", "python3-nacl", "python3-six", "libsodium23"],
    ]),
  ssh2: async () => {
    const { folder, version } = await ssh2Modules(join(cacheDir, "bench"));
    const program = contender("peer_ssh2.mjs");
    const node = await installed("node");
    const words = node !== undefined
      ? [node, program, folder]
      : [Deno.execPath(), "run", "--no-prompt", "--no-config", "--no-lock", "-A", program, folder];
    const runtime = node !== undefined
      ? await withVersion({ words: [node], env: {} }, ["--version"], /v([\d.]+)/)
      : { version: Deno.version.deno };
    return {
      words,
      env: {},
      version: `${version} in ${node !== undefined ? "node" : "Deno"} ${runtime.version}`,
    };
  },
};

/**
 * In the package `pdsh` is a script around pdsh.bin that names it by the path of an installed one, and pdsh.bin insists
 * on being called `pdsh`, by a path. It looks for its modules at a path that is compiled in; PDSH_MODULE_DIR changes it
 * for everybody but root, who gets to see the modules there in a mount namespace of the tool's own.
 */
async function unpackedPdsh(
  root: string,
  env: Readonly<Record<string, string>>,
): Promise<Omit<Found, "version">> {
  const dir = join(cacheDir, "bench", "pdsh");
  const path = join(dir, "pdsh");
  await Deno.mkdir(dir, { recursive: true });
  // A copy: Deno makes symbolic links only for programs that may write everywhere.
  if (!await Deno.stat(path).then(() => true, () => false)) {
    await Deno.copyFile(join(root, "usr/bin/pdsh.bin"), path);
  }
  const libraries = env.LD_LIBRARY_PATH.split(":")[0];
  const words = [path];
  if (Deno.uid() !== 0) return { words, env: { ...env, PDSH_MODULE_DIR: join(libraries, "pdsh") } };
  const system = libraries.slice(root.length);
  const script = 'mount -t overlay overlay -o "lowerdir=$1:$2" "$2" && shift 2 && exec "$@"';
  return { words, env, within: ["unshare", "-m", "/bin/sh", "-c", script, "sh", libraries, system] };
}

async function ofOpenSsh(program: "scp" | "sftp"): Promise<Found> {
  const tools = await openssh();
  return { words: [tools[program], ...tools.sshOption], env: tools.env, version: tools.version };
}

async function library(module: "asyncssh" | "paramiko", packages: string[]): Promise<Found> {
  const tool = await python(`no ${module} is installed`, packages, CRYPTOGRAPHY);
  const found = await withVersion(
    tool,
    ["-c", `import ${module}; print(${module}.__version__)`],
    /([\d.]+)/,
  );
  return { ...found, words: [...tool.words, contender(`peer_${module}.py`)] };
}

function contender(name: string): string {
  return new URL(`../contenders/${name}`, import.meta.url).pathname;
}

/** Runs it to see what it says of itself, which also shows that it runs at all. */
async function withVersion(
  tool: Omit<Found, "version">,
  args: readonly string[],
  pattern: RegExp,
  also = /^/,
): Promise<Found> {
  const [program, ...words] = [...tool.within ?? [], ...tool.words];
  const env = { ...tool.env, PATH: await pathWithSsh() };
  const { stdout, stderr } = await run(program, [...words, ...args], { env });
  const version = pattern.exec(stdout + stderr)?.[1];
  if (version !== undefined && also.test(stdout + stderr)) return { ...tool, version };
  throw new CarpoolError("no-package", {
    what: "Cannot use a tool to compare with",
    where: [...tool.words, ...args].join(" "),
    why: (stderr || stdout).trim().split("\n").at(-1) || "it prints nothing",
  });
}

/** A PATH in which `ssh` is the one that all contenders use: most of these tools look for it there. */
export async function pathWithSsh(): Promise<string> {
  const { ssh } = await openssh();
  return `${dirname(ssh)}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`;
}
