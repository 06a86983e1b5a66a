import { printable } from "./printable.ts";
import type { Prompter } from "./prompter.ts";

/** What a prompter asks on: `/dev/tty`, or the terminal that standard input is. */
interface Terminal extends Disposable {
  read(buffer: Uint8Array): Promise<number | null>;
  writeSync(bytes: Uint8Array): number;
  setRaw(raw: boolean): void;
}

/** One question at a time on the one terminal of this process, whoever asks. */
let queue: Promise<unknown> = Promise.resolve();

/** Asks on the terminal; never touches standard output. */
export class TerminalPrompter implements Prompter {
  readonly interactive = true;
  readonly #path: string;

  constructor(path = "/dev/tty") {
    this.#path = path;
  }

  secret(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, false, signal);
  }

  line(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, true, signal);
  }

  notice(message: string): void {
    console.error(printable(message).replace(/\n$/, ""));
  }

  #ask(prompt: string, echo: boolean, signal: AbortSignal | undefined): Promise<string | null> {
    const asked = queue.then(() => {
      signal?.throwIfAborted();
      return ask(this.#path, printable(prompt), echo, signal);
    });
    queue = asked.catch(() => {});
    return asked;
  }
}

/** Whether this process has a terminal to ask on. */
export function hasTerminal(path = "/dev/tty"): boolean {
  try {
    using terminal = openTerminal(path);
    return terminal !== undefined;
  } catch {
    return false;
  }
}

function openTerminal(path: string): Terminal | undefined {
  try {
    const file = Deno.openSync(path, { read: true, write: true });
    if (file.isTerminal()) return file;
    file.close();
  } catch {
    // no controlling terminal, or it must not be opened: perhaps standard input is one
  }
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) return undefined;
  return {
    read: (buffer) => Deno.stdin.read(buffer),
    writeSync: (bytes) => Deno.stderr.writeSync(bytes),
    setRaw: (raw) => Deno.stdin.setRaw(raw),
    [Symbol.dispose]: () => {},
  };
}

async function ask(
  path: string,
  prompt: string,
  echo: boolean,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const terminal = openTerminal(path);
  if (terminal === undefined) return null;
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  interrupted.catch(() => {});
  const abort = () => reject(signal!.reason);
  const guard = new RawMode(terminal);
  try {
    signal?.addEventListener("abort", abort, { once: true });
    terminal.writeSync(new TextEncoder().encode(prompt));
    // Raw for answers with echo too: only so can an abort leave nothing half-typed to the next reader.
    guard.enter();
    const answer = await Promise.race([readAnswer(terminal, echo), interrupted]);
    if (answer !== INTERRUPTED) return answer;
  } finally {
    signal?.removeEventListener("abort", abort);
    guard.leave();
    terminal.writeSync(new TextEncoder().encode("\r\n"));
    terminal[Symbol.dispose](); // cancels a read that is still waiting
  }
  // What the terminal would have done, were it not raw; only now that it no longer is.
  Deno.kill(Deno.pid, "SIGINT");
  return null;
}

const INTERRUPTED = Symbol("interrupted");

const ENDING = ["SIGTERM", "SIGHUP"] as const;

/** Raw mode that is left again even when the process is told to end. */
class RawMode {
  readonly #terminal: Terminal;
  readonly #onSignal = new Map<Deno.Signal, () => void>();
  #raw = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  enter(): void {
    this.#terminal.setRaw(true);
    this.#raw = true;
    if (Deno.build.os === "windows") return;
    for (const signal of ENDING) {
      const handler = () => {
        this.leave();
        Deno.kill(Deno.pid, signal);
      };
      this.#onSignal.set(signal, handler);
      Deno.addSignalListener(signal, handler);
    }
  }

  leave(): void {
    for (const [signal, handler] of this.#onSignal) Deno.removeSignalListener(signal, handler);
    this.#onSignal.clear();
    if (this.#raw) this.#terminal.setRaw(false);
    this.#raw = false;
  }
}

const [CTRL_C, CTRL_D, BACKSPACE, CTRL_U, CTRL_W, DELETE] = [3, 4, 8, 21, 23, 127];

/** Reads up to Enter; null for Ctrl-D on an empty line. */
async function readAnswer(terminal: Terminal, echo: boolean): Promise<string | null | typeof INTERRUPTED> {
  const typed: number[] = [];
  const show = (text: string) => {
    if (echo) terminal.writeSync(new TextEncoder().encode(text));
  };
  const buffer = new Uint8Array(256);
  try {
    while (true) {
      const length = await terminal.read(buffer);
      if (length === null || length === 0) return null;
      for (const byte of buffer.subarray(0, length)) {
        if (byte === 10 || byte === 13) return new TextDecoder().decode(new Uint8Array(typed));
        if (byte === CTRL_C) return INTERRUPTED;
        if (byte === CTRL_D && typed.length === 0) return null;
        if (byte === BACKSPACE || byte === DELETE) {
          if (removeLastCharacter(typed)) show("\b \b");
        } else if (byte === CTRL_U || byte === CTRL_W) {
          while (removeLastCharacter(typed)) show("\b \b");
        } else if (byte >= 32 && typed.length < 4096) {
          typed.push(byte);
          if (echo) terminal.writeSync(new Uint8Array([byte]));
        }
      }
    }
  } finally {
    buffer.fill(0);
    typed.fill(0);
  }
}

/** Takes away the bytes of one UTF-8 character. */
function removeLastCharacter(typed: number[]): boolean {
  let byte = typed.pop();
  const had = byte !== undefined;
  while (byte !== undefined && (byte & 0xc0) === 0x80) byte = typed.pop();
  return had;
}
