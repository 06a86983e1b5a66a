/** A real server, a home of its own, Carpool as a program, and the stock OpenSSH client beside it. */
import { join } from "@std/path";
import { connect, type ConnectOptions } from "../../lib/host/connect.ts";
import type { Host } from "../../lib/host/host.ts";
import { startCarpool } from "../cli/carpool.ts";
import { gone, processesMarked, signalProcess } from "../support/processes.ts";
import { run, type Running, type RunOptions, type RunResult, start } from "../support/run.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";

/** Dispose it: it ends the keeper and every master in its home. */
export class StockRig implements AsyncDisposable {
  readonly sshd: Sshd;
  readonly home: TempHome;
  /** Where a test has its control socket. */
  readonly socket: string;
  /** As {@linkcode Sshd.configFile}, and connections are shared: `ControlPath none` would mean that they are not. */
  readonly configFile: string;
  /** For the stock client: a direct connection fails, so that a silent fallback cannot pass for success. */
  readonly noWayConfig: string;
  /** What the programs of OpenSSH need, and the home's own. */
  readonly env: Readonly<Record<string, string>>;
  /** What connections in this process said. */
  readonly notices: string[] = [];

  private constructor(sshd: Sshd, home: TempHome, configFile: string, noWayConfig: string) {
    this.sshd = sshd;
    this.home = home;
    this.socket = join(home.path, "m");
    this.configFile = configFile;
    this.noWayConfig = noWayConfig;
    this.env = { ...home.env, ...sshd.openssh.env };
  }

  static async start(options: SshdOptions = {}): Promise<StockRig> {
    const sshd = await startSshd(options);
    try {
      const home = await TempHome.make();
      const lines = await Deno.readTextFile(sshd.configFile);
      const noWay = lines.replace("Host *\n", "Host *\n  ProxyCommand /bin/false\n");
      const shared = lines.replace(/^ *ControlPath none\n/m, "");
      return new StockRig(sshd, home, await home.write("config", shared), await home.write("no_way", noWay));
    } catch (error) {
      await sshd.stop();
      throw error;
    }
  }

  /** Runs `carpool` in this home. */
  async carpool(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    await using running = this.startCarpool(args, options);
    return await running.finished;
  }

  startCarpool(args: readonly string[], options: RunOptions = {}): Running {
    return startCarpool(args, { ...options, env: { ...this.env, ...options.env }, clearEnv: true });
  }

  /** Has Carpool make a master and bind it at {@linkcode socket}, for the stock client to ride. */
  async openMaster(args: readonly string[] = []): Promise<void> {
    const words = ["open", "-M", "-S", this.socket, "-F", this.configFile, ...args, "test"];
    const { code, stdout, stderr } = await this.carpool(words);
    if (code !== 0) throw new Deno.errors.InvalidData(`carpool open: ${code}: ${stdout}${stderr}`);
  }

  /** The arguments of a stock `ssh` that can only work over the control socket. */
  stockArgs(args: readonly string[], socket = this.socket): string[] {
    return ["-F", this.noWayConfig, "-S", socket, ...args];
  }

  stock(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(this.sshd.openssh.ssh, this.stockArgs(args), { env: this.env, clearEnv: true, ...options });
  }

  startStock(args: readonly string[], options: RunOptions = {}): Running {
    return start(this.sshd.openssh.ssh, this.stockArgs(args), { env: this.env, clearEnv: true, ...options });
  }

  /** A stock OpenSSH master at {@linkcode socket}, in the background: `ssh -M -N -f`. */
  async startStockMaster(args: readonly string[] = []): Promise<number> {
    const words = ["-F", this.configFile, "-M", "-N", "-f", "-S", this.socket];
    const detached = ["-o", "ControlPersist=no", ...args, "test"];
    // Its stderr must not be ours: whoever waits for its end would wait for the master's.
    await using ssh = start("/bin/sh", [
      "-c",
      'exec "$@" 2>/dev/null',
      "sh",
      this.sshd.openssh.ssh,
      ...words,
      ...detached,
    ], { env: this.env, clearEnv: true });
    const { code } = await ssh.finished;
    if (code !== 0) throw new Deno.errors.InvalidData(`ssh -M -N -f: ${code}`);
    const check = await this.stock(["-O", "check", "test"]);
    return Number(/pid=(\d+)/.exec(check.stderr + check.stdout)![1]);
  }

  /** Connects from this process, with the keeper of this home. */
  connect(options: ConnectOptions = {}): Promise<Host> {
    return this.connectTo("test", options);
  }

  connectTo(name: string, options: ConnectOptions = {}): Promise<Host> {
    return connect(name, {
      configFile: this.configFile,
      environment: this.env,
      prompter: {
        interactive: false,
        secret: () => Promise.resolve(null),
        line: () => Promise.resolve(null),
        notice: (message) => this.notices.push(message),
      },
      lanes: 1, // most tests count connections, and on a busy machine a lane could pay at any time
      ...options,
    });
  }

  /** As {@linkcode connect}, with ControlPath at {@linkcode socket} as ssh_config would have it. */
  connectAtSocket(options: ConnectOptions = {}): Promise<Host> {
    return this.connect({ configLines: [`ControlPath=${this.socket}`], ...options });
  }

  /** Pids of keepers, masters and whatever else runs in this home. */
  processes(): number[] {
    return processesMarked(this.home.path);
  }

  /** The keeper's pid, as `carpool masters` tells it. */
  async keeperPid(): Promise<number> {
    const masters = await this.masters();
    const ours = masters.find(({ kind }) => kind === "carpool");
    if (ours === undefined) throw new Deno.errors.NotFound("no master of Carpool's own");
    return ours.pid;
  }

  async masters(): Promise<{ kind: string; pid: number; sessions: number; controlPath: string }[]> {
    return JSON.parse((await this.carpool(["masters", "--output", "json"])).stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let pids = this.processes(); pids.length > 0; pids = this.processes()) {
      for (const pid of pids) signalProcess(pid, "SIGKILL");
      await gone(pids);
    }
    await this.sshd.stop();
    await this.home[Symbol.asyncDispose]();
  }
}
