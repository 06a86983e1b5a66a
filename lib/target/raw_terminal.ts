/**
 * Asks on standard input where it is a terminal and there is no shell to ask by. A read that was begun goes on after an
 * abort until a key is pressed: Deno cannot take it back.
 */
export async function askOnStandardInput(
  prompt: string,
  echo: boolean,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) return null;
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  interrupted.catch(() => {});
  const abort = () => reject(signal!.reason);
  const guard = new RawMode();
  try {
    signal?.addEventListener("abort", abort, { once: true });
    // Raw before the question stands there, or a quick answer would show. Raw for answers with echo too: only so does
    // an abort leave nothing half-typed to the next reader.
    guard.enter();
    write(prompt.replaceAll("\n", "\r\n"));
    const answer = await Promise.race([readAnswer(echo), interrupted]);
    if (answer !== INTERRUPTED) return answer;
  } finally {
    signal?.removeEventListener("abort", abort);
    guard.leave();
    write("\n");
  }
  // What the terminal would have done, were it not raw; only now that it no longer is.
  Deno.kill(Deno.pid, "SIGINT");
  // Another thread may take the signal a moment later; only a program that handles it gets an answer.
  await new Promise((resolve) => setTimeout(resolve, 100));
  return null;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

const INTERRUPTED = Symbol("interrupted");

const ENDING = ["SIGTERM", "SIGHUP"] as const;

/** Raw mode that is left again even when the process is told to end. */
class RawMode {
  readonly #onSignal = new Map<Deno.Signal, () => void>();
  #raw = false;

  enter(): void {
    Deno.stdin.setRaw(true);
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
    if (this.#raw) Deno.stdin.setRaw(false);
    this.#raw = false;
  }
}

const [CTRL_C, CTRL_D, BACKSPACE, CTRL_U, CTRL_W, DELETE] = [3, 4, 8, 21, 23, 127];

/** Reads up to Enter; null for Ctrl-D on an empty line. */
async function readAnswer(echo: boolean): Promise<string | null | typeof INTERRUPTED> {
  const typed: number[] = [];
  const show = (text: string) => {
    if (echo) write(text);
  };
  const buffer = new Uint8Array(256);
  try {
    while (true) {
      const length = await Deno.stdin.read(buffer);
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
          if (echo) Deno.stderr.writeSync(new Uint8Array([byte]));
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
