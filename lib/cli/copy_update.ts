import type { CopyOptions } from "../host/copy_options.ts";
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

/** Connects to hosts whose copies and fetches have these options, too. */
export function withCopyOptions(connect: JobConnect, options: CopyOptions): JobConnect {
  if (Object.keys(options).length === 0) return connect;
  return async (destination, how) => {
    const host = await connect(destination, how);
    const copy: JobHost["copy"] = (from, to, own) => host.copy(from, to, { ...own, ...options });
    const fetch: JobHost["fetch"] = (from, to, own) => host.fetch(from, to, { ...own, ...options });
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
