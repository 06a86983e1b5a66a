/** A real host for copies: what its programs are can be chosen, and round trips to it are counted. */
import { join } from "@std/path";
import { type EmulatedLink, emulateLink } from "../../lib/emulator/emulated_link.ts";
import { connect } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { provide, type Tool } from "../support/tools.ts";

/** What a script of ours may call. */
const TOOLS = [
  "tar",
  "stat",
  "find",
  "xargs",
  "dd",
  "mv",
  "chmod",
  "touch",
  "mkdir",
  "rm",
  "sha256sum",
  "date",
  "cat",
  "du",
  "head",
];

export interface StreamWorldOptions extends SshdOptions {
  /** Whose tools sessions find: the system's by default. */
  readonly tools?: "system" | "busybox" | "bsdtar" | "no tar";
  /** Round trip of an emulated link to it; default: none. */
  readonly rttMs?: number;
}

export class StreamWorld implements AsyncDisposable {
  readonly sshd: Sshd;
  readonly host: Host;
  readonly link: EmulatedLink | undefined;
  readonly #stack: AsyncDisposableStack;

  private constructor(sshd: Sshd, host: Host, link: EmulatedLink | undefined, stack: AsyncDisposableStack) {
    this.sshd = sshd;
    this.host = host;
    this.link = link;
    this.#stack = stack;
  }

  static async start(options: StreamWorldOptions = {}): Promise<StreamWorld> {
    await using stack = new AsyncDisposableStack();
    const { tools = "system", rttMs } = options;
    const programs: Tool[] = [];
    if (tools === "busybox") programs.push(await provide("busybox"));
    if (tools === "bsdtar") {
      programs.push(await provide("bsdtar", "libarchive-tools", ["libarchive13", "libnettle8", "libacl1"]));
    }
    if (tools === "no tar") programs.push(await provide("busybox"));
    const sshd = stack.use(await startSshd({ ...options, programs }));
    const bin = join(sshd.dir, "server", "bin");
    const wrap = (name: string, line: string) =>
      Deno.writeTextFile(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    if (tools === "busybox") { for (const name of TOOLS) await wrap(name, `exec busybox ${name} "$@"`); }
    if (tools === "bsdtar") await wrap("tar", 'exec bsdtar "$@"');
    if (tools === "no tar") await wrap("tar", "exit 127");
    let { configFile } = sshd;
    let link: EmulatedLink | undefined;
    if (rttMs !== undefined) {
      link = stack.use(
        await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs }),
      );
      configFile = join(sshd.dir, "linked_config");
      const alias = `Host test\n  HostName ${link.hostname}\n  Port ${link.port}\n` +
        `  HostKeyAlias [${sshd.host}]:${sshd.port}\n`;
      await Deno.writeTextFile(configFile, alias + await Deno.readTextFile(sshd.configFile));
    }
    const host = stack.use(await connect("test", { configFile, share: false, prompter: noPrompter }));
    return new StreamWorld(sshd, host, link, stack.move());
  }

  get home(): string {
    return this.sshd.home;
  }

  /** Round trips of `work`: its own, whatever the machine does meanwhile. */
  async roundTrips(work: () => Promise<unknown>): Promise<number> {
    using mark = this.link!.mark();
    await work();
    return mark.counters().roundTrips;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Files that were there for long: one that is a second old might change within its second. */
export async function age(path: string): Promise<void> {
  await new Deno.Command("find", { args: [path, "-exec", "touch", "-h", "-d", "@1600000000", "{}", "+"] })
    .output();
}
