/** A home of its own with an sshd, for tests of the keeper: nothing of it outlives the test. */
import { join } from "@std/path";
import { connect, type ConnectOptions } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { exitAll, listMasters } from "../../lib/master/keeper_client.ts";
import type { MasterInfo } from "../../lib/master/master.ts";
import { type Place, places } from "../../lib/master/places.ts";
import type { Prompter } from "../../lib/target/prompter.ts";
import { LogFile } from "../support/log_file.ts";
import { alive, gone, signalProcess } from "../support/processes.ts";
import { type Running, type RunOptions, type RunResult, start } from "../support/run.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";

/** What a prompter was told and asked. */
export class Scripted implements Prompter {
  readonly notices: string[] = [];
  readonly asked: string[] = [];
  /** How often it was looked at whether somebody can be asked: a client does so just before it asks the keeper. */
  looks = 0;
  readonly #interactive: boolean;
  readonly #answers: (string | null)[];

  /** Without answers nobody can be asked. */
  constructor(...answers: (string | null)[]) {
    this.#interactive = answers.length > 0;
    this.#answers = answers;
  }

  get interactive(): boolean {
    this.looks++;
    return this.#interactive;
  }

  secret(prompt: string): Promise<string | null> {
    this.asked.push(prompt);
    return Promise.resolve(this.#answers.shift() ?? null);
  }

  line(prompt: string): Promise<string | null> {
    return this.secret(prompt);
  }

  notice(message: string): void {
    this.notices.push(message);
  }
}

/** The command as users start it. */
export const COMMAND = join(import.meta.dirname!, "../../mod.ts");

export class KeeperWorld implements AsyncDisposable {
  readonly home: TempHome;
  readonly sshd: Sshd;
  readonly place: Place;
  /** Like the sshd's, and silent about ControlPath. */
  readonly configFile: string;
  readonly log: LogFile;

  private constructor(home: TempHome, sshd: Sshd, place: Place, configFile: string) {
    this.home = home;
    this.sshd = sshd;
    this.place = place;
    this.configFile = configFile;
    this.log = new LogFile(place.logFile);
  }

  static async make(options: SshdOptions = {}, configLines: readonly string[] = []): Promise<KeeperWorld> {
    const home = await TempHome.make();
    const sshd = await startSshd(options);
    const config = (await Deno.readTextFile(sshd.configFile)).replace(/^ *ControlPath none\n/m, "");
    const configFile = await home.write(".ssh/config", `${configLines.join("\n")}\n${config}`);
    const [place] = await places(home.env);
    return new KeeperWorld(home, sshd, place, configFile);
  }

  /** Options for the sshd's host `test` in this home, with a prompter that says what it was told. */
  options(options: ConnectOptions = {}): ConnectOptions & { readonly prompter: Prompter } {
    const { configFile, home: { env: environment } } = this;
    // Most tests count connections; on a busy machine a lane could pay at any time.
    return { configFile, environment, prompter: new Scripted(), lanes: 1, ...options };
  }

  connect(options: ConnectOptions = {}): Promise<Host> {
    return connect("test", this.options(options));
  }

  /** Starts a command as a process of its own, in this home. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const flags = ["run", "--quiet", "-A", "--no-config", "--no-lock", "--no-check", COMMAND];
    const env = { ...this.home.env, ...options.env };
    return start(Deno.execPath(), [...flags, ...args], { clearEnv: true, ...options, env });
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    await using running = this.start(args, options);
    return await running.finished;
  }

  /** `carpool exec test -- command`, as a process of its own. */
  exec(command: string, flags: readonly string[] = []): Promise<RunResult> {
    return this.run(["exec", "-F", this.configFile, ...flags, "test", "--", command]);
  }

  masters(): Promise<MasterInfo[]> {
    return listMasters({ environment: this.home.env });
  }

  exitAll(): Promise<number> {
    return exitAll(this.home.env);
  }

  /** Of every keeper that was ever started here. */
  keeperPids(): number[] {
    const started = this.logText().matchAll(/\[(\d+)\] keeper started/g);
    return [...new Set([...started].map(([, pid]) => Number(pid)))];
  }

  livingKeepers(): number[] {
    return alive(this.keeperPids());
  }

  logText(): string {
    try {
      return Deno.readTextFileSync(this.place.logFile);
    } catch {
      return "";
    }
  }

  /** The names of all sockets in the keeper's directory. */
  sockets(): string[] {
    try {
      return [...Deno.readDirSync(this.place.directory)].map(({ name }) => name)
        .filter((name) => name.includes(".sock")).sort();
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pids = this.livingKeepers();
    for (const pid of pids) {
      signalProcess(pid, "SIGKILL");
    }
    await gone(pids);
    await this.sshd.stop();
    await this.home[Symbol.asyncDispose]();
  }
}

/** No machine is so slow: what does not hold by then never will, and the test fails instead of waiting for ever. */
const NEVER_MS = 180_000;

/** Waits until something holds; only for what sends no event. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const givenUpAt = performance.now() + NEVER_MS;
  while (!await holds()) {
    if (performance.now() > givenUpAt) throw new Error(`waited in vain for: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Reads from a keeper's /proc entry, through the shell. */
export function procText(pid: number, script: string): string {
  const command = new Deno.Command("/bin/sh", {
    args: ["-c", `cd /proc/${pid} && ${script}`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
  return new TextDecoder().decode(command.outputSync().stdout);
}

export { join };
