import { TargetError } from "../base/errors.ts";
import { LocalAccount } from "../target/local_account.ts";
import type { Target } from "../target/target.ts";
import { fileOptions, quoted } from "./openssh_arguments.ts";

/**
 * Makes `ssh` read what Carpool reads. It asks the account for its home, not HOME: under another HOME it would take
 * another configuration, other keys and other known hosts. Must be disposed once `ssh` has logged in.
 */
export class SameConfig implements AsyncDisposable {
  /** For `ssh`, before all others; none where it reads the same by itself. */
  readonly options: readonly string[];
  readonly #file: string | undefined;

  private constructor(options: readonly string[] = [], file?: string) {
    this.options = options;
    this.#file = file;
  }

  /**
   * @param configFile The one that was named with `-F`, if one was.
   * @param newFile Names a file that is ours to write, where one is needed.
   */
  static async make(
    target: Target,
    configFile: string | undefined,
    newFile: () => Promise<string>,
  ): Promise<SameConfig> {
    const [ours, sshs] = await Promise.all([homeIn(target.environment), homeIn({})]);
    if (ours === undefined || ours === sshs) return new SameConfig();
    // What a relative Include below our home says, ssh does not find: the address at least is resolved.
    const hostName = `HostName=${target.host.replaceAll("%", "%%")}`;
    const options = ["-p", String(target.port), "-l", target.user, "-o", hostName];
    options.push(...fileOptions(target, { keys: "all" }));
    if (configFile !== undefined) return new SameConfig(options);
    const file = await newFile();
    const included = [`${ours}/.ssh/config`, "/etc/ssh/ssh_config"];
    const text = included.map((path) => `Include ${quoted(path)}\n`).join("");
    await Deno.writeTextFile(file, text, { mode: 0o600 });
    return new SameConfig(["-F", file, ...options], file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#file !== undefined) await Deno.remove(this.#file);
  }
}

/** Undefined where nobody says. */
async function homeIn(environment: Readonly<Record<string, string>>): Promise<string | undefined> {
  try {
    return (await LocalAccount.load(environment)).home;
  } catch (error) {
    if (error instanceof TargetError) return undefined;
    throw error;
  }
}
