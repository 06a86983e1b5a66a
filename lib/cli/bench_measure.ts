import { CarpoolError } from "../base/errors.ts";
import { connect, type ConnectOptions, controlPathFor } from "../host/connect.ts";
import { findSsh } from "../master/openssh_master.ts";
import { SameConfig } from "../master/same_config.ts";
import { noPrompter } from "../target/prompter.ts";
import { type Found, median } from "./bench_report.ts";
import { noTemporary } from "./no_temporary.ts";

/** What is measured, and within which bounds. */
export interface BenchOptions {
  readonly target: ConnectOptions;
  /** The same options as `ssh` takes them. */
  readonly sshOptions: readonly string[];
  readonly rounds: number;
  /** No further round is begun after so long, in milliseconds. */
  readonly budgetMs: number;
  /** The user's: breaks off everything, and the call rejects with its reason. */
  readonly signal: AbortSignal;
  /** Breaks off what hangs; what was measured by then is answered, if it is anything. */
  readonly limit: AbortSignal;
  /** Called before each round, from 1. */
  readonly onRound: (round: number) => void;
}

/** Harmless, and as short as a command can be. */
const COMMAND = "true";

/** A shared command is so short that several of them disturb nobody. */
const SHARED_PER_ROUND = 5;

/** Of one program that is asked nothing: a question would be asked again for each connection. */
const UNASKED = ["-n", "-T", "-S", "none", "-o", "ControlMaster=no", "-o", "BatchMode=yes"];

/**
 * Runs `true` in three ways, in turns, the order reversed in every other round. Rejects when the shared connection
 * cannot be made; a way that does not work is named in the result instead.
 */
export async function measure(destination: string, options: BenchOptions): Promise<Found> {
  const { target, limit } = options;
  const signal = AbortSignal.any([options.signal, limit]);
  const until = performance.now() + options.budgetMs;
  const wasOpen = await controlPathFor(destination, target) !== undefined;
  const openedAt = performance.now();
  await using host = await connect(destination, { ...target, signal });
  const openedMs = performance.now() - openedAt;
  await host.exec(COMMAND, { signal });
  const logins: number[] = [];
  const ssh = await findSsh(host.target.environment);
  await using config = await SameConfig.make(host.target, target.configFile, temporaryFile);
  const shared = new Sampled("carpool, sharing one connection", async () => {
    const { outcome } = await host.exec(COMMAND, { signal });
    return outcome === "exited" ? undefined : "the command did not end by itself";
  });
  const perCommand = new Sampled("carpool, a connection for each command", async () => {
    const startedAt = performance.now();
    await using own = await connect(destination, { ...target, share: false, prompter: noPrompter, signal });
    logins.push(performance.now() - startedAt);
    await own.exec(COMMAND, { signal });
  });
  const newSsh = new Sampled("ssh, a new one each time", async () => {
    if (ssh === undefined) return "there is no ssh on PATH";
    const args = [...options.sshOptions, ...config.options, ...UNASKED, "--", destination, COMMAND];
    return await runSsh(ssh, args, host.target.environment, signal);
  });
  const ways = [shared, perCommand, newSsh];
  try {
    // Loads what connecting needs, which no command after the first pays for.
    await perCommand.sample(signal);
    perCommand.forget();
    logins.length = 0;
    for (let round = 1; round <= options.rounds && (round === 1 || performance.now() < until); round++) {
      options.onRound(round);
      for (const way of round % 2 === 1 ? ways : ways.toReversed()) {
        for (let at = 0; at < (way === shared ? SHARED_PER_ROUND : 1); at++) await way.sample(signal);
      }
    }
  } catch (error) {
    if (!limit.aborted || options.signal.aborted || shared.samplesMs.length === 0) throw error;
  }
  const openMs = !wasOpen ? openedMs : logins.length > 0 ? median(logins) : undefined;
  return { shared, perCommand, ssh: newSsh, openMs };
}

async function temporaryFile(): Promise<string> {
  try {
    return await Deno.makeTempFile({ prefix: "carpool-bench-", suffix: ".config" });
  } catch (error) {
    throw noTemporary(error);
  }
}

/** One way and its samples, until it fails. */
class Sampled {
  readonly name: string;
  readonly samplesMs: number[] = [];
  missing: string | undefined;
  readonly #work: () => Promise<string | undefined | void>;

  /** @param work runs one command; answers why it could not, if so */
  constructor(name: string, work: () => Promise<string | undefined | void>) {
    this.name = name;
    this.#work = work;
  }

  async sample(signal: AbortSignal): Promise<void> {
    if (this.missing !== undefined) return;
    const startedAt = performance.now();
    try {
      this.missing = await this.#work() ?? undefined;
    } catch (error) {
      if (signal.aborted || !(error instanceof CarpoolError)) throw error;
      this.missing = error.message;
    }
    if (this.missing === undefined) this.samplesMs.push(performance.now() - startedAt);
    else this.samplesMs.length = 0; // what worked only sometimes is not compared
  }

  forget(): void {
    this.samplesMs.length = 0;
  }
}

/** Answers why it failed, in ssh's own words, if it did. */
async function runSsh(
  ssh: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const command = new Deno.Command(ssh, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal,
  });
  const { success, code, stderr } = await command.output();
  signal.throwIfAborted(); // it was killed
  if (success) return undefined;
  const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  return said || `it ended with status ${code}`;
}
