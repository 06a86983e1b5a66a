import type { CopyOptions, CopyResult } from "../host/copy_options.ts";
import type { JobConnect, JobHost } from "../job/job_host.ts";
import { type CommandLine, type OptionSpec, usage } from "./arguments.ts";

/** Which files `carpool copy` moves, and how sure it makes. */
export const updateSpecs: readonly OptionSpec[] = [
  { name: "always", kind: "flag" },
  { name: "checksum", kind: "flag" },
  { name: "verify", kind: "flag" },
];

export const updateHelp = `\
  --checksum             compare contents; default: size and time tell which files have changed
  --always               move all files, changed or not
  --verify               compare each large file with its source, once it is there`;

/** What the options say, for every copy and fetch. */
export function updateOf(line: CommandLine): Pick<CopyOptions, "update" | "verify"> {
  if (line.flag("always") && line.flag("checksum")) {
    throw usage("copy", "--always", "--checksum says the opposite", "give one of them");
  }
  const update = line.flag("always") ? "always" : line.flag("checksum") ? "checksum" : undefined;
  return { ...(update ? { update } : {}), ...(line.flag("verify") ? { verify: true } : {}) };
}

/** Connects to hosts whose copies and fetches have these options, too, and are counted. */
export function withCopyOptions(connect: JobConnect, options: CopyOptions, tally?: CopyTally): JobConnect {
  if (tally === undefined && Object.keys(options).length === 0) return connect;
  return async (destination, how) => {
    const host = await connect(destination, how);
    const move = (kind: "copy" | "fetch"): JobHost["copy"] => async (from, to, own) => {
      const result = await host[kind](from, to, { ...own, ...options });
      tally?.add(destination, result);
      return result;
    };
    const [copy, fetch] = [move("copy"), move("fetch")];
    return new Proxy(host, {
      get(_, name) {
        if (name === "copy") return copy;
        if (name === "fetch") return fetch;
        const value = Reflect.get(host, name, host); // its private fields are its own
        return typeof value === "function" ? value.bind(host) : value;
      },
    });
  };
}

/** What was moved, and what was there already. */
export class CopyTally {
  readonly #hosts = new Set<string>();
  #moved = 0;
  #unchanged = 0;

  add(host: string, { files, symlinks, skipped }: Pick<CopyResult, "files" | "symlinks" | "skipped">): void {
    this.#hosts.add(host);
    this.#moved += files + symlinks;
    this.#unchanged += skipped;
  }

  /** In words, of all hosts together; undefined where nothing came to its end. */
  toText(): string | undefined {
    const hosts = this.#hosts.size;
    if (hosts === 0) return undefined;
    return `${this.#moved} copied, ${this.#unchanged} unchanged${hosts > 1 ? `, on ${hosts} hosts` : ""}`;
  }
}
