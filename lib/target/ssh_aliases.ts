import { expandGlob, readConfigFile } from "./config_file.ts";
import { readDirective } from "./config_reader.ts";
import { hostNameProblem } from "./destination.ts";
import { LocalAccount, ownEnvironment } from "./local_account.ts";
import type { TargetOptions } from "./target.ts";
import { expandTilde } from "./tokens.ts";

/** As deep as OpenSSH goes. */
const MAX_DEPTH = 16;

/**
 * The hosts that ssh_config names: every word of its Host lines, of included files too, that is neither a
 * pattern nor negated; in the order of the files, each once. A file that is not there names nobody.
 *
 * Throws `TargetError` ("bad-config") for a file that cannot be read.
 */
export async function sshAliases(
  options: Pick<TargetOptions, "configFile" | "systemConfigFile" | "environment"> = {},
): Promise<string[]> {
  const { configFile, systemConfigFile = "/etc/ssh/ssh_config" } = options;
  if (configFile?.toLowerCase() === "none") return [];
  const account = await LocalAccount.load(options.environment ?? ownEnvironment());
  const found = new Set<string>();
  const seen = new Set<string>();

  const read = async (path: string, fromUser: boolean, checkOwner: boolean, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH || seen.has(path)) return;
    seen.add(path);
    const text = await readConfigFile(path, { checkOwner });
    for (const [index, line] of (text ?? "").split("\n").entries()) {
      const directive = readDirective(line, `${path}:${index + 1}`);
      const keyword = directive?.keyword.toLowerCase();
      if (keyword === "host") {
        for (const name of directive!.args) {
          // What could not be typed as a destination is no host: `Host !x`, `Host *`, `Host a,b`.
          if (!/[*?!]/.test(name) && hostNameProblem(name) === undefined && name !== "") found.add(name);
        }
      } else if (keyword === "include") {
        for (const arg of directive!.args) {
          // A path with tokens depends on the host that is asked for: it names none.
          if (/[%$]/.test(arg)) continue;
          let pattern = arg;
          if (pattern.startsWith("~")) pattern = await expandTilde(pattern, account, directive!.fail);
          if (!pattern.startsWith("/")) {
            pattern = fromUser ? `${account.home}/.ssh/${pattern}` : `/etc/ssh/${pattern}`;
          }
          for (const file of await expandGlob(pattern)) await read(file, fromUser, true, depth + 1);
        }
      }
    }
  };

  if (configFile !== undefined) await read(configFile, true, false, 0);
  else {
    await read(`${account.home}/.ssh/config`, true, true, 0);
    if (systemConfigFile.toLowerCase() !== "none") await read(systemConfigFile, false, false, 0);
  }
  return [...found];
}
