import type { ForwardSpec } from "../channel/forward/forward_spec.ts";
import { ProtocolError } from "../base/errors.ts";
import { MUX_FORWARD, type MuxEndpoint, type MuxForward } from "../wire/mux.ts";

/** What a forward request on a control socket asks for. */
export function toForwardSpec(forward: MuxForward): ForwardSpec {
  const { listen, connect } = forward;
  const nowhere = "host" in connect && connect.host === "";
  switch (forward.type) {
    case MUX_FORWARD.LOCAL:
      return { kind: "local", listen, connect };
    case MUX_FORWARD.REMOTE:
      return { kind: "remote", listen, connect: nowhere ? undefined : connect };
    case MUX_FORWARD.DYNAMIC:
      return { kind: "dynamic", listen };
    default:
      throw new ProtocolError(
        { what: "Cannot open a forward", why: `unknown type ${forward.type}` },
        "malformed",
      );
  }
}

/** A forward as a request on a control socket has it. */
export function toMuxForward(spec: ForwardSpec): MuxForward {
  const type =
    { local: MUX_FORWARD.LOCAL, remote: MUX_FORWARD.REMOTE, dynamic: MUX_FORWARD.DYNAMIC }[spec.kind];
  return { type, listen: spec.listen, connect: spec.connect ?? { host: "", port: 0 } };
}

/** The same for the same forward. */
export function forwardKey(forward: MuxForward): string {
  const { type, listen, connect } = forward;
  return JSON.stringify([type, listen, type === MUX_FORWARD.DYNAMIC ? null : connect]);
}

/** As ssh would write it: `-L 8080:db:5432`. */
export function describeForward(forward: MuxForward): string {
  const end = (endpoint: MuxEndpoint) =>
    "path" in endpoint
      ? endpoint.path
      : endpoint.host === ""
      ? `${endpoint.port}`
      : `${endpoint.host}:${endpoint.port}`;
  switch (forward.type) {
    case MUX_FORWARD.DYNAMIC:
      return `-D ${end(forward.listen)}`;
    case MUX_FORWARD.REMOTE:
      return `-R ${end(forward.listen)}:${end(forward.connect)}`;
    default:
      return `-L ${end(forward.listen)}:${end(forward.connect)}`;
  }
}
