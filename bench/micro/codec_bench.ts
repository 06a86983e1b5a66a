import * as m from "../../lib/wire/messages.ts";
import { encodeStringRequest } from "../../lib/wire/session_requests.ts";

const block = new Uint8Array(32 * 1024);
const data = m.encodeChannelData(7, block);
const open = { type: "session", sender: 7, window: 2 * 1024 * 1024, maxPacket: 32 * 1024 };
const opened = m.encodeChannelOpen(open);

Deno.bench("codec: encode 32 KiB of channel data", { group: "data", baseline: true }, () => {
  m.encodeChannelData(7, block);
});

Deno.bench("codec: decode 32 KiB of channel data", { group: "data" }, () => {
  m.decodeChannelData(data);
});

Deno.bench("codec: encode the open of a session", { group: "open" }, () => {
  m.encodeChannelOpen(open);
});

Deno.bench("codec: decode the open of a session", { group: "open" }, () => {
  m.decodeChannelOpen(opened);
});

Deno.bench("codec: encode an exec request", { group: "open" }, () => {
  m.encodeChannelRequest(7, "exec", true, encodeStringRequest("systemctl is-active nginx"));
});

Deno.bench("codec: encode a window adjust", { group: "open" }, () => {
  m.encodeWindowAdjust(7, 1024 * 1024);
});
