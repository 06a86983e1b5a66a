import type { CloseInfo } from "../../lib/channel/link.ts";
import { commandLine } from "../../lib/host/command_line.ts";
import type { CopyOptions, CopyResult } from "../../lib/host/copy_options.ts";
import type { ExecOptions, ExecResult } from "../../lib/host/exec_options.ts";
import type { JobHost, JobProcess } from "../../lib/job/job_host.ts";

/** This machine as a host: commands run in a real `sh`, with no connection between. */
export class LocalHost implements JobHost {
  readonly where = "local";
  readonly closed: Promise<CloseInfo>;
  /** Exec strings, as a server would get them. */
  readonly lines: string[] = [];
  readonly #env: Readonly<Record<string, string>>;
  readonly #close: (info: CloseInfo) => void;

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#close = resolve;
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const process = await this.spawn(command, options);
    await process.stdin.close().catch(() => {});
    const [stdout, stderr, status] = await Promise.all([
      new Response(process.stdout).text(),
      new Response(process.stderr).text(),
      process.status,
    ]);
    const { code, signal, success, outcome } = status;
    const told = { stdout, stderr, durationMs: 0, timedOut: false, command, host: this.where };
    return { code, signal, success, outcome, ...told };
  }

  spawn(command: string, options: Omit<ExecOptions, "stdin"> = {}): Promise<JobProcess> {
    const line = commandLine(command, options);
    this.lines.push(line);
    const child = new Deno.Command("sh", {
      args: ["-c", line],
      env: { SHELL: "/bin/sh", ...this.#env },
      // A session of its own, as sshd gives each command: one that ends its group must not end the tests.
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let timedOut = false;
    const end = () => {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself meanwhile.
      }
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
      timedOut = true;
      end();
    }, options.timeoutMs);
    options.signal?.addEventListener("abort", end, { once: true });
    const status = child.status.then(({ code, success, signal }) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", end);
      return signal === null
        ? { code, signal: null, success, outcome: "exited" as const, timedOut }
        : { code: null, signal: signal.slice(3), success, outcome: "signalled" as const, timedOut };
    });
    return Promise.resolve({ stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, status });
  }

  async copy(local: string, remote: string, _options: CopyOptions = {}): Promise<CopyResult> {
    await Deno.copyFile(local, remote);
    return { files: 1, directories: 0, symlinks: 0, bytes: 1, durationMs: 0, skipped: 0, resumedBytes: 0 };
  }

  fetch(remote: string, local: string): Promise<CopyResult> {
    return this.copy(remote, local);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close({ how: "closed", why: "closed" });
    return Promise.resolve();
  }
}
