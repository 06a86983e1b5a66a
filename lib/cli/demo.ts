import { write } from "./write.ts";
import { helpSpec, numberOf, readArguments, refuseWords } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { Interrupts, wantsColor } from "./terminal.ts";

const help = `\
carpool demo [options]: what one shared connection per host saves, shown on this machine

Starts SSH hosts inside this process, each behind a slow link that it emulates, and runs the job
tasks/demo.yaml on them twice: with a connection for every command, and with one shared connection per
host. Nothing leaves this machine; everything it makes is in a temporary directory, and removed.

  --hosts N              how many hosts, 1 to 20; default 3
  --rtt MS               round-trip time of the links in milliseconds, 0 to 2000; default 50
  -h, --help             this text
`;

/** `carpool demo`. */
export async function demo(args: readonly string[]): Promise<number> {
  const specs = [{ name: "hosts", kind: "text" }, { name: "rtt", kind: "text" }, helpSpec] as const;
  const line = await readArguments("demo", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  refuseWords("demo", [...line.words, ...line.rest]);
  const hosts = numberOf("demo", line, "hosts", 1, 20) ?? 3;
  const rttMs = numberOf("demo", line, "rtt", 0, 2000) ?? 50;
  using interrupts = new Interrupts();
  const { runDemo } = await import("./demo_run.ts");
  return await runDemo({
    hosts,
    rttMs,
    signal: interrupts.signal,
    color: wantsColor("stdout"),
    write: (text) => write(text, "stdout"),
  });
}
