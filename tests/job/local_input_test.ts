/** A local file that a command reads on its standard input: never in memory as a whole. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CopyError } from "../../lib/base/errors.ts";
import type { JobProcess } from "../../lib/job/job_host.ts";
import { LocalInput } from "../../lib/job/local_input.ts";
import { runCommand } from "../../lib/job/remote_command.ts";
import { run } from "../support/run.ts";
import { FakeHost } from "./fake_host.ts";

const BYTES = 3 * 1024 * 1024 + 17;

/** A host whose command takes its input as `sink` does, and ends when that has ended. */
class ReadingHost extends FakeHost {
  readonly #sink: (piece: Uint8Array) => Promise<void>;

  constructor(sink: (piece: Uint8Array) => Promise<void>) {
    super("a");
    this.#sink = sink;
  }

  override spawn(): Promise<JobProcess> {
    const { promise: status, resolve } = Promise.withResolvers<Awaited<JobProcess["status"]>>();
    const end = (code: number) => resolve({ code, signal: null, success: code === 0, outcome: "exited" });
    const write = async (piece: Uint8Array) => {
      try {
        await this.#sink(piece);
      } catch (error) {
        end(3);
        throw error;
      }
    };
    const stdin = new WritableStream<Uint8Array>({ write, close: () => end(0) });
    const empty = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
    return Promise.resolve({ stdin, stdout: empty(), stderr: empty(), status });
  }
}

async function send(path: string, sink: (piece: Uint8Array) => Promise<void>) {
  using input = await LocalInput.open(path);
  const context = { host: "a", signal: new AbortController().signal, emit: () => Promise.resolve() };
  return await runCommand(new ReadingHost(sink), { command: "take it", input }, "1", context);
}

async function withFile(use: (path: string, data: Uint8Array) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    const data = new Uint8Array(BYTES);
    for (let at = 0; at < BYTES; at += 997) data[at] = at >>> 8;
    await Deno.writeFile(path, data);
    await use(path, data);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a file goes to a command piece by piece, the next when the last has been taken", async () => {
  await withFile(async (path, data) => {
    const pieces: Uint8Array[] = [];
    let taking = false;
    const attempt = await send(path, async (piece) => {
      assert(!taking && piece.length <= 256 * 1024);
      taking = true;
      await Promise.resolve();
      pieces.push(piece);
      taking = false;
    });
    assertEquals(attempt.status, "ok");
    assertEquals(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()), data);
    assert(pieces.length >= 12);
  });
});

Deno.test("a file that changes on its way does not arrive whole, and the step says why", async () => {
  for (const change of ["grows", "shrinks", "is written to"]) {
    await withFile(async (path) => {
      let taken = 0;
      const attempt = await send(path, async (piece) => {
        if (taken === 0) {
          if (change === "grows") await Deno.writeTextFile(path, "more", { append: true });
          else if (change === "shrinks") await Deno.truncate(path, 300_000);
          else await Deno.utime(path, 1, 1);
        }
        taken += piece.length;
      });
      assert(taken < BYTES, change);
      assertEquals([attempt.status, attempt.error?.code], ["failed", "local-failed"], change);
      assert(attempt.error?.message.includes("it changed while it was read"), attempt.error?.message);
    });
  }
});

Deno.test("a command that ends without reading everything fails as it does, and is sent no more", async () => {
  await withFile(async (path) => {
    let pieces = 0;
    const attempt = await send(path, () => {
      pieces++;
      return Promise.reject(new DOMException("nobody reads", "AbortError"));
    });
    assertEquals([attempt.status, attempt.code, attempt.error], ["failed", 3, undefined]);
    assertEquals(pieces, 1);
  });
});

Deno.test("what cannot be read is said before anything is asked of the host", async () => {
  const missing = await assertRejects(() => LocalInput.open("/no/such/file"), CopyError);
  assertEquals(missing.message, "Cannot read the local file: /no/such/file: no such file or directory");
  const directory = await assertRejects(() => LocalInput.open("/"), CopyError);
  assertEquals(directory.message, "Cannot read the local file: /: it is a directory");
});

Deno.test("what does not tell its size arrives whole: a fifo; and an empty file is empty", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const fifo = `${directory}/fifo`;
    await run("mkfifo", [fifo]);
    await Deno.writeTextFile(`${directory}/empty`, "");
    for (const [path, text] of [[fifo, "from a fifo"], [`${directory}/empty`, ""]]) {
      const writing = text === "" ? undefined : Deno.writeTextFile(path, text);
      using input = await LocalInput.open(path);
      assertEquals(input.size, text.length);
      const pieces = await Array.fromAsync(input.read());
      assertEquals(await new Blob(pieces as BlobPart[]).text(), text);
      assertEquals(input.failure, undefined);
      await writing;
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
