/**
 * The type-specific data of session requests, RFC 4254 §6: what follows `want reply` in SSH_MSG_CHANNEL_REQUEST.
 */
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** `string TERM · uint32 columns · uint32 rows · uint32 width px · uint32 height px · string modes` (§6.2) */
export function encodePtyRequest(
  pty: {
    readonly term: string;
    readonly columns: number;
    readonly rows: number;
    readonly modes?: Uint8Array;
  },
): Uint8Array {
  return new Writer()
    .utf8(pty.term).uint32(pty.columns).uint32(pty.rows).uint32(0).uint32(0)
    .string(pty.modes ?? new Uint8Array([TTY_OP_END])).finish();
}

/** Ends the list of encoded terminal modes (§8). */
const TTY_OP_END = 0;

/** `string name · string value` (§6.4) */
export function encodeEnvRequest(name: string, value: string): Uint8Array {
  return new Writer(8 + name.length + value.length).utf8(name).utf8(value).finish();
}

/** `string command` (§6.5, exec) or `string name` (§6.5, subsystem) */
export function encodeStringRequest(text: string): Uint8Array {
  return new Writer(4 + text.length).utf8(text).finish();
}

/** `uint32 columns · uint32 rows · uint32 width px · uint32 height px` (§6.7) */
export function encodeWindowChange(columns: number, rows: number): Uint8Array {
  return new Writer(16).uint32(columns).uint32(rows).uint32(0).uint32(0).finish();
}

/** `string signal name without SIG` (§6.9) */
export function encodeSignalRequest(signal: string): Uint8Array {
  return encodeStringRequest(signal);
}

/** `uint32 exit status` (§6.10) */
export function decodeExitStatus(data: Uint8Array): number {
  return new Reader(data).uint32();
}

export function encodeExitStatus(status: number): Uint8Array {
  return new Writer(4).uint32(status).finish();
}

/** How a signal ended a remote command (RFC 4254 §6.10, exit-signal). */
export interface ExitSignal {
  /** Without SIG: `TERM`; or `name@domain` for a local one. */
  readonly signal: string;
  readonly coreDumped: boolean;
  readonly message: string;
}

/** `string signal name without SIG · boolean core dumped · string message · string language` (§6.10) */
export function decodeExitSignal(data: Uint8Array): ExitSignal {
  const reader = new Reader(data);
  const signal = reader.utf8();
  const coreDumped = reader.boolean();
  return { signal, coreDumped, message: reader.remaining > 0 ? reader.text() : "" };
}
