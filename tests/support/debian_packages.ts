/**
 * Debian packages unpacked into the project's cache folder, for tests that need a program this machine lacks.
 *
 * Nothing of the system changes and no root is needed: apt runs with its state, lists and cache inside
 * `.cache/debian/`, and `dpkg-deb -x` only unpacks. The system's own package lists may be empty (as they are in
 * container images), so the lists are fetched into the private folder too.
 */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";

const decoder = new TextDecoder();

/** One unpacked package with the libraries it lacked, complete once it is there. */
export interface UnpackedPackage {
  /** The folder that stands for `/`. */
  readonly root: string;
  /** Folders for LD_LIBRARY_PATH; empty when the system has every library. */
  readonly libraryDirs: readonly string[];
}

/** The project's cache folder, git-ignored. */
export const cacheDir: string = join(import.meta.dirname!, "..", "..", ".cache");

const unpacked = new Map<string, Promise<UnpackedPackage>>();

/**
 * Unpacks `names` (the first one names the tree) and whatever libraries they lack, once per machine: a second
 * caller, in this process or another, waits for the first and uses its result.
 *
 * @throws {CarpoolError} `no-package` where there is no apt, no network, or no such package.
 */
export function unpackPackages(names: readonly string[], reason: string): Promise<UnpackedPackage> {
  const key = names.join("+");
  let result = unpacked.get(key);
  if (!result) unpacked.set(key, result = provideTree(key, names, reason));
  return result;
}

async function provideTree(key: string, names: readonly string[], reason: string): Promise<UnpackedPackage> {
  const home = join(cacheDir, "debian", await release(names[0], reason));
  const root = join(home, key);
  if (!await exists(root)) {
    await Deno.mkdir(home, { recursive: true });
    using lock = await Deno.open(join(home, "lock"), { create: true, write: true });
    await lock.lock(true);
    if (!await exists(root)) await build(home, root, names, reason);
  }
  return { root, libraryDirs: await libraryDirs(root) };
}

/** Fetches, unpacks, completes and only then renames into place. Called under the lock. */
async function build(home: string, root: string, names: readonly string[], reason: string): Promise<void> {
  const apt = await Apt.prepare(join(home, "apt"));
  const work = `${root}.part-${crypto.randomUUID().slice(0, 8)}`;
  await Deno.mkdir(work, { recursive: true });
  try {
    const sources = await apt.unpack(names, work);
    const libraries = await addMissingLibraries(apt, names, work);
    const more = libraries.length > 0 ? ` with ${libraries.join(", ")}` : "";
    await Deno.rename(work, root);
    console.error(`tests: ${reason}: unpacked ${names.join(", ")}${more} from ${sources} into ${root}`);
  } catch (error) {
    await Deno.remove(work, { recursive: true });
    throw error;
  }
}

/** Adds packages until `ldd` is content. */
async function addMissingLibraries(apt: Apt, names: readonly string[], root: string): Promise<string[]> {
  const added: string[] = [];
  const closure = await apt.dependencies(names);
  for (
    let missing = await missingLibraries(root);
    missing.length > 0;
    missing = await missingLibraries(root)
  ) {
    const wanted = missing.map((soname) => {
      const key = sonameKey(soname);
      const found = closure.find((name) => packageKey(name) === key) ??
        // libvorbis0a, libharfbuzz0b, libjpeg62-turbo
        closure.find((name) => new RegExp(`^${key}[a-z]`).test(packageKey(name)));
      if (found && !added.includes(found)) return found;
      throw new CarpoolError("no-package", {
        what: `Cannot complete the unpacked package ${names[0]}`,
        where: root,
        why: found ? `${found} does not bring ${soname}` : `no dependency of it looks like ${soname}`,
        fix: `install ${names.join(" ")} on this machine`,
      });
    });
    const packages = [...new Set(wanted)];
    await apt.unpack(packages, root);
    added.push(...packages);
  }
  return added;
}

/** Libraries whose package has another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  "libz.so.1": "zlib1g",
  "libcrypto.so.3": "libssl3",
  "libatspi.so.0": "libatspi2.0-0",
  "libbrotlicommon.so.1": "libbrotli1",
  "libbrotlidec.so.1": "libbrotli1",
  "libgio-2.0.so.0": "libglib2.0-0",
  "libgmodule-2.0.so.0": "libglib2.0-0",
  "libgobject-2.0.so.0": "libglib2.0-0",
  "libnspr4.so": "libnspr4",
  "libplc4.so": "libnspr4",
  "libplds4.so": "libnspr4",
  "libnss3.so": "libnss3",
  "libnssutil3.so": "libnss3",
  "libsmime3.so": "libnss3",
};

/** `libgssapi_krb5.so.2` and `libgssapi-krb5-2` are the same words; so are libpam0g, libssl3t64. */
function sonameKey(soname: string): string {
  return packageKey(OTHER_NAMES[soname] ?? soname.replace(".so.", ""));
}

function packageKey(name: string): string {
  return name.toLowerCase().replace(/t64$/, "").replace(/(\d)g$/, "$1").replace(/[-_]/g, "");
}

async function missingLibraries(root: string): Promise<string[]> {
  const programs: string[] = [];
  const withPrograms = ["usr/sbin", "usr/bin", "sbin", "bin", "usr/lib/openssh", "usr/lib/chromium"];
  for (const dir of [...withPrograms, ...await libraryNames(root)]) {
    for await (const entry of filesIn(join(root, dir))) {
      if (entry.isFile && (withPrograms.includes(dir) || /\.so/.test(entry.name))) {
        programs.push(join(root, dir, entry.name));
      }
    }
  }
  const { text } = await command("ldd", programs, {
    LD_LIBRARY_PATH: (await libraryDirs(root)).join(":"),
    LC_ALL: "C",
  });
  const absent = [...text.matchAll(/^\s*(\S+\.so\S*) => not found/gm)].map((match) => match[1]);
  // An installed library can be there and yet be older than what the unpacked program was built for.
  const old = [...text.matchAll(/(?:^|\/)([^/\s:]+\.so[^:\s]*): version `[^']+' not found/gm)].map((m) =>
    m[1]
  );
  return [...new Set([...absent, ...old])];
}

async function libraryNames(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const base of ["lib", "usr/lib"]) {
    for await (const entry of filesIn(join(root, base))) {
      if (!entry.isDirectory || !entry.name.includes("-linux-")) continue;
      found.push(`${base}/${entry.name}`);
      // A folder of its own, which the library beside it names by its absolute path.
      const pulse = `${base}/${entry.name}/pulseaudio`;
      if (await exists(join(root, pulse))) found.push(pulse);
    }
  }
  return found;
}

async function libraryDirs(root: string): Promise<string[]> {
  return (await libraryNames(root)).map((name) => join(root, name));
}

/** apt with everything it writes in one private folder. */
class Apt {
  readonly #home: string;
  readonly #env: Record<string, string>;

  private constructor(home: string) {
    this.#home = home;
    this.#env = { APT_CONFIG: join(home, "apt.conf"), LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  }

  static async prepare(home: string): Promise<Apt> {
    for (const dir of ["state", "lists/partial", "cache/archives/partial", "sources.list.d", "log"]) {
      await Deno.mkdir(join(home, dir), { recursive: true });
    }
    await copySources(join(home, "sources.list.d"));
    await Deno.writeTextFile(join(home, "status"), "");
    // The system's Acquire settings (proxies, mirrors' quirks) count here too; its hooks must not run.
    const { text } = await command("apt-config", ["dump"], { LC_ALL: "C" });
    const acquire = text.split("\n").filter((line) => line.startsWith("Acquire"));
    const settings: [string, string][] = [
      ["Dir::State", join(home, "state")],
      ["Dir::State::lists", join(home, "lists")],
      ["Dir::State::status", join(home, "status")],
      ["Dir::Cache", join(home, "cache")],
      ["Dir::Log", join(home, "log")],
      ["Dir::Etc::sourcelist", "/dev/null"],
      ["Dir::Etc::sourceparts", join(home, "sources.list.d")],
      ["Dir::Etc::main", "/dev/null"],
      ["Dir::Etc::parts", "/dev/null"],
      ["APT::Sandbox::User", "root"],
      ["Acquire::Languages", "none"],
      ["Acquire::http::Timeout", "30"],
      ["Acquire::Retries", "3"],
    ];
    const lines = [...acquire, ...settings.map(([name, value]) => `${name} "${value}";`)];
    await Deno.writeTextFile(join(home, "apt.conf"), lines.join("\n") + "\n");
    return new Apt(home);
  }

  /** Downloads and unpacks into `root`; answers where the packages came from. */
  async unpack(names: readonly string[], root: string): Promise<string> {
    const into = await Deno.makeTempDir({ dir: this.#home, prefix: "download-" });
    try {
      let { success, text } = await this.#download(names, into);
      if (!success) {
        // No lists yet, or lists so old that their files have left the mirror.
        const update = await command("apt-get", ["-q", "update"], this.#env);
        ({ success, text } = await this.#download(names, into));
        if (!success) throw downloadFailed(names, `${update.text}\n${text}`);
      }
      for await (const file of Deno.readDir(into)) {
        const done = await command("dpkg-deb", ["-x", join(into, file.name), root], {});
        if (!done.success) throw downloadFailed(names, done.text);
      }
      const origins = [...text.matchAll(/^Get:\d+ (\w+:\/\/[^/\s]+)/gm)].map((match) => match[1]);
      return [...new Set(origins)].join(", ") || "apt's sources";
    } finally {
      await Deno.remove(into, { recursive: true });
    }
  }

  /** Every package that `names` depend on, directly or not. */
  async dependencies(names: readonly string[]): Promise<string[]> {
    const without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
    const flags = ["depends", "--recurse", ...without.map((kind) => `--no-${kind}`)];
    const { text } = await command("apt-cache", [...flags, ...names], this.#env);
    return text.split("\n").filter((line) => /^[a-z0-9]/.test(line)).map((line) => line.split(":")[0]);
  }

  #download(names: readonly string[], cwd: string): Promise<{ success: boolean; text: string }> {
    return command("apt-get", ["-q", "download", ...names], this.#env, cwd);
  }
}

/** The distribution's own sources; those of third parties only cost time, or fail. */
async function copySources(into: string): Promise<void> {
  const all: [string, string][] = [];
  for (const dir of ["/etc/apt", "/etc/apt/sources.list.d"]) {
    for await (const entry of filesIn(dir)) {
      if (!entry.isFile || !/\.(list|sources)$/.test(entry.name)) continue;
      all.push([entry.name, await Deno.readTextFile(join(dir, entry.name))]);
    }
  }
  const own = all.filter(([, text]) => /^(deb\s|URIs:).*(debian|ubuntu)/m.test(text));
  for (const [name, text] of own.length > 0 ? own : all) await Deno.writeTextFile(join(into, name), text);
}

async function release(name: string, reason: string): Promise<string> {
  const os = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const arch = await command("dpkg", ["--print-architecture"], {});
  const tools = await Promise.all(["apt-get", "dpkg-deb"].map((tool) => command(tool, ["--version"], {})));
  if (!arch.success || tools.some((tool) => !tool.success)) {
    throw new CarpoolError("no-package", {
      what: "Cannot provide a program that the tests need",
      where: Deno.build.os,
      why: `${reason}, and without apt and dpkg it cannot be unpacked from a Debian package`,
      fix: `install it; Debian calls the package ${name}`,
    });
  }
  const codename = /^VERSION_CODENAME="?([\w.-]+)/m.exec(os)?.[1] ?? "debian";
  return `${codename}-${arch.text.trim()}`;
}

function downloadFailed(names: readonly string[], output: string): CarpoolError {
  return new CarpoolError("no-package", {
    what: `Cannot download ${names.join(", ")}`,
    where: "apt-get",
    why: output.split("\n").filter((line) => /^[EW]:/.test(line)).join(" ") || output.trim(),
    fix: "check that Debian's package mirror can be reached, or install the package",
  });
}

async function command(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd?: string,
): Promise<{ success: boolean; text: string }> {
  try {
    const process = new Deno.Command(program, {
      args: [...args],
      env,
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { success, stdout, stderr } = await process.output();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { success: false, text: `${program} is not installed` };
    throw error;
  }
}

async function* filesIn(dir: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(dir);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
