/** OpenSSH for the tests: what is installed, and what is not from the distribution's packages. */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { cacheDir, unpackPackages } from "./debian_packages.ts";
import { installed, provide, unpackedTool } from "./tools.ts";

/** Absolute paths of OpenSSH's programs, and what they need to run. */
export interface OpenSsh {
  readonly ssh: string;
  readonly sshKeygen: string;
  readonly scp: string;
  readonly sftp: string;
  readonly sshAgent: string;
  readonly sshAdd: string;
  readonly sshKeyscan: string;
  readonly sshd: string;
  readonly sftpServer: string;
  /** What `ssh -V` says: "9.2p1". */
  readonly version: string;
  /** `[major, minor]` of {@link version}. */
  readonly versionNumber: readonly [number, number];
  /** What `sshd -V` says; an unpacked server can be newer than the installed client. */
  readonly serverVersionNumber: readonly [number, number];
  /**
   * What must be in the environment of the client programs, often nothing: `LD_LIBRARY_PATH`, and an account for
   * a caller who has none. Unpacked `scp` and
   * `sftp` do not know where `ssh` lies: start them with {@link sshOption}.
   */
  readonly env: Readonly<Record<string, string>>;
  /** `["-S", ssh]`, for `scp` and `sftp`. */
  readonly sshOption: readonly string[];
  /** The folder that stands for `/` where sshd was unpacked; undefined for an installed one. */
  readonly serverRoot: string | undefined;
  /** What must be in sshd's environment. */
  readonly serverEnv: Readonly<Record<string, string>>;
  /** `libnss_wrapper.so`, which gives sshd accounts of its own through LD_PRELOAD. */
  readonly nssWrapper: string;
}

let found: Promise<OpenSsh> | undefined;

/** Finds or unpacks OpenSSH, once per process. */
export function openssh(): Promise<OpenSsh> {
  return found ??= provideOpenSsh();
}

async function provideOpenSsh(): Promise<OpenSsh> {
  const client = (program: string) => provide(program, "openssh-client");
  const [ssh, sshKeygen, scp, sftp, sshAgent, sshAdd, sshKeyscan] = await Promise.all(
    ["ssh", "ssh-keygen", "scp", "sftp", "ssh-agent", "ssh-add", "ssh-keyscan"].map(client),
  );
  const sshd = await provide("sshd", "openssh-server", ["openssh-sftp-server"]);
  const nssWrapper = await findNssWrapper();
  const libraries = Object.assign(
    {},
    ...[ssh, sshKeygen, scp, sftp, sshAgent, sshAdd].map((tool) => tool.env),
  );
  const env = { ...libraries, ...await callerAccount(nssWrapper) };
  const version = await versionOf(ssh.path, env);
  return {
    ssh: ssh.path,
    sshKeygen: sshKeygen.path,
    scp: scp.path,
    sftp: sftp.path,
    sshAgent: sshAgent.path,
    sshAdd: sshAdd.path,
    sshKeyscan: sshKeyscan.path,
    sshd: sshd.path,
    sftpServer: await findSftpServer(),
    version: version.text,
    versionNumber: version.number,
    serverVersionNumber: (await versionOf(sshd.path, sshd.env)).number,
    env,
    sshOption: ["-S", ssh.path],
    serverRoot: sshd.root,
    serverEnv: sshd.env,
    nssWrapper,
  };
}

async function findSftpServer(): Promise<string> {
  // Fedora and macOS keep it elsewhere than Debian.
  for (const dir of ["/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/libexec"]) {
    const path = join(dir, "sftp-server");
    if (await installed("sshd") && await isFile(path)) return path;
  }
  return (await unpackedTool("sftp-server", ["openssh-server", "openssh-sftp-server"])).path;
}

async function findNssWrapper(): Promise<string> {
  const { root } = await unpackPackages(
    ["libnss-wrapper"],
    "sshd must find accounts that the system has not",
  );
  for (const base of ["usr/lib", "lib"]) {
    for await (const entry of Deno.readDir(join(root, base))) {
      const path = join(root, base, entry.name, "libnss_wrapper.so");
      if (await isFile(path)) return path;
    }
  }
  throw new CarpoolError("no-package", {
    what: "Cannot provide libnss_wrapper.so",
    where: root,
    why: "the package libnss-wrapper does not contain it",
    fix: "remove that folder and try again",
  });
}

/** A caller without a passwd entry, as in `docker run --user 1234`, gets one: OpenSSH runs for nobody else. */
async function callerAccount(nssWrapper: string): Promise<Record<string, string>> {
  const uid = Deno.uid();
  const known = await new Deno.Command("id", { args: ["-un"], stdin: "null", stderr: "null" }).output();
  if (known.success || uid === null) return {};
  const [passwd, group] = ["passwd", "group"].map((name) => join(cacheDir, "debian", `${name}.${uid}`));
  const home = Deno.env.get("HOME") ?? "/";
  await Deno.writeTextFile(passwd, `caller:x:${uid}:${Deno.gid()}::${home}:/bin/sh\n`);
  await Deno.writeTextFile(group, `caller:x:${Deno.gid()}:\n`);
  return { LD_PRELOAD: nssWrapper, NSS_WRAPPER_PASSWD: passwd, NSS_WRAPPER_GROUP: group };
}

/** `ssh -V` and `sshd -V` (older servers answer an unknown option with their version) print to stderr. */
async function versionOf(
  path: string,
  env: Readonly<Record<string, string>>,
): Promise<{ text: string; number: readonly [number, number] }> {
  const { stderr } = await new Deno.Command(path, { args: ["-V"], env: { ...env }, stdin: "null" }).output();
  const match = /OpenSSH_((\d+)\.(\d+)\w*)/.exec(new TextDecoder().decode(stderr));
  if (!match) {
    throw new CarpoolError("no-package", {
      what: "Cannot run OpenSSH",
      where: path,
      why: new TextDecoder().decode(stderr).trim(),
      fix: "remove the project's .cache folder, or install openssh-client and openssh-server",
    });
  }
  return { text: match[1], number: [Number(match[2]), Number(match[3])] };
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}
