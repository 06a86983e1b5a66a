// deno-lint-ignore-file no-explicit-any -- inside ssh2
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { Writer } from "../wire/writer.ts";

/** RFC 4253 §12, RFC 8308 §2.3 */
const SERVICE_ACCEPT = 6;
const EXT_INFO = 7;

/**
 * Sends the first authentication request right behind the request for the service, instead of waiting until the server
 * has agreed to it: one round trip less for each login. A server that does not agree hangs up, as it would have.
 *
 * Only where the server has already said which signatures it takes (EXT_INFO, which OpenSSH sends with its new keys):
 * without that, ssh2 would not know what to offer for an RSA key. Otherwise nothing changes.
 */
export function authenticateEarly(protocol: any, fail: (error: unknown) => void): void {
  const { service, _onPayload: onPayload } = protocol;
  let requested: string | undefined;
  let informed = false;
  let early = false;
  const accept = () => {
    if (requested === undefined || !informed || early) return;
    early = true;
    const agreed = Buffer.from(new Writer().byte(SERVICE_ACCEPT).utf8(requested).finish());
    // Not in the middle of whatever ssh2 is doing.
    setImmediate(() => {
      try {
        onPayload(agreed);
      } catch (error) {
        fail(error);
      }
    });
  };
  protocol.service = (name: string) => {
    service.call(protocol, name);
    requested = name;
    accept();
  };
  protocol._onPayload = (payload: Uint8Array) => {
    if (payload[0] === SERVICE_ACCEPT && early) return undefined; // what it says is known
    const result = onPayload(payload);
    if (payload[0] === EXT_INFO) {
      informed = true;
      accept();
    }
    return result;
  };
}
