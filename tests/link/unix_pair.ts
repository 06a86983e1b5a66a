/** Two ends of a real Unix socket. */
import { join } from "@std/path";

export interface UnixPair extends AsyncDisposable {
  readonly here: Deno.UnixConn;
  readonly there: Deno.UnixConn;
}

export async function unixPair(): Promise<UnixPair> {
  const dir = await Deno.makeTempDir({ prefix: "cp-" });
  const path = join(dir, "s");
  using listener = Deno.listen({ transport: "unix", path });
  const [here, there] = await Promise.all([Deno.connect({ transport: "unix", path }), listener.accept()]);
  return {
    here,
    there,
    [Symbol.asyncDispose]: async () => {
      for (const conn of [here, there]) closeQuietly(conn);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Closes a socket that a test may have closed already. */
export function closeQuietly(conn: { close(): void }): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
