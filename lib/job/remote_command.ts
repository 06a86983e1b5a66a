import type { RunEvent } from "../base/run_event.ts";
import { asUser, passwordRefused, UserGate, userMarks } from "./as_user.ts";
import { type Attempt, errorInfo } from "./attempt.ts";
import { hiddenCommand } from "./hidden_command.ts";
import { chunksOf, type JobHost, type JobProcess } from "./job_host.ts";
import { type CommandInput, LocalInput } from "./local_input.ts";
import type { Questions } from "./questions.ts";
import type { StepUser } from "./step.ts";

const encoder = new TextEncoder();

/** A command of a step, with what it reads. */
export interface RemoteCommand {
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly user?: StepUser | undefined;
  /** For its standard input; default: nothing, at once at its end. */
  readonly input?: CommandInput;
  /** Where its output goes, instead of into events: bytes, as they arrive. */
  readonly onStdout?: (bytes: Uint8Array) => void | Promise<void>;
  /** Whether no process list may show it. */
  readonly secret?: boolean | undefined;
  /** Whether nothing of it goes into events: a look, not the step itself. */
  readonly silent?: boolean;
}

/** What running a command needs of its run. */
export interface CommandContext {
  readonly host: string;
  readonly signal: AbortSignal;
  emit(event: RunEvent): Promise<void>;
  readonly questions?: Questions | undefined;
  /** Whether a text has something in it that must not be seen in a process list; default: none has. */
  readonly hides?: ((text: string) => boolean) | undefined;
}

/** Runs a command of a step and tells its output as events. Rejects when it could not be started. */
export async function runCommand(
  host: JobHost,
  asked: RemoteCommand,
  step: string,
  context: CommandContext,
): Promise<Attempt> {
  const remote = hidden(asked, context);
  const { env, cwd, timeoutMs, user, input } = remote;
  const { signal } = context;
  signal.throwIfAborted();
  const marks = user && userMarks();
  const gate = user && marks && new UserGate(user, marks);
  // The account of the connection may not signal another one's processes: they are told on standard input. The word goes
  // first, because the signal may end what passes the input on.
  const told = gate !== undefined && input === undefined;
  const ending = new AbortController();
  let feeding: Input | undefined;
  const sayStop = async () => {
    if (told && gate.begun) await feeding?.send(encoder.encode(`${marks!.stop}\n`));
  };
  const abort = () => void sayStop().finally(() => ending.abort(signal.reason));
  signal.addEventListener("abort", abort, { once: true });
  // Behind sudo the clock is ours: whoever types a password must not run out of the step's time.
  let over = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const clock = {
    stop: () => clearTimeout(timer),
    start: () => {
      clearTimeout(timer);
      if (gate === undefined || timeoutMs === undefined) return;
      timer = setTimeout(() => {
        over = true;
        void sayStop().finally(() => ending.abort(new DOMException("timed out", "TimeoutError")));
      }, timeoutMs);
    },
  };
  try {
    const options = { signal: ending.signal };
    const process = user && marks
      ? await host.spawn(asUser(user, { ...remote, readsInput: input !== undefined }, marks), options)
      : await host.spawn(remote.command, { env, cwd, timeoutMs, ...options });
    feeding = new Input(process);
    clock.start();
    const attempt = await listen(host, remote, step, context, { process, feeding, gate, clock });
    return over && attempt.status === "failed" ? { ...attempt, timedOut: true } : attempt;
  } finally {
    clock.stop();
    signal.removeEventListener("abort", abort);
  }
}

/**
 * The command, and its variables and directory, on standard input where a process list must not show them. Not where
 * the input is taken: by a command of another account, or by what a command of ours reads.
 */
function hidden(remote: RemoteCommand, { hides = () => false }: CommandContext): RemoteCommand {
  const { command, env = {}, cwd, user, input, secret } = remote;
  if (user !== undefined || input !== undefined) return remote;
  if (!secret && ![command, cwd ?? "", ...Object.values(env)].some(hides)) return remote;
  return { ...remote, ...hiddenCommand(command, { env, cwd }), env: {}, cwd: undefined };
}

/** A command that was started, and what is known of the account it is for. */
interface Started {
  readonly process: JobProcess;
  readonly feeding: Input;
  readonly gate: UserGate | undefined;
  /** Of the step's timeout. */
  readonly clock: { stop(): void; start(): void };
}

async function listen(
  host: JobHost,
  { user, input, ...remote }: RemoteCommand,
  step: string,
  context: CommandContext,
  { process, feeding, gate, clock }: Started,
): Promise<Attempt> {
  const { signal, emit } = context;
  // A command that reads its input must see its end, not wait for us. Behind sudo, the password comes first.
  if (!gate) feeding.finish(input);
  let bytes = 0;
  let said = "";
  let refused: unknown;
  const tell = async (stream: "stdout" | "stderr", text: string) => {
    if (text === "" || remote.silent) return;
    if (stream === "stderr") said = (said + text).slice(-500);
    await emit({ type: "step-output", atMs: Date.now(), host: context.host, step, stream, text });
  };
  const become = async (text: string) => {
    const { text: own, act } = gate!.push(text);
    // Without input of its own, it is where the command hears that it is to end.
    if (act === "begun" && input !== undefined) feeding.finish(input);
    if (act === "refused") {
      refused = passwordRefused(user!, host.where);
      feeding.finish();
    }
    if (act === "send-password") {
      try {
        clock.stop();
        const password = await context.questions?.password(user!, signal);
        clock.start();
        void feeding.send(encoder.encode(`${password ?? ""}\n`));
      } catch (error) {
        refused = error;
        feeding.finish();
      }
    }
    await tell("stderr", own);
  };
  const pump = async (stream: "stdout" | "stderr") => {
    const decoder = new TextDecoder();
    for await (const chunk of chunksOf(process, stream)) {
      bytes += chunk.byteLength;
      if (stream === "stdout" && remote.onStdout) {
        await remote.onStdout(chunk);
        continue;
      }
      const text = decoder.decode(chunk, { stream: true });
      if (stream === "stderr" && gate) await become(text);
      else await tell(stream, text);
    }
    await tell(stream, decoder.decode());
    if (stream === "stderr" && gate && !gate.begun) await tell(stream, gate.end());
  };
  const pumped = await Promise.allSettled([pump("stdout"), pump("stderr")]);
  const status = await process.status;
  feeding.drop();
  const { outcome, code, timedOut = false, error } = status;
  const ended = {
    outcome,
    code,
    signal: status.signal,
    timedOut,
    bytes,
    ...(error === undefined ? {} : { error: errorInfo(error) }),
  };
  // What `sudo` or `su` said when they gave up is no end of the command: that never began.
  if (refused !== undefined) {
    return { ...ended, status: signal.aborted ? "interrupted" : "failed", error: errorInfo(refused) };
  }
  if (gate && !gate.begun && outcome === "exited" && user) {
    const parts = passwordRefused(user, host.where);
    const why = said.trim().split("\n").at(-1) ?? "";
    const message = why === ""
      ? `${parts.what}: ${host.where}: exit status ${code}`
      : `${parts.what}: ${host.where}: ${why}`;
    return { ...ended, status: "failed", error: { code: "user-failed", message } };
  }
  if (outcome === "not-started") return { ...ended, status: "not-started" };
  if (signal.aborted && !status.success) return { ...ended, status: "interrupted" };
  if (outcome === "unknown") return { ...ended, status: "unknown" };
  if (input instanceof LocalInput && input.failure !== undefined) {
    return { ...ended, status: "failed", error: errorInfo(input.failure) };
  }
  if (status.success && pumped.some((one) => one.status === "rejected")) {
    const lost = pumped.find((one) => one.status === "rejected")?.reason;
    const message = remote.onStdout && lost instanceof Error ? lost.message : "its output was cut off";
    return { ...ended, status: "failed", error: { code: "output-lost", message } };
  }
  return { ...ended, status: status.success && !timedOut ? "ok" : "failed" };
}

/** The standard input of a command; one that ends without reading everything is no failure. */
class Input {
  readonly #process: JobProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #finished = false;

  constructor(process: JobProcess) {
    this.#process = process;
  }

  /** Whether it could be sent; never rejects: a process that ends does not read. */
  async send(bytes: Uint8Array): Promise<boolean> {
    if (this.#finished) return false;
    return await this.#write(bytes);
  }

  finish(input?: CommandInput): void {
    if (this.#finished) return;
    this.#finished = true;
    if (input instanceof LocalInput) return void this.#pump(input).then(() => this.#close());
    if (input && input.byteLength > 0) void this.#write(input);
    this.#close();
  }

  async #pump(input: LocalInput): Promise<void> {
    for await (const piece of input.read()) {
      if (!await this.#write(piece)) return;
    }
  }

  #write(bytes: Uint8Array): Promise<boolean> {
    this.#writer ??= this.#process.stdin.getWriter();
    return this.#writer.write(bytes).then(() => true, () => false /* it has ended already */);
  }

  #close(): void {
    // A stream of its own costs more than the whole of a short command.
    if (this.#writer === undefined && this.#process.endInput) return this.#process.endInput();
    const closed = this.#writer ? this.#writer.close() : this.#process.stdin.close();
    closed.catch(() => {/* it has ended already */});
  }

  /** The command has ended: nobody reads any more. */
  drop(): void {
    this.finish();
  }
}
