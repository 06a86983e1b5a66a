/** Runs programs for tests: bytes in, bytes out, a deadline, and nothing left running. */
import { CarpoolError } from "../../lib/base/errors.ts";
import { gone, processesUnder, signalProcess } from "./processes.ts";

export interface RunOptions {
  /** Added to the test's environment; with `clearEnv`, all of it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default false. */
  readonly clearEnv?: boolean;
  /** Default: the test's. */
  readonly cwd?: string;
  /** What the program reads; default nothing at all. */
  readonly stdin?: string | Uint8Array;
  /** After this it is killed with all its children, and `run` rejects; default 60,000 ms. */
  readonly deadlineMs?: number;
}

export interface RunResult {
  readonly success: boolean;
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
}

/**
 * Runs `program` to its end, whatever its exit status.
 *
 * @throws {CarpoolError} `deadline` when it takes longer than `deadlineMs`.
 */
export async function run(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  await using running = start(program, args, options);
  return await running.finished;
}

/** A program that was started; disposing kills it and its children by their pids, and waits for its end. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Settles when it has ended and its output is complete. */
  readonly finished: Promise<RunResult>;
  /** What it has written so far. */
  output(): { readonly stdout: string; readonly stderr: string };
  /** Waits until its output (stdout, or stderr if `stream` says so) matches; rejects when it ends without. */
  waitFor(pattern: RegExp, stream?: "stdout" | "stderr"): Promise<RegExpExecArray>;
  kill(signal?: Deno.Signal): void;
}

/** Starts `program` without waiting for its end. */
export function start(program: string, args: readonly string[] = [], options: RunOptions = {}): Running {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...options.env },
    clearEnv: options.clearEnv,
    cwd: options.cwd,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return new RunningChild(program, child, options);
}

class RunningChild implements Running {
  readonly pid: number;
  readonly finished: Promise<RunResult>;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Captured;
  readonly #stderr: Captured;
  #ended = false;
  #late = false;

  constructor(program: string, child: Deno.ChildProcess, options: RunOptions) {
    this.pid = child.pid;
    this.#child = child;
    this.#stdout = new Captured(child.stdout);
    this.#stderr = new Captured(child.stderr);
    this.finished = this.#finish(program, options);
    // Whoever disposes without looking at the result must not fail for it.
    this.finished.catch(() => {});
  }

  async #finish(program: string, options: RunOptions): Promise<RunResult> {
    const { deadlineMs = 60_000, stdin } = options;
    let ending: Promise<void> | undefined;
    const timer = setTimeout(() => {
      this.#late = true;
      ending = this.#end();
    }, deadlineMs);
    try {
      const fed = stdin === undefined ? undefined : feed(this.#child.stdin, stdin);
      const [status] = await Promise.all([this.#child.status, this.#stdout.done, this.#stderr.done, fed]);
      await ending;
      const [stdoutBytes, stderrBytes] = [this.#stdout.bytes(), this.#stderr.bytes()];
      const [stdout, stderr] = [this.#stdout.text(), this.#stderr.text()];
      if (this.#late) throw tooLate(program, deadlineMs, `${stdout}${stderr}`);
      return { ...status, stdout, stderr, stdoutBytes, stderrBytes };
    } finally {
      clearTimeout(timer);
      this.#ended = true;
    }
  }

  output(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: this.#stdout.text(), stderr: this.#stderr.text() };
  }

  waitFor(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    return (stream === "stdout" ? this.#stdout : this.#stderr).waitFor(pattern);
  }

  kill(signal: Deno.Signal = "SIGTERM"): void {
    signalProcess(this.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#end();
    await this.finished.catch(() => {});
  }

  async #end(): Promise<void> {
    const pids = [this.pid, ...processesUnder(this.pid).map((child) => child.pid)];
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    // A daemon that the program left behind may hold its output open for ever.
    this.#stdout.cancel();
    this.#stderr.cancel();
    await gone(pids);
  }
}

/** One output stream, kept whole. */
class Captured {
  readonly done: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  readonly #waiting = new Set<() => void>();
  #ended = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.done = this.#read();
  }

  async #read(): Promise<void> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
      this.#chunks.push(read.value);
      for (const wake of this.#waiting) wake();
    }
    this.#ended = true;
    for (const wake of this.#waiting) wake();
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    return whole;
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    while (true) {
      const match = stateless.exec(this.text());
      if (match) return match;
      if (this.#ended) {
        throw new CarpoolError("not-in-output", {
          what: "Cannot find what a program should print",
          why: `it ended without ${pattern}, having printed:\n${this.text().slice(-2000)}`,
        });
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
  }

  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }
}

/** A program may end without reading what it was given: that shows in its status, not here. */
async function feed(stdin: WritableStream<Uint8Array>, data: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function tooLate(program: string, deadlineMs: number, output: string): CarpoolError {
  return new CarpoolError("deadline", {
    what: "Cannot wait any longer for a program",
    where: program,
    why: `it had not ended after ${deadlineMs} ms, and had printed:\n${output.slice(-2000)}`,
  });
}
