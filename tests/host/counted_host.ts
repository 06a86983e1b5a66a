/** A real host whose sessions find nothing but programs that write down that they were run. */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { publicTempDir } from "../support/public_files.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

/** What scripts of ours may call. */
const PROGRAMS = [
  ...["tar", "stat", "find", "xargs", "dd", "mv", "chmod", "touch", "mkdir", "rm", "ln", "ls"],
  ...["sha256sum", "date", "cat", "du", "head", "grep"],
];

export class CountedHost implements AsyncDisposable {
  readonly sshd: Sshd;
  readonly host: Host;
  readonly #bin: string;
  /** Where they write it down. */
  readonly log: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(sshd: Sshd, host: Host, bin: string, log: string, stack: AsyncDisposableStack) {
    this.sshd = sshd;
    this.host = host;
    this.#bin = bin;
    this.log = log;
    this.#stack = stack;
  }

  /** `more`: further programs that it has, such as `perl`. */
  static async start(...more: readonly string[]): Promise<CountedHost> {
    await using stack = new AsyncDisposableStack();
    const bin = await publicTempDir("carpool-bin-");
    stack.defer(() => Deno.remove(bin, { recursive: true }));
    const log = join(bin, "log");
    await Deno.writeTextFile(log, "");
    await Deno.chmod(log, 0o666);
    await Deno.symlink("/bin/sh", join(bin, "sh"));
    const sshd = stack.use(await startSshd({ setEnv: { PATH: bin } }));
    const host = stack.use(
      await connect("test", { configFile: sshd.configFile, share: false, prompter: noPrompter }),
    );
    const counted = new CountedHost(sshd, host, bin, log, stack.move());
    for (const name of [...PROGRAMS, ...more]) {
      await counted.replace(name, `exec ${await pathOf(name)} "$@"`);
    }
    return counted;
  }

  get home(): string {
    return this.sshd.home;
  }

  /** What a program does besides being counted. */
  async replace(name: string, line: string): Promise<void> {
    const path = join(this.#bin, name);
    await Deno.writeTextFile(path, `#!/bin/sh\necho ${name} >>${this.log}\n${line}\n`);
    await Deno.chmod(path, 0o755);
  }

  /** The names of the programs that `work` had the host run, sorted: one name for each time. */
  async programs(work: () => Promise<unknown>): Promise<string[]> {
    await Deno.truncate(this.log);
    await work();
    return (await Deno.readTextFile(this.log)).split("\n").filter((name) => name !== "").sort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Where a program of this system is. */
export async function pathOf(program: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] })
    .output();
  if (success) return new TextDecoder().decode(stdout).trim();
  throw new CarpoolError("no-program", {
    what: "Cannot count programs",
    where: program,
    why: "it is not installed",
  });
}
