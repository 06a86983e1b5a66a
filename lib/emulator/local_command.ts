import type { ServerSession } from "./server_session.ts";

/** Names that would change how programs are loaded; a client may not set them, and Deno may not pass them. */
const LOADER_VARIABLES = /^(LD_|DYLD_)/;

export interface LocalCommandOptions {
  readonly home: string;
  readonly user: string;
  /** `PATH` of the commands. */
  readonly path: string;
}

/** Runs one exec request by `sh -c`, in a process group of its own, with the session as its standard streams. */
export class LocalCommand {
  readonly #session: ServerSession;
  readonly #options: LocalCommandOptions;
  readonly #child: Deno.ChildProcess;
  #over = false;
  /** Settles when the command is over and all its output has been sent; never rejects. */
  readonly done: Promise<void>;

  /** @throws {Deno.errors.NotCapable} when this program may not run `sh` */
  constructor(command: string, session: ServerSession, options: LocalCommandOptions) {
    this.#session = session;
    this.#options = options;
    this.#child = new Deno.Command("sh", {
      args: ["-c", command],
      cwd: options.home,
      clearEnv: true,
      env: this.#environment(),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    session.onSignal = (name) => this.signal(name);
    session.closed.then(() => this.signal("HUP"));
    this.#feed();
    this.done = this.#run();
  }

  /** Sends a signal to the command and all that it started, as sshd does. */
  signal(name: string): void {
    if (this.#over || !/^[A-Z0-9]{1,12}$/.test(name)) return;
    // Deno.kill wants permission to run anything; a shell that may run anyway can do the same.
    new Deno.Command("sh", {
      args: ["-c", `kill -s ${name} -- -${this.#child.pid}`],
      clearEnv: true,
      env: { PATH: this.#options.path },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output().catch(() => {}); // no such process: it is over
  }

  #environment(): Record<string, string> {
    const { home, user, path } = this.#options;
    const sent = [...this.#session.env].filter(([name]) => !LOADER_VARIABLES.test(name));
    return {
      ...Object.fromEntries(sent),
      HOME: home,
      USER: user,
      LOGNAME: user,
      SHELL: "/bin/sh",
      PATH: path,
    };
  }

  #feed(): void {
    const stdin = this.#child.stdin.getWriter();
    // A command that does not read its input, or is over, is no error of ours.
    this.#session.receive(
      (bytes) => stdin.write(bytes).catch(() => {}),
      () => void stdin.close().catch(() => {}),
    );
    this.#child.status.then(() => stdin.close()).catch(() => {});
  }

  async #run(): Promise<void> {
    const pump = async (stream: "stdout" | "stderr") => {
      for await (const bytes of this.#child[stream]) await this.#session.write(bytes, stream);
    };
    const [status] = await Promise.all([this.#child.status, pump("stdout"), pump("stderr")]);
    this.#over = true;
    await this.#session.exit(status.signal ? status.signal.replace(/^SIG/, "") : status.code);
  }
}
