/** Moves `bytes` bytes from memory to memory, `pull` or `push`, over a connection that is there. */
import { connect } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

interface BulkOptions extends ContenderOptions {
  readonly direction: "pull" | "push";
  readonly bytes: number;
}

const CHUNK_BYTES = 64 * 1024;

const options = contenderOptions<BulkOptions>();
await using host = await connect(options.host, connectOptions(options));
await host.exec("true");
const move = options.direction === "pull" ? pull : push;
tell(
  await measured(async () => {
    await move(options.bytes);
    return { operations: 1 };
  }),
);

async function pull(bytes: number): Promise<void> {
  await using process = await host.spawn(`head -c ${bytes} /dev/zero`);
  let received = 0;
  for await (const chunk of process.stdout) received += chunk.length;
  const { code, error } = await process.status;
  if (received !== bytes || code !== 0) {
    throw broken(`${received} of ${bytes} bytes, exit status ${code}: ${error?.message ?? "no error"}`);
  }
}

async function push(bytes: number): Promise<void> {
  await using process = await host.spawn("wc -c");
  const writer = process.stdin.getWriter();
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let left = bytes; left > 0; left -= chunk.length) {
    await writer.write(left >= chunk.length ? chunk : chunk.subarray(0, left));
  }
  await writer.close();
  const counted = Number(await new Response(process.stdout).text());
  if (counted !== bytes) throw broken(`${counted} bytes arrived`);
}
