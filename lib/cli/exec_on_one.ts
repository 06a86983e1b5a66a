import { CarpoolError, TargetError, UsageError } from "../base/errors.ts";
import { connect, type ConnectOptions } from "../host/connect.ts";
import type { ExecOptions } from "../host/exec_options.ts";
import type { Host } from "../host/host.ts";
import type { RemoteProcess } from "../host/remote_process.ts";
import { plainText } from "../report/plain_text.ts";
import { exitStatus } from "./exit_status.ts";
import { Interrupts } from "./terminal.ts";
import { write } from "./write.ts";

/** What {@linkcode execOnOne} may be given. */
export interface ExecOnOneOptions extends Pick<ExecOptions, "cwd" | "env" | "timeoutMs"> {
  readonly target: ConnectOptions;
  /** Whether a standard input that is no terminal is passed on. */
  readonly stdin: boolean;
  /** A terminal on the host. */
  readonly tty: boolean;
  /** Called once the command is over, while its host is still there. */
  readonly remember?: (host: Host) => Promise<void>;
}

/**
 * Runs a command on one host as if it ran here: its bytes go out as they come, its exit status is returned, Ctrl-C
 * reaches it. 255 when it never ran, when a signal ended it, or when its end is not known; 130 after Ctrl-C.
 */
export async function execOnOne(
  destination: string,
  command: string,
  options: ExecOnOneOptions,
): Promise<number> {
  let process: RemoteProcess | undefined;
  // The first Ctrl-C goes to the command, which may handle it; until there is one, and for other signals, it gives up.
  const giveUp = new AbortController();
  using interrupts = new Interrupts((signal) => {
    if (process !== undefined && signal === "SIGINT") process.kill("INT");
    else giveUp.abort(interrupts.signal.reason);
  });
  try {
    await using host = await connect(destination, { ...options.target, signal: giveUp.signal });
    using terminal = new LocalTerminal(options.tty);
    const { cwd, env, timeoutMs } = options;
    process = await host.spawn(command, { cwd, env, timeoutMs, pty: terminal.pty, signal: giveUp.signal });
    terminal.follow(process);
    const input = passInput(process, options.tty || (options.stdin && !Deno.stdin.isTerminal()));
    const output = [passOutput(process, "stdout"), passOutput(process, "stderr")];
    const status = await process.status;
    const unread = (await Promise.all(output)).includes("unread");
    input.stop();
    await options.remember?.(host);
    if (status.outcome === "exited" && !status.timedOut) return status.code ?? exitStatus.sshFailed;
    if (interrupts.signal.aborted) return exitStatus.interrupted;
    if (unread) return exitStatus.unread;
    const why = status.timedOut
      ? "it ran out of time"
      : status.outcome === "signalled"
      ? `SIG${status.signal} ended it`
      : undefined;
    const what = "The command did not end by itself";
    say(why === undefined && status.error ? status.error.message : `${what}: ${host.where}: ${why}`);
    return exitStatus.sshFailed;
  } catch (error) {
    if (interrupts.signal.aborted) return exitStatus.interrupted;
    // Wrong use stays wrong use; everything else that is ours means that the command never ran.
    if (error instanceof UsageError || error instanceof TargetError || !(error instanceof CarpoolError)) {
      throw error;
    }
    say(error.message);
    return exitStatus.sshFailed;
  }
}

function say(message: string): void {
  write(`carpool: ${plainText(message)}\n`, "stderr");
}

async function passOutput(process: RemoteProcess, stream: "stdout" | "stderr"): Promise<"read" | "unread"> {
  try {
    await process[stream].pipeTo(Deno[stream].writable, { preventClose: true });
    return "read";
  } catch (error) {
    // Whoever read our output has gone (`| head`): the command hears of it as it would here.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    process.stopOutput();
    return "unread";
  }
}

function passInput(process: RemoteProcess, wanted: boolean): { stop(): void } {
  if (!wanted) {
    process.stdin.close().catch(() => {/* it has ended already */});
    return { stop: () => {} };
  }
  const stop = new AbortController();
  Deno.stdin.readable.pipeTo(process.stdin, { signal: stop.signal }).catch(() => {
    // The command ended, or closed its input, before ours did: no failure, and its status says the rest.
  });
  return { stop: () => stop.abort() };
}

/** This side's terminal while the host has one too: raw, so that keys go there unread, and followed in size. */
class LocalTerminal implements Disposable {
  readonly pty: ExecOptions["pty"];
  readonly #raw: boolean;
  #resize: (() => void) | undefined;

  constructor(wanted: boolean) {
    this.#raw = wanted && Deno.stdin.isTerminal();
    const size = this.#raw ? Deno.consoleSize() : { columns: 80, rows: 24 };
    this.pty = wanted ? { ...size, term: Deno.env.get("TERM") } : undefined;
    if (this.#raw) Deno.stdin.setRaw(true);
  }

  /** Tells the process when the window changes its size. */
  follow(process: RemoteProcess): void {
    if (!this.#raw || Deno.build.os === "windows") return;
    this.#resize = () => {
      const { columns, rows } = Deno.consoleSize();
      process.resize(columns, rows);
    };
    Deno.addSignalListener("SIGWINCH", this.#resize);
  }

  [Symbol.dispose](): void {
    if (this.#raw) Deno.stdin.setRaw(false);
    if (this.#resize) Deno.removeSignalListener("SIGWINCH", this.#resize);
  }
}
