import { ForwardError } from "../../base/errors.ts";
import { systemWhy } from "../../base/system_why.ts";
import type { Endpoint } from "./forward_spec.ts";
import { formatEndpoint } from "./forward_text.ts";

/** Connects from here, for a connection that came in on the server. Throws `ForwardError` ("cannot-connect"). */
export async function dialFromHere(target: Endpoint, where: string, signal: AbortSignal): Promise<Deno.Conn> {
  try {
    if ("path" in target) return await Deno.connect({ transport: "unix", path: target.path });
    const { host: hostname, port } = target;
    const socket = await Deno.connect({ hostname, port, signal });
    socket.setNoDelay(true); // a keystroke must not wait for the answer to the one before
    return socket;
  } catch (cause) {
    throw new ForwardError("cannot-connect", {
      what: `Cannot connect to ${formatEndpoint(target)} from here`,
      where,
      why: systemWhy(cause),
      cause,
    });
  }
}
