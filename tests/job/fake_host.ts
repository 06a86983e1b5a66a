import { CarpoolError, type Outcome } from "../../lib/base/errors.ts";
import type { CloseInfo } from "../../lib/channel/link.ts";
import type { CopyOptions, CopyResult } from "../../lib/host/copy_options.ts";
import type { ExecOptions, ExecResult } from "../../lib/host/exec_options.ts";
import type { JobHost, JobProcess } from "../../lib/job/job_host.ts";

/** What a command on a fake host does. */
export interface FakeAnswer {
  readonly code?: number;
  readonly signal?: string;
  readonly outcome?: Outcome;
  readonly stdout?: string | readonly Uint8Array[];
  readonly stderr?: string;
  readonly timedOut?: boolean;
  /** The command ends when this does, or when it is aborted. */
  readonly until?: Promise<unknown>;
  /** The connection is lost with it. */
  readonly loses?: boolean;
}

/** What a command is told about itself. */
export interface FakeCall {
  readonly command: string;
  readonly options: Omit<ExecOptions, "stdin">;
  /** How often this host got this command before. */
  readonly before: number;
}

/** A host in memory: answers commands by a function, notes what it was asked, never opens a socket. */
export class FakeHost implements JobHost {
  readonly where: string;
  readonly closed: Promise<CloseInfo>;
  readonly calls: string[] = [];
  readonly options: Omit<ExecOptions, "stdin">[] = [];
  running = 0;
  mostRunning = 0;
  disposed = 0;
  copyAnswer: (from: string, to: string, options: CopyOptions) => Promise<CopyResult> = () =>
    Promise.resolve({
      files: 1,
      skipped: 0,
      directories: 0,
      symlinks: 0,
      bytes: 5,
      resumedBytes: 0,
      durationMs: 1,
    });
  readonly #answer: (call: FakeCall) => FakeAnswer;
  readonly #close: (info: CloseInfo) => void;

  constructor(where: string, answer: (call: FakeCall) => FakeAnswer = () => ({})) {
    this.where = where;
    this.#answer = answer;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#close = resolve;
  }

  lose(): void {
    this.#close({ how: "lost", why: "the server closed the connection" });
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const process = await this.spawn(command, options);
    const [stdout, stderr, status] = await Promise.all([
      new Response(process.stdout).text(),
      new Response(process.stderr).text(),
      process.status,
    ]);
    if (status.error) throw status.error;
    const { code, signal, success, outcome } = status;
    const told = { stdout, stderr, durationMs: 0, timedOut: false, command, host: this.where };
    return { code, signal, success, outcome, ...told };
  }

  /** A command that no process list may show comes on standard input: it is taken for what it is. */
  async spawn(command: string, options: Omit<ExecOptions, "stdin"> = {}): Promise<JobProcess> {
    const end = /^exec sh -c 'eval "\$\(sed \/\^(#[\w-]+)\/q\)"'$/.exec(command)?.[1];
    if (end === undefined) return this.#start(command, options);
    const started = Promise.withResolvers<JobProcess>();
    let script = "";
    const stdin = new WritableStream<Uint8Array>({
      write: (bytes) => {
        script += new TextDecoder().decode(bytes);
        if (script.includes(`\n${end}\n`)) started.resolve(this.#start(hiddenIn(script), options));
      },
    });
    const late = <T>(stream: (process: JobProcess) => ReadableStream<T>) => {
      const { readable, writable } = new TransformStream<T>();
      started.promise.then((process) => stream(process).pipeTo(writable)).catch(() => {});
      return readable;
    };
    return await Promise.resolve({
      stdin,
      stdout: late(({ stdout }) => stdout),
      stderr: late(({ stderr }) => stderr),
      status: started.promise.then(({ status }) => status),
    });
  }

  #start(command: string, options: Omit<ExecOptions, "stdin">): JobProcess {
    const before = this.calls.filter((one) => one === command).length;
    this.calls.push(command);
    this.options.push(options);
    const answer = this.#answer({ command, options, before });
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const { outcome = answer.signal ? "signalled" : "exited", code = 0 } = answer;
    const out = typeof answer.stdout === "string"
      ? [new TextEncoder().encode(answer.stdout)]
      : answer.stdout ?? [];
    const status = async () => {
      const aborted = Promise.withResolvers<"aborted">();
      const abort = () => aborted.resolve("aborted");
      options.signal?.addEventListener("abort", abort, { once: true });
      if (options.signal?.aborted) abort();
      const how = answer.until ? await Promise.race([answer.until, aborted.promise]) : undefined;
      options.signal?.removeEventListener("abort", abort);
      this.running--;
      if (answer.loses) this.lose();
      if (how === "aborted") {
        return { code: null, signal: "TERM", success: false, outcome: "signalled" as const };
      }
      const success = outcome === "exited" && code === 0;
      const error = outcome === "unknown" || outcome === "not-started"
        ? new CarpoolError("fake", { what: "It broke", where: this.where, outcome })
        : undefined;
      return {
        code: outcome === "exited" ? code : null,
        signal: answer.signal ?? null,
        success,
        outcome,
        timedOut: answer.timedOut ?? false,
        error,
      };
    };
    return {
      stdin: new WritableStream<Uint8Array>(),
      stdout: ReadableStream.from(out),
      stderr: ReadableStream.from(answer.stderr ? [new TextEncoder().encode(answer.stderr)] : []),
      status: status(),
    };
  }

  copy(from: string, to: string, options: CopyOptions = {}): Promise<CopyResult> {
    this.calls.push(`copy ${from} ${to}`);
    return this.copyAnswer(from, to, options);
  }

  fetch(from: string, to: string, options: CopyOptions = {}): Promise<CopyResult> {
    this.calls.push(`fetch ${from} ${to}`);
    return this.copyAnswer(from, to, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
    this.#close({ how: "closed", why: "closed" });
    return Promise.resolve();
  }
}

/** The command in the script that `hiddenCommand` makes. */
function hiddenIn(script: string): string {
  const quoted = /^CARPOOL_STEP='(.*?)'; export CARPOOL_STEP$/ms.exec(script)?.[1] ?? "";
  return quoted.replaceAll("'\\''", "'");
}
