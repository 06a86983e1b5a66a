import { ForwardError } from "../../base/errors.ts";
import { SocksParser, type SocksTarget } from "./socks.ts";

/** Whoever speaks SOCKS to us: a local socket, or a channel that the server opened. */
export interface SocksClient {
  /** The next bytes; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it at once, so that a `read` under way ends too. */
  close(): void;
}

/** How long a client may take to say where it wants to go: long for a person typing, short for one that holds on. */
export const SOCKS_DEADLINE_MS = 30_000;

/**
 * Listens to a client up to its request; the caller answers that. What a client sent behind it comes as `rest`.
 * Throws `ForwardError` ("bad-socks") for anything else; a client whose language we do not speak is told so if
 * SOCKS has words for it.
 */
export async function receiveSocksRequest(
  client: SocksClient,
  where: string,
): Promise<{ readonly target: SocksTarget; readonly rest: Uint8Array }> {
  const what = "Cannot serve a SOCKS client";
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    client.close();
  }, SOCKS_DEADLINE_MS);
  try {
    const parser = new SocksParser();
    for (;;) {
      const chunk = await client.read();
      if (chunk === undefined) {
        throw new ForwardError("bad-socks", { what, where, why: "it left before it said where to" });
      }
      const step = parser.push(chunk);
      if (step.reply && step.reply.length > 0) await client.write(step.reply);
      if (step.kind === "request") return step;
      if (step.kind === "refused") {
        const fix = "set the program to SOCKS 5 without authentication, or SOCKS 4a";
        throw new ForwardError("bad-socks", { what, where, why: step.why, fix });
      }
    }
  } catch (error) {
    if (!late) throw error;
    const why = `it did not say where to within ${SOCKS_DEADLINE_MS / 1000} s`;
    throw new ForwardError("bad-socks", { what, where, why, cause: error });
  } finally {
    clearTimeout(deadline);
  }
}
