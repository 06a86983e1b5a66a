/** Python programs from Debian's packages, unpacked, run by the distribution's own Python. */
import { join } from "../../lib/deps/node_path.ts";
import { CarpoolError } from "../../lib/base/errors.ts";
import { cacheDir, unpackPackages } from "../../tests/support/debian_packages.ts";

/** Not whatever `python3` comes first in PATH: Debian's compiled modules fit Debian's Python only. */
export const PYTHON = "/usr/bin/python3";

export interface PythonTool {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folders that stand for `/`, one for each group of packages. */
  readonly roots: readonly string[];
}

/** Modules that cryptography needs in turn; several tools build on them. */
export const CRYPTOGRAPHY = ["python3-cryptography", "python3-cffi-backend"];
export const YAML = ["python3-yaml", "libyaml-0-2"];

/**
 * The words that start Python with the modules of all `groups` (each is unpacked as one tree).
 *
 * @throws {CarpoolError} `no-package` when there is no such Python, or a package cannot be had
 */
export async function python(reason: string, ...groups: readonly string[][]): Promise<PythonTool> {
  if (!await Deno.stat(PYTHON).then((info) => info.isFile, () => false)) {
    throw new CarpoolError("no-package", {
      what: "Cannot run a Python program",
      where: PYTHON,
      why: "the distribution's own Python is not there",
      fix: "install python3",
    });
  }
  const trees = [];
  for (const group of groups) trees.push(await unpackPackages(group, reason));
  const modules = trees.flatMap(({ root }) => [join(root, "usr/lib/python3/dist-packages")]);
  const libraries = trees.flatMap(({ libraryDirs }) => libraryDirs);
  return {
    words: [PYTHON],
    env: {
      PYTHONPATH: modules.join(":"),
      // Compiled once, not by each round: an installed package is compiled when it is installed.
      PYTHONPYCACHEPREFIX: join(cacheDir, "bench", "pycache"),
      PYTHONWARNINGS: "ignore",
      ...(libraries.length > 0 ? { LD_LIBRARY_PATH: libraries.join(":") } : {}),
    },
    roots: trees.map(({ root }) => root),
  };
}
