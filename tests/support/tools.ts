/** Programs that tests need: the installed one, or one unpacked from the distribution's package. */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { unpackPackages } from "./debian_packages.ts";

/** A program that is there to be run. */
export interface Tool {
  /** Absolute path. */
  readonly path: string;
  /** What must be in its environment: `LD_LIBRARY_PATH` where its libraries were unpacked too, else nothing. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder that stands for `/` where the program was unpacked; undefined for an installed one. */
  readonly root: string | undefined;
}

/** Where a program can lie that `PATH` of an ordinary user leaves out. */
const SYSTEM_DIRS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

/** Set to 1, installed programs count as missing, so that the unpacked ones can be tested on any machine. */
function ignoresSystem(): boolean {
  return Deno.env.get("CARPOOL_TEST_IGNORE_SYSTEM") === "1";
}

/** The absolute path of an installed program, or undefined. */
export async function installed(program: string): Promise<string | undefined> {
  if (ignoresSystem()) return undefined;
  const dirs = [...(Deno.env.get("PATH") ?? "").split(":"), ...SYSTEM_DIRS].filter((dir) =>
    dir.startsWith("/")
  );
  for (const dir of dirs) {
    const path = join(dir, program);
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile && ((info.mode ?? 0) & 0o111) !== 0) return path;
  }
  return undefined;
}

/**
 * `program`, from the system or from Debian's `packageName` (and `extraPackages`, unpacked beside it).
 *
 * @throws {CarpoolError} `no-package` when it is neither installed nor can be unpacked.
 */
export async function provide(
  program: string,
  packageName: string = program,
  extraPackages: readonly string[] = [],
): Promise<Tool> {
  const path = await installed(program);
  if (path !== undefined) return { path, env: {}, root: undefined };
  return await unpackedTool(program, [packageName, ...extraPackages]);
}

/** `program` from unpacked packages, whether or not it is installed. */
export async function unpackedTool(program: string, packages: readonly string[]): Promise<Tool> {
  const { root, libraryDirs } = await unpackPackages(packages, `no ${program} is installed`);
  const env: Record<string, string> = libraryDirs.length > 0
    ? { LD_LIBRARY_PATH: libraryDirs.join(":") }
    : {};
  for (const dir of ["usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/openssh"]) {
    const path = join(root, dir, program);
    if (await Deno.stat(path).then((info) => info.isFile, () => false)) return { path, env, root };
  }
  throw new CarpoolError("no-package", {
    what: `Cannot provide ${program}`,
    where: root,
    why: `${packages.join(", ")} does not contain it`,
    fix: "name the package that does",
  });
}

/** git; where it is unpacked, its environment names the folder of its subcommands, which is compiled in. */
export async function git(): Promise<Tool> {
  const tool = await provide("git");
  if (tool.root === undefined) return tool;
  const paths = {
    GIT_EXEC_PATH: join(tool.root, "usr/lib/git-core"),
    GIT_TEMPLATE_DIR: join(tool.root, "usr/share/git-core/templates"),
  };
  return { ...tool, env: { ...tool.env, ...paths } };
}
