import { exitStatus } from "./exit_status.ts";
import { write } from "./write.ts";

/** A subcommand: takes the arguments behind its name, returns the exit status. */
export type Command = (args: readonly string[]) => Promise<number>;

interface CommandEntry {
  /** Its arguments and what it does, for the list of commands. */
  readonly synopsis: string;
  readonly summary: string;
  /** Loads it. */
  readonly load: () => Promise<Command>;
}

/**
 * Loads a part of the command line. The path is no literal for Deno to find: a module graph with all commands in it takes
 * longer to look through than most commands take to run. The type beside it is what `deno cache` and `deno install` go by:
 * they fetch it all.
 */
function part<Module>(path: string): Promise<Module> {
  return import(new URL(path, import.meta.url).href);
}

/** One file with all that a warm command needs: it takes 5 ms less to load than the modules that it was made of. */
async function warmPart(): Promise<typeof import("./warm_exec.ts")> {
  try {
    return await part<typeof import("./warm_exec.bundle.js")>("./warm_exec.bundle.js");
  } catch {
    return await part<typeof import("./warm_exec.ts")>("./warm_exec.ts"); // where only the sources are at hand
  }
}

// Nothing here may import what a command needs: `carpool --help` must start as fast as an empty program.
const commands: Readonly<Record<string, CommandEntry>> = {
  exec: {
    synopsis: "<hosts> -- <command…>",
    summary: "run a command; on one host its exit status is ours",
    load: async () => {
      const { warmExec } = await warmPart();
      const cold = () => part<typeof import("./exec.ts")>("./exec.ts");
      return async (args) => await warmExec(args) ?? await (await cold()).exec(args);
    },
  },
  run: {
    synopsis: "<task> [--hosts …]",
    summary: "run a job from tasks/ (name or path)",
    load: async () => (await part<typeof import("./run.ts")>("./run.ts")).run,
  },
  runs: {
    synopsis: "",
    summary: "runs and how they stand: what --resume can go on with",
    load: async () => (await part<typeof import("./runs.ts")>("./runs.ts")).runs,
  },
  plan: {
    synopsis: "<task> [--hosts …]",
    summary: "what run would do, touching nothing",
    load: async () => (await part<typeof import("./plan.ts")>("./plan.ts")).plan,
  },
  copy: {
    synopsis: "<src…> <dst>",
    summary: "copy files, scp-style host:path on either side",
    load: async () => (await part<typeof import("./copy.ts")>("./copy.ts")).copy,
  },
  open: {
    synopsis: "<hosts…> [-M] [-S path]",
    summary: "find or start the master, asking here what must be asked",
    load: async () => (await part<typeof import("./open.ts")>("./open.ts")).open,
  },
  forward: {
    synopsis: "-L|-R|-D … <host>",
    summary: "add a forward to the host's master",
    load: async () => (await part<typeof import("./forward.ts")>("./forward.ts")).forward,
  },
  masters: {
    synopsis: "",
    summary: "every live master: host, pid, age, sessions, lingering, RTT",
    load: async () => (await part<typeof import("./masters.ts")>("./masters.ts")).masters,
  },
  check: {
    synopsis: "<host>",
    summary: "whether the host's master is alive",
    load: async () => (await part<typeof import("./control.ts")>("./control.ts")).control("check"),
  },
  stop: {
    synopsis: "<host>",
    summary: "the master takes nobody new, and leaves after its last session",
    load: async () => (await part<typeof import("./control.ts")>("./control.ts")).control("stop"),
  },
  exit: {
    synopsis: "<host> | --all",
    summary: "end the master and everything on it",
    load: async () => (await part<typeof import("./control.ts")>("./control.ts")).control("exit"),
  },
  hosts: {
    synopsis: "<pattern…>",
    summary: "what a group, alias or range resolves to",
    load: async () => (await part<typeof import("./hosts.ts")>("./hosts.ts")).hosts,
  },
  doctor: {
    synopsis: "<host>",
    summary: "where the time goes, what is shared, what would break",
    load: async () => (await part<typeof import("./doctor.ts")>("./doctor.ts")).doctor,
  },
  demo: {
    synopsis: "",
    summary: "embedded hosts, a real job, shared against per-command",
    load: async () => (await part<typeof import("./demo.ts")>("./demo.ts")).demo,
  },
  bench: {
    synopsis: "<host>",
    summary: "what sharing the connection saves on this host",
    load: async () => (await part<typeof import("./bench.ts")>("./bench.ts")).bench,
  },
};

/** Runs the `carpool` command and returns its exit status; everything it has to say has been written by then. */
export async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const about = first === "help" ? rest[0] : undefined;
    if (about !== undefined) return await main([about, "--help"]);
    write(helpText(), first === undefined ? "stderr" : "stdout");
    return first === undefined ? exitStatus.usage : exitStatus.ok;
  }
  try {
    if (first === "--version" || first === "-V") {
      const { version } = await import("./version.ts");
      write(`carpool ${version} (deno ${Deno.version.deno})\n`, "stdout");
      return exitStatus.ok;
    }
    const entry = Object.hasOwn(commands, first) ? commands[first] : undefined;
    if (!entry) throw (await import("./failure.ts")).unknownCommand(first, Object.keys(commands));
    const command = await entry.load();
    return await command(rest);
  } catch (error) {
    return (await import("./failure.ts")).tellFailure(error);
  }
}

function helpText(): string {
  const list = Object.entries(commands).map(([name, { synopsis, summary }]) =>
    `  ${`${name} ${synopsis}`.padEnd(29)} ${summary}`
  );
  return `\
carpool: one SSH connection per host, every command rides along

Usage: carpool <command> [options]

${list.join("\n")}

Hosts are what ssh knows (aliases of ssh_config, user@host:port), ranges such as web[01-20],
and groups of inventory.yaml. The letters -F -i -J -l -o -p -S -v -A mean what they mean to ssh.

Examples:
  carpool exec web1 -- uptime
  carpool exec 'web[01-20],db1' -- df -h /
  carpool run uptime --hosts web
  carpool copy ./dist/ web1:/srv/app/

Exit status: 0 all well; 1 something failed; 2 wrong use or a bad file; 4 only unreachable hosts;
130 interrupted. exec on one host: the command's own, or 255 when it never ran.

  carpool <command> --help      more about one command
  carpool --version             which version this is
`;
}

// `mod.ts` is the public door and comes here too; run directly this starts a few milliseconds sooner, because the module's
// own graph is not looked through.
if (import.meta.main) Deno.exit(await main(Deno.args));
