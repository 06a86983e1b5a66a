import { ForwardError, MasterError } from "../base/errors.ts";
import type { ForwardKind, ForwardSpec } from "../channel/forward/forward_spec.ts";
import { formatForward, parseForward } from "../channel/forward/forward_text.ts";
import { openMasterFor } from "../host/connect.ts";
import { ControlClient } from "../link/control_link.ts";
import { toMuxForward } from "../master/mux_forward.ts";
import { plainText } from "../report/plain_text.ts";
import { encodeMuxForward, MUX } from "../wire/mux.ts";
import { helpSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { write } from "./write.ts";

const help = `\
carpool forward [options] -L|-R|-D … <host>: add forwards to the host's master, as ssh -O forward does

They stay, and hold the master, until they are cancelled or it is ended (carpool exit).

  -L [addr:]port:host:port       listen here, connect from the host; either end may be a Unix socket's path
  -R [addr:]port[:host:port]     listen on the host, connect from here; without host:port it speaks SOCKS
  -D [addr:]port                 listen here, speak SOCKS
      --cancel                   take such forwards back

${targetOptionHelp}

Examples:
  carpool forward -L 8080:db:5432 web1
  carpool forward --cancel -L 8080:db:5432 web1
`;

const KINDS: readonly { readonly name: ForwardKind; readonly letter: string }[] = [
  { name: "local", letter: "L" },
  { name: "remote", letter: "R" },
  { name: "dynamic", letter: "D" },
];

/** `carpool forward`. */
export async function forward(args: readonly string[]): Promise<number> {
  const line = await readArguments("forward", args, [
    ...KINDS.map(({ name, letter }) => ({ name, letter, kind: "list" }) as const),
    { name: "cancel", kind: "flag" },
    ...targetOptionSpecs,
    helpSpec,
  ]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const [host, ...more] = [...line.words, ...line.rest];
  if (host === undefined || more.length > 0) {
    throw usage("forward", "forward", "it needs one host", "carpool forward -L 8080:db:5432 <host>");
  }
  const specs = KINDS.flatMap(({ name }) => line.list(name).map((text) => parseForward(name, text)));
  if (specs.length === 0) {
    throw usage("forward", host, "it needs -L, -R or -D", "carpool forward -L 8080:db:5432 <host>");
  }
  const { controlPath } = await openMasterFor(host, targetOptionsOf("forward", line));
  using client = await ControlClient.connect(controlPath, { deadlineMs: FORWARD_DEADLINE_MS });
  for (const spec of specs) await tell(client, spec, line.flag("cancel"));
  return exitStatus.ok;
}

/** A remote forward waits for the server's answer, over whatever link. */
const FORWARD_DEADLINE_MS = 30_000;

/** The server does not say why (RFC 4254 §7.1). */
const REFUSED = "is the port free there, and does sshd allow it (AllowTcpForwarding, PermitListen)?";

async function tell(client: ControlClient, spec: ForwardSpec, cancel: boolean): Promise<void> {
  const id = client.nextRequestId();
  const type = cancel ? MUX.CLOSE_FORWARD : MUX.OPEN_FORWARD;
  const answer = await client.ask(encodeMuxForward(type, id, toMuxForward(spec)), id).catch((error) => {
    if (!(error instanceof MasterError) || error.code !== "refused") throw error;
    throw new ForwardError("refused", {
      what: cancel ? "Cannot cancel the forward" : "Cannot forward",
      where: formatForward(spec),
      why: error.why,
      fix: cancel ? "write it as it was opened" : spec.kind === "remote" ? REFUSED : undefined,
      cause: error,
    });
  });
  const port = answer.type === MUX.REMOTE_PORT ? `, allocated port ${answer.body.uint32()}` : "";
  write(`${plainText(formatForward(spec))}: ${cancel ? "cancelled" : "open"}${port}\n`, "stdout");
}
