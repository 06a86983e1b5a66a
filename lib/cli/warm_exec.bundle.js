// @ts-self-types="./warm_exec.ts"
// Made by `deno task bundle` of lib/cli/warm_exec.ts and all that it imports. Do not edit: change those, and make it anew.
// sources: 27ff62e1b8d6f356ee364e39993807ed961edf8d3126b1f16ce53ec9d10bc7a1
// lib/base/errors.ts
function formatParts(parts) {
  const head = [
    parts.what,
    parts.where,
    parts.why
  ].filter((part) => part !== void 0 && part !== "").join(": ");
  return parts.fix ? `${head}; ${parts.fix}` : head;
}
var CarpoolError = class extends Error {
  /**
   * The class's name: it tells errors apart where `instanceof` cannot, as across two copies of the module.
   */
  name = "CarpoolError";
  /** A short, stable, kebab-case code, unique within the class. */
  code;
  /** What could not be done. */
  what;
  /** The host, file or path it happened at; undefined where there is none. */
  where;
  /** Why, in the words of whoever refused it; undefined where nobody said. */
  why;
  /** What the reader can do; undefined where nothing is known to help. */
  fix;
  /** What became of the command that this error ended; undefined where there was none. */
  outcome;
  /** Builds the message from its parts: `what: where: why; fix`. */
  constructor(code, parts) {
    super(formatParts(parts), parts.cause === void 0 ? void 0 : {
      cause: parts.cause
    });
    this.code = code;
    this.what = parts.what;
    this.where = parts.where;
    this.why = parts.why;
    this.fix = parts.fix;
    this.outcome = parts.outcome;
  }
};
var TargetError = class extends CarpoolError {
  /** @ignore */
  name = "TargetError";
  /** @ignore */
  constructor(code, parts) {
    super(code, {
      outcome: "not-started",
      ...parts
    });
  }
};
var LinkError = class extends CarpoolError {
  /** @ignore */
  name = "LinkError";
  /** @ignore */
  constructor(code, parts) {
    super(code, parts);
  }
};
var ProtocolError = class extends CarpoolError {
  /** @ignore */
  name = "ProtocolError";
  /** @ignore */
  constructor(parts, code = "violation") {
    super(code, parts);
  }
};
var ChannelError = class extends CarpoolError {
  /** @ignore */
  name = "ChannelError";
  /** The server's reason code, where it gave one (RFC 4254 §5.1). */
  reason;
  /** @ignore */
  constructor(code, parts) {
    super(code, parts);
    this.reason = parts.reason;
  }
};
var MasterError = class extends CarpoolError {
  /** @ignore */
  name = "MasterError";
  /** @ignore */
  constructor(code, parts) {
    super(code, parts);
  }
};

// lib/wire/reader.ts
var decoder = new TextDecoder("utf-8", {
  fatal: true,
  ignoreBOM: true
});
var lenientDecoder = new TextDecoder("utf-8", {
  ignoreBOM: true
});
var Reader = class {
  #bytes;
  #view;
  #offset;
  constructor(bytes, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }
  /** Bytes not read yet. */
  get remaining() {
    return this.#bytes.length - this.#offset;
  }
  #take(length) {
    const start = this.#offset;
    if (length > this.#bytes.length - start) {
      throw new ProtocolError({
        what: "Cannot read a message",
        why: `${length} bytes wanted at offset ${start}, ${this.#bytes.length - start} left`
      }, "truncated");
    }
    this.#offset = start + length;
    return start;
  }
  byte() {
    return this.#bytes[this.#take(1)];
  }
  /** RFC 4251 §5: every value but 0 is true. */
  boolean() {
    return this.byte() !== 0;
  }
  uint32() {
    return this.#view.getUint32(this.#take(4));
  }
  uint64() {
    return this.#view.getBigUint64(this.#take(8));
  }
  /** A `string`: uint32 length, then that many bytes; a view of the message, not a copy. */
  string() {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }
  /** A `string` that must be UTF-8 (names, paths, descriptions). */
  utf8() {
    const bytes = this.string();
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new ProtocolError({
        what: "Cannot read a message",
        why: "a text field is not UTF-8",
        cause
      }, "malformed");
    }
  }
  /** A `string` for people only: what is not UTF-8 becomes U+FFFD. */
  text() {
    return lenientDecoder.decode(this.string());
  }
  /** A `name-list`: comma-separated names. */
  nameList() {
    const text = this.utf8();
    return text === "" ? [] : text.split(",");
  }
  /** Whatever is left; a view. */
  rest() {
    const start = this.#take(this.remaining);
    return this.#bytes.subarray(start);
  }
};

// lib/wire/writer.ts
var encoder = new TextEncoder();
var Writer = class {
  #bytes;
  #view;
  #length = 0;
  /** @param sizeHint bytes to allocate at first; exact for hot paths, else a guess. */
  constructor(sizeHint = 64) {
    this.#bytes = new Uint8Array(sizeHint);
    this.#view = new DataView(this.#bytes.buffer);
  }
  /** Bytes written so far. */
  get length() {
    return this.#length;
  }
  #reserve(length) {
    const start = this.#length;
    const end = start + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = end;
    return start;
  }
  byte(value) {
    const start = this.#reserve(1);
    this.#bytes[start] = value;
    return this;
  }
  boolean(value) {
    return this.byte(value ? 1 : 0);
  }
  uint32(value) {
    if (!Number.isInteger(value) || value < 0 || value > 4294967295) {
      throw new ProtocolError({
        what: "Cannot write a message",
        why: `${value} is not a uint32`
      }, "malformed");
    }
    const start = this.#reserve(4);
    this.#view.setUint32(start, value);
    return this;
  }
  uint64(value) {
    const start = this.#reserve(8);
    this.#view.setBigUint64(start, value);
    return this;
  }
  /** A `string` of bytes. */
  string(value) {
    this.uint32(value.length);
    return this.bytes(value);
  }
  /** A `string` of UTF-8 text. */
  utf8(value) {
    return this.string(encoder.encode(value));
  }
  /** Bytes as they are, without a length. */
  bytes(value) {
    const start = this.#reserve(value.length);
    this.#bytes.set(value, start);
    return this;
  }
  /** The message: a view of what was written. The writer must not be used afterwards. */
  finish() {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }
};

// lib/wire/messages.ts
var MSG = {
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_OPEN_CONFIRMATION: 91,
  CHANNEL_OPEN_FAILURE: 92,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_SUCCESS: 99,
  CHANNEL_FAILURE: 100
};
var OPEN_FAILURE = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4
};
var EXTENDED_DATA_STDERR = 1;
var NOTHING = new Uint8Array(0);
function encodeGlobalRequest(name, wantReply, data = NOTHING) {
  return new Writer(16 + name.length + data.length).byte(MSG.GLOBAL_REQUEST).utf8(name).boolean(wantReply).bytes(data).finish();
}
function decodeGlobalRequest(payload) {
  const reader = new Reader(payload, 1);
  return {
    name: reader.utf8(),
    wantReply: reader.boolean(),
    data: reader.rest()
  };
}
function encodeGlobalReply(success, data = NOTHING) {
  return new Writer(1 + data.length).byte(success ? MSG.REQUEST_SUCCESS : MSG.REQUEST_FAILURE).bytes(data).finish();
}
function encodeChannelOpen(open) {
  const data = open.data ?? NOTHING;
  return new Writer(24 + open.type.length + data.length).byte(MSG.CHANNEL_OPEN).utf8(open.type).uint32(open.sender).uint32(open.window).uint32(open.maxPacket).bytes(data).finish();
}
function decodeChannelOpen(payload) {
  const reader = new Reader(payload, 1);
  return {
    type: reader.utf8(),
    sender: reader.uint32(),
    window: reader.uint32(),
    maxPacket: reader.uint32(),
    data: reader.rest()
  };
}
function encodeChannelOpenConfirmation(confirmation) {
  return new Writer(17).byte(MSG.CHANNEL_OPEN_CONFIRMATION).uint32(confirmation.recipient).uint32(confirmation.sender).uint32(confirmation.window).uint32(confirmation.maxPacket).finish();
}
function decodeChannelOpenConfirmation(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    sender: reader.uint32(),
    window: reader.uint32(),
    maxPacket: reader.uint32()
  };
}
function encodeChannelOpenFailure(failure) {
  return new Writer(24 + failure.description.length).byte(MSG.CHANNEL_OPEN_FAILURE).uint32(failure.recipient).uint32(failure.reason).utf8(failure.description).utf8("").finish();
}
function decodeChannelOpenFailure(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    reason: reader.uint32(),
    description: reader.text()
  };
}
function encodeWindowAdjust(recipient, bytes) {
  return new Writer(9).byte(MSG.CHANNEL_WINDOW_ADJUST).uint32(recipient).uint32(bytes).finish();
}
function decodeWindowAdjust(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    bytes: reader.uint32()
  };
}
function encodeChannelData(recipient, data) {
  return new Writer(9 + data.length).byte(MSG.CHANNEL_DATA).uint32(recipient).string(data).finish();
}
function decodeChannelData(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    data: reader.string()
  };
}
function encodeChannelExtendedData(recipient, type, data) {
  return new Writer(13 + data.length).byte(MSG.CHANNEL_EXTENDED_DATA).uint32(recipient).uint32(type).string(data).finish();
}
function decodeChannelExtendedData(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    type: reader.uint32(),
    data: reader.string()
  };
}
function encodeChannelEof(recipient) {
  return new Writer(5).byte(MSG.CHANNEL_EOF).uint32(recipient).finish();
}
function encodeChannelClose(recipient) {
  return new Writer(5).byte(MSG.CHANNEL_CLOSE).uint32(recipient).finish();
}
function encodeChannelRequest(recipient, type, wantReply, data = NOTHING) {
  return new Writer(16 + type.length + data.length).byte(MSG.CHANNEL_REQUEST).uint32(recipient).utf8(type).boolean(wantReply).bytes(data).finish();
}
function decodeChannelRequest(payload) {
  const reader = new Reader(payload, 1);
  return {
    recipient: reader.uint32(),
    type: reader.utf8(),
    wantReply: reader.boolean(),
    data: reader.rest()
  };
}
function encodeChannelReply(recipient, success) {
  return new Writer(5).byte(success ? MSG.CHANNEL_SUCCESS : MSG.CHANNEL_FAILURE).uint32(recipient).finish();
}
function recipientOf(payload) {
  if (payload.length < 5) {
    throw new ProtocolError({
      what: "Cannot read a channel message",
      why: `it has only ${payload.length} bytes`
    }, "truncated");
  }
  return (payload[1] << 24 | payload[2] << 16 | payload[3] << 8 | payload[4]) >>> 0;
}

// lib/channel/window_size.ts
var MIN_WINDOW_BYTES = 16 * 1024;
var QUEUE_PART = 0.1;
var MIN_QUEUE_MS = 4;
var MAX_QUEUE_MS = 20;
var PACKET_BYTES = 32 * 1024;
var STEP = 1.125;
var RATES = 8;
var SUSTAINED_MS = 5e3;
var SMOOTHING = 0.25;
var DRAIN_ROUNDS = 2;
var WindowSize = class {
  #roundTrip;
  #maxBytes;
  #packetBytes;
  #rates = [];
  #rate;
  #sustained = {
    sinceMs: -Infinity,
    best: 0,
    before: 0
  };
  #bytes;
  #startingUp = true;
  #rounds = 0;
  #draining = 0;
  /** @param packetBytes of the sender's packets, at most. */
  constructor(roundTrip, bytes, maxBytes, packetBytes = PACKET_BYTES) {
    this.#packetBytes = packetBytes;
    this.#roundTrip = roundTrip;
    this.#bytes = bytes;
    this.#maxBytes = maxBytes;
  }
  /** What may be under way now. */
  get bytes() {
    return this.draining ? Math.max(MIN_WINDOW_BYTES, Math.floor(this.#bytes / 2)) : this.#bytes;
  }
  /** Rounds that were looked at. */
  get rounds() {
    return this.#rounds;
  }
  /** Whether only half is allowed for the moment, to see the bare way. */
  get draining() {
    return this.#draining > 0;
  }
  /** Begins anew at `bytes`. */
  reset(bytes) {
    this.#bytes = bytes;
    this.#startingUp = true;
    this.#rates.length = 0;
    this.#rate = void 0;
    this.#sustained = {
      sinceMs: -Infinity,
      best: 0,
      before: 0
    };
  }
  /** Learns from a round. */
  round({ rttMs, bytes, ms, limited }) {
    this.#rounds++;
    this.#roundTrip.seen(rttMs);
    if (this.#draining > 0) {
      if (--this.#draining === 0) this.#roundTrip.renew(rttMs);
      return;
    }
    if (!limited) return;
    const minMs = this.#roundTrip.minMs ?? rttMs;
    this.#note(bytes / Math.max(ms, 0.01));
    const rate = Math.max(...this.#rates);
    const queueMs = Math.min(Math.max(minMs * QUEUE_PART, MIN_QUEUE_MS), MAX_QUEUE_MS) + this.#packetBytes / rate;
    if (rttMs < minMs + queueMs) {
      if (this.#startingUp) return this.#set(this.#bytes * 2);
      return this.#set(Math.max(this.#bytes, Math.min(this.#bytes * STEP, rate * (minMs + 2 * queueMs))));
    }
    const pipe = rate * (minMs + queueMs);
    const { best, before } = this.#sustained;
    this.#set(this.#startingUp ? pipe : Math.max(this.#bytes / STEP, pipe, Math.max(best, before) * minMs));
    this.#startingUp = false;
    this.#roundTrip.pipeBytes = this.#bytes;
    if (this.#roundTrip.stale) this.#draining = DRAIN_ROUNDS;
  }
  #note(rate) {
    this.#rates.push(rate);
    if (this.#rates.length > RATES) this.#rates.shift();
    this.#rate = this.#rate === void 0 ? rate : this.#rate + (rate - this.#rate) * SMOOTHING;
    const { sinceMs, best } = this.#sustained;
    const now = this.#roundTrip.now();
    if (now - sinceMs > SUSTAINED_MS) this.#sustained = {
      sinceMs: now,
      best: this.#rate,
      before: best
    };
    else this.#sustained.best = Math.max(best, this.#rate);
  }
  #set(bytes) {
    this.#bytes = Math.round(Math.min(Math.max(bytes, MIN_WINDOW_BYTES), this.#maxBytes));
  }
};

// lib/channel/receive_window.ts
var MAX_RECEIVE_WINDOW_BYTES = 32 * 1024 * 1024;
var PROBE_AFTER_BYTES = 128 * 1024;
var MIN_STEP_BYTES = 4 * 1024;
var BEHIND_MS = 200;
var ReceiveWindow = class {
  #roundTrip;
  #maxBytes;
  #size;
  #initial;
  #outstanding;
  #unread = 0;
  #behindSinceMs;
  /** Bytes since the last round ended, or since the one that is under way began. */
  #bytes = 0;
  #roundBeganAtMs;
  constructor(roundTrip, bytes, maxBytes = MAX_RECEIVE_WINDOW_BYTES) {
    this.#roundTrip = roundTrip;
    this.#maxBytes = maxBytes;
    this.#initial = this.#outstanding = bytes;
    this.#size = new WindowSize(roundTrip, bytes, maxBytes);
  }
  /** Bytes that the peer may still send. */
  get outstanding() {
    return this.#outstanding;
  }
  /** Bytes that have come and that nobody has read. */
  get unread() {
    return this.#unread;
  }
  /** Bytes that may be under way and unread together. */
  get bytes() {
    return this.#size.bytes;
  }
  /** Whether to find out how long a round trip takes now: ask, and say {@linkcode answered}. */
  get wantsProbe() {
    return this.#roundBeganAtMs === void 0 && this.#bytes >= PROBE_AFTER_BYTES;
  }
  received(bytes) {
    this.#outstanding -= bytes;
    this.#unread += bytes;
    this.#bytes += bytes;
    if (this.#unread * 2 > this.#size.bytes) this.#behindSinceMs ??= this.#roundTrip.now();
  }
  /** Some of it has been read; returns what to grant now, mostly 0. */
  consumed(bytes) {
    this.#unread -= bytes;
    this.#shrinkBehind();
    return this.#grant();
  }
  /** A probe is on its way. */
  probed() {
    this.#roundBeganAtMs = this.#roundTrip.now();
    this.#bytes = 0;
  }
  /** Its answer has come; returns what to grant now. */
  answered() {
    if (this.#roundBeganAtMs === void 0) return 0;
    const rttMs = this.#roundTrip.now() - this.#roundBeganAtMs;
    this.#roundBeganAtMs = void 0;
    const { bytes } = this.#size;
    const limited = this.#bytes >= 0.6 * bytes && this.#unread <= bytes / 2;
    this.#size.round({
      rttMs,
      bytes: this.#bytes,
      ms: rttMs,
      limited
    });
    this.#bytes = 0;
    return this.#grant();
  }
  /** Makes it at least so large; returns what to grant now: all of it at once. */
  resize(bytes) {
    const more = bytes - this.#initial;
    this.#initial = bytes;
    this.#size = new WindowSize(this.#roundTrip, bytes, Math.max(this.#maxBytes, bytes));
    if (more <= 0) return 0;
    this.#outstanding += more;
    return more;
  }
  #grant() {
    const size = this.#size.bytes;
    const room = size - this.#outstanding - this.#unread;
    const step = this.#size.rounds === 0 ? size / 2 : Math.min(size / 2, Math.max(size / 16, MIN_STEP_BYTES));
    if (room <= 0 || room < step) return 0;
    this.#outstanding += room;
    return room;
  }
  #shrinkBehind() {
    const since = this.#behindSinceMs;
    if (since === void 0) return;
    if (this.#roundTrip.now() - since >= BEHIND_MS && this.#size.bytes > this.#initial) {
      this.#size.reset(this.#initial);
    }
    if (this.#unread * 2 <= this.#size.bytes) this.#behindSinceMs = void 0;
  }
};

// lib/channel/send_window.ts
var INITIAL_BYTES = 1024 * 1024;
var MAX_BYTES = 16 * 1024 * 1024;
var PROBE_AFTER_BYTES2 = 256 * 1024;
var PROBES_PER_WINDOW = 16;
var MIN_PROBE_BYTES = 32 * 1024;
var MIN_PROBES_PER_WINDOW = 4;
var MAX_PACKET_BYTES = 32 * 1024;
var MIN_PACKET_BYTES = 4 * 1024;
var PACKETS_PER_WINDOW = 8;
var SendWindow = class {
  #roundTrip;
  #size;
  #probes = [];
  #sent = 0;
  #confirmed = 0;
  #probedAt = 0;
  #limited = false;
  #roundBeganAtMs = -Infinity;
  #confirmedBefore = 0;
  #unlimited = false;
  constructor(roundTrip, bytes = Math.max(256 * 1024, roundTrip.pipeBytes ?? INITIAL_BYTES)) {
    this.#roundTrip = roundTrip;
    this.#size = new WindowSize(roundTrip, Math.min(bytes, INITIAL_BYTES), MAX_BYTES, MAX_PACKET_BYTES / 2);
  }
  get #packetBytes() {
    const part = Math.floor(this.#size.bytes / PACKETS_PER_WINDOW);
    return Math.min(Math.max(part, MIN_PACKET_BYTES), MAX_PACKET_BYTES);
  }
  /** Bytes that one message may have now; 0: none may be sent. */
  get room() {
    if (this.#unlimited) return Infinity;
    const room = this.#size.bytes - (this.#sent - this.#confirmed);
    if (room >= MIN_PACKET_BYTES || this.#sent === this.#confirmed) return Math.min(room, this.#packetBytes);
    this.#limited = true;
    return 0;
  }
  /** Bytes that may be under way together. */
  get bytes() {
    return this.#size.bytes;
  }
  /** Bytes sent that are not known to have arrived. */
  get unconfirmed() {
    return this.#sent - this.#confirmed;
  }
  /** Whether an answer is being waited for. */
  get awaitsAnswer() {
    return this.#probes.length > 0;
  }
  sent(bytes) {
    this.#sent += bytes;
  }
  /** Whether to send a probe behind what was just sent. */
  get wantsProbe() {
    if (this.#unlimited || this.#sent < PROBE_AFTER_BYTES2) return false;
    const since = this.#sent - this.#probedAt;
    const { bytes } = this.#size;
    const least = Math.min(MIN_PROBE_BYTES, bytes / MIN_PROBES_PER_WINDOW);
    return since >= Math.max(least, bytes / PROBES_PER_WINDOW);
  }
  /** A probe is on its way. */
  probed() {
    this.#probedAt = this.#sent;
    this.#probes.push({
      sentBytes: this.#sent,
      atMs: this.#roundTrip.now()
    });
  }
  /** The answer to the oldest probe has come. */
  answered() {
    const probe = this.#probes.shift();
    if (probe === void 0) return;
    this.#confirmed = probe.sentBytes;
    const now = this.#roundTrip.now();
    const rttMs = now - probe.atMs;
    if (probe.atMs < this.#roundBeganAtMs) return;
    if (this.#roundBeganAtMs === -Infinity) this.#roundTrip.seen(rttMs);
    else {
      const [bytes, ms] = [
        this.#confirmed - this.#confirmedBefore,
        now - this.#roundBeganAtMs
      ];
      this.#size.round({
        rttMs,
        bytes,
        ms,
        limited: this.#limited
      });
    }
    this.#limited = false;
    this.#confirmedBefore = this.#confirmed;
    this.#roundBeganAtMs = now;
  }
  /** The server answers no probes, or the way is dead: from here on its own window alone counts. */
  giveUp() {
    this.#unlimited = true;
  }
};

// lib/channel/channel.ts
var MAX_WINDOW = 4294967295;
var MAX_SEND_BYTES = 32 * 1024;
var BULK_BYTES = 256 * 1024;
var PAUSE_MS = 1e3;
var PROBE = "rtt@carpool";
var PROBE_DEADLINE_MS = 5e3;
var Channel = class {
  type;
  localId;
  remoteId;
  where;
  #owner;
  #receiveMaxPacket;
  #sendMaxPacket;
  #writes = [];
  #replies = [];
  #handlers;
  #early = [];
  #state = "open";
  #closeReceived = false;
  #answered = false;
  #eofReceived = false;
  #eofSent = false;
  #eofWanted = false;
  #sendWindow;
  #receiving;
  #sending;
  /** Bytes sent since the last pause. */
  #sentInARow = 0;
  #lastSentAt = -Infinity;
  #probeTimer;
  constructor(owner, numbers) {
    this.#owner = owner;
    this.where = owner.where;
    this.type = numbers.type;
    this.localId = numbers.localId;
    this.remoteId = numbers.remoteId;
    if (numbers.sendMaxPacket === 0) this.#violation("a maximum packet of 0 bytes");
    this.#receiving = new ReceiveWindow(owner.roundTrip, numbers.receiveWindow);
    this.#sending = new SendWindow(owner.roundTrip);
    this.#receiveMaxPacket = numbers.receiveMaxPacket;
    this.#sendWindow = numbers.sendWindow;
    this.#sendMaxPacket = numbers.sendMaxPacket;
  }
  get state() {
    return this.#state;
  }
  /** Whether the peer has answered a request: it has seen what was sent before that. */
  get answered() {
    return this.#answered;
  }
  /** Bytes that the peer is ready to receive now. */
  get sendWindow() {
    return this.#sendWindow;
  }
  /** Bytes that the peer may still send before we grant more. */
  get receiveWindow() {
    return this.#receiving.outstanding;
  }
  /** Bytes that may be under way to us and unread together: grows and shrinks, see {@linkcode ReceiveWindow}. */
  get receiveWindowSize() {
    return this.#receiving.bytes;
  }
  /** Bytes sent that may still be on their way; known only roughly, and only of a channel that has sent much. */
  get unconfirmedBytes() {
    return this.#sending.unconfirmed;
  }
  /** Whether much is being sent here: others go first. */
  get isBulk() {
    return this.#sentInARow >= BULK_BYTES && this.#owner.roundTrip.now() - this.#lastSentAt <= PAUSE_MS;
  }
  /** Sets the listener, once; what came before is delivered first. */
  attach(handlers) {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    for (const deliver of early) deliver(handlers);
  }
  /**
   * Queues bytes for the peer. Resolves when all have been handed to the link, which waits for the peer's window and
   * for the link to have room; rejects with `ChannelError` ("closed") when the channel ends first.
   */
  write(data, extendedType) {
    if (this.#state !== "open" || this.#eofWanted) return Promise.reject(this.#closedError("Cannot write"));
    if (data.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.#writes.push({
        data,
        extendedType,
        done,
        failed
      });
      this.#probeSending();
      this.#owner.wake(this);
    });
  }
  /** Says that no more data will come, after everything queued (RFC 4254 §5.3). Idempotent. */
  eof() {
    if (this.#state !== "open" || this.#eofWanted) return;
    this.#eofWanted = true;
    if (this.#writes.length === 0) this.#sendEof();
  }
  #sendEof() {
    if (this.#eofSent) return;
    this.#eofSent = true;
    this.#owner.send(encodeChannelEof(this.remoteId));
  }
  /** Sends a request whose answer nobody waits for. */
  notify(type, data) {
    if (this.#state === "open") this.#owner.send(encodeChannelRequest(this.remoteId, type, false, data));
  }
  /**
   * Sends a request and resolves with the answer (RFC 4254 §5.4). Answers come in the order of the requests. Rejects
   * when the channel ends first.
   */
  request(type, data) {
    if (this.#state !== "open") return Promise.reject(this.#closedError(`Cannot send the request ${type}`));
    this.#owner.send(encodeChannelRequest(this.remoteId, type, true, data));
    const reply = Promise.withResolvers();
    this.#replies.push({
      ...reply,
      sentAtMs: this.#owner.roundTrip.now()
    });
    return reply.promise;
  }
  /** Ends the channel at once, dropping what is queued. Idempotent. The peer's CLOSE is awaited in `closing`. */
  close() {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#owner.send(encodeChannelClose(this.remoteId));
    this.#failWrites();
    if (this.#closeReceived) this.#end(void 0);
  }
  /** Gives `bytes` of the receive window back: they have been read. */
  consumed(bytes) {
    this.#grant(this.#receiving.consumed(bytes));
  }
  /** Lets the peer send up to `size` bytes unread: how a spare, opened with window 0, is put to work. */
  resizeReceiveWindow(size) {
    this.#grant(this.#receiving.resize(size));
  }
  #grant(bytes) {
    if (bytes === 0 || this.#state !== "open" || this.#eofReceived || this.#closeReceived) return;
    this.#owner.send(encodeWindowAdjust(this.remoteId, bytes));
  }
  /** Asks how long a round trip takes now; nothing is learnt where the channel ends first. */
  #probe(answered) {
    this.request(PROBE).then(answered, () => {
    });
  }
  /** Finds out about the way down, once a round trip, while much comes. */
  #watchReceiving() {
    if (!this.#receiving.wantsProbe || this.#state !== "open" || this.#eofReceived) return;
    this.#receiving.probed();
    this.#probe(() => this.#grant(this.#receiving.answered()));
  }
  /** Finds out what of a push has arrived. */
  #watchSending(length) {
    const now = this.#owner.roundTrip.now();
    this.#sentInARow = (now - this.#lastSentAt > PAUSE_MS ? 0 : this.#sentInARow) + length;
    this.#lastSentAt = now;
    this.#sending.sent(length);
    this.#probeSending();
  }
  /** A probe behind what was sent where one is due, or where nothing else would ever let us go on. */
  #probeSending() {
    const stuck = this.#writes.length > 0 && this.#sending.room <= 0 && !this.#sending.awaitsAnswer;
    if (this.#state !== "open" || !(stuck || this.#sending.wantsProbe)) return;
    this.#sending.probed();
    this.#probeTimer ??= setTimeout(() => {
      this.#sending.giveUp();
      this.#owner.wake(this);
    }, PROBE_DEADLINE_MS);
    this.#probe(() => {
      this.#stopProbeTimer();
      this.#sending.answered();
      if (this.sendable) this.#owner.wake(this);
      else this.#probeSending();
    });
  }
  #stopProbeTimer() {
    if (this.#probeTimer === void 0) return;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = void 0;
  }
  /** Whether a turn to send would send something. */
  get sendable() {
    return this.#state === "open" && this.#writes.length > 0 && this.#sendWindow > 0 && this.#sending.room > 0;
  }
  /** Sends at most one data message; called by the scheduler. */
  sendNext() {
    const write2 = this.#writes[0];
    if (write2 === void 0 || !this.sendable) return;
    const { room } = this.#sending;
    const length = Math.min(write2.data.length, this.#sendWindow, room, this.#sendMaxPacket, MAX_SEND_BYTES);
    const part = write2.data.subarray(0, length);
    this.#sendWindow -= length;
    this.#owner.send(write2.extendedType === void 0 ? encodeChannelData(this.remoteId, part) : encodeChannelExtendedData(this.remoteId, write2.extendedType, part));
    if (length < write2.data.length) {
      write2.data = write2.data.subarray(length);
      return this.#watchSending(length);
    }
    this.#writes.shift();
    write2.done();
    this.#watchSending(length);
    if (this.#writes.length === 0 && this.#eofWanted) this.#sendEof();
  }
  // What arrives. The connection has decoded the message and found this channel by its number.
  receiveData(data, extendedType) {
    this.#refuseAfterClose("data");
    if (this.#eofReceived) this.#violation("data after EOF");
    const { outstanding } = this.#receiving;
    if (data.length > outstanding) {
      this.#violation(`${data.length} bytes of data with a window of ${outstanding}`);
    }
    if (data.length > this.#receiveMaxPacket) {
      this.#violation(`${data.length} bytes in one message, at most ${this.#receiveMaxPacket} allowed`);
    }
    this.#receiving.received(data.length);
    if (this.#state !== "open") return;
    this.#watchReceiving();
    this.#deliver((handlers) => handlers.onData(data, extendedType));
  }
  receiveWindowAdjust(bytes) {
    if (this.#closeReceived) return;
    if (this.#sendWindow + bytes > MAX_WINDOW) {
      this.#violation(`a window of ${this.#sendWindow + bytes} bytes`);
    }
    this.#sendWindow += bytes;
    if (this.sendable) this.#owner.wake(this);
  }
  receiveEof() {
    this.#refuseAfterClose("EOF");
    if (this.#eofReceived) return;
    this.#eofReceived = true;
    this.#deliver((handlers) => handlers.onEof());
  }
  receiveRequest(type, wantReply, data) {
    this.#refuseAfterClose("a request");
    const answer = (success) => {
      if (wantReply && this.#state === "open") this.#owner.send(encodeChannelReply(this.remoteId, success));
    };
    if (this.#state !== "open") return;
    this.#deliver((handlers) => answer(handlers.onRequest(type, data)), () => answer(false), type);
  }
  receiveReply(success) {
    if (this.#closeReceived) return;
    const reply = this.#replies.shift();
    if (reply === void 0) this.#violation("an answer to no request");
    this.#answered = true;
    this.#owner.roundTrip.seen(this.#owner.roundTrip.now() - reply.sentAtMs);
    reply.resolve(success);
  }
  receiveClose() {
    if (this.#closeReceived) this.#violation("CLOSE twice");
    this.#closeReceived = true;
    if (this.#state === "open") {
      this.#state = "closing";
      this.#owner.send(encodeChannelClose(this.remoteId));
      this.#failWrites();
    }
    this.#end(void 0);
  }
  /** The link is gone. */
  lost(info) {
    if (this.#state === "closed") return;
    this.#failWrites();
    this.#end(info);
  }
  #deliver(event, otherwise, requestType) {
    if (this.#handlers !== void 0) event(this.#handlers);
    else if (requestType?.startsWith("keepalive@")) otherwise?.();
    else this.#early.push(event);
  }
  #end(lost) {
    this.#state = "closed";
    this.#stopProbeTimer();
    this.#owner.forget(this);
    for (const reply of this.#replies.splice(0)) reply.reject(this.#closedError("Cannot learn an answer"));
    this.#deliver((handlers) => handlers.onClose(lost));
  }
  #failWrites() {
    if (this.#writes.length === 0) return;
    const error = this.#closedError("Cannot write");
    for (const write2 of this.#writes.splice(0)) write2.failed(error);
  }
  #refuseAfterClose(what) {
    if (this.#closeReceived) this.#violation(`${what} after CLOSE`);
  }
  #closedError(what) {
    return new ChannelError("closed", {
      what,
      where: this.where,
      why: `the ${this.type} channel is closed`
    });
  }
  #violation(why) {
    throw new ProtocolError({
      what: "The server broke the SSH protocol",
      where: this.where,
      why: `${why} on channel ${this.localId} (${this.type})`
    });
  }
};

// lib/channel/round_trip.ts
var BELIEVED_MS = 1e4;
var SAME_FACTOR = 1.02;
var SAME_MS = 0.3;
var RoundTrip = class {
  now;
  /** Bytes that last filled the way without a queue worth mentioning; undefined: never full so far. */
  pipeBytes;
  #minMs;
  #seenAtMs = -Infinity;
  /** @param now a clock in milliseconds. */
  constructor(now = () => performance.now()) {
    this.now = now;
  }
  /** The shortest lately, in milliseconds: no queue was in it. */
  get minMs() {
    return this.#minMs;
  }
  /** Whether the shortest was seen so long ago that the way may have become longer. */
  get stale() {
    return this.now() - this.#seenAtMs > BELIEVED_MS;
  }
  /** An answer came after so long. */
  seen(ms) {
    if (this.#minMs !== void 0 && ms > this.#minMs * SAME_FACTOR + SAME_MS) return;
    this.#minMs = Math.min(ms, this.#minMs ?? ms);
    this.#seenAtMs = this.now();
  }
  /** An answer came after so long while hardly anything was under way: from now on this is the shortest. */
  renew(ms) {
    this.#minMs = ms;
    this.#seenAtMs = this.now();
  }
};

// lib/channel/send_scheduler.ts
var HIGH_WATER_BYTES = 256 * 1024;
var SendScheduler = class {
  #link;
  #ready = /* @__PURE__ */ new Set();
  #bulk = /* @__PURE__ */ new Set();
  #pumping = false;
  #waiting = false;
  constructor(link) {
    this.#link = link;
  }
  /** Asks for turns until the channel has nothing sendable left. */
  wake(channel) {
    this.#queue(channel);
    this.#pump();
  }
  forget(channel) {
    this.#ready.delete(channel);
    this.#bulk.delete(channel);
  }
  #queue(channel) {
    if (!channel.isBulk) this.#bulk.delete(channel);
    else if (!this.#ready.has(channel)) return void this.#bulk.add(channel);
    this.#ready.add(channel);
  }
  #pump() {
    if (this.#pumping || this.#waiting) return;
    this.#pumping = true;
    try {
      for (; ; ) {
        const queue = this.#ready.size > 0 ? this.#ready : this.#bulk;
        if (queue.size === 0) return;
        if (this.#link.queuedBytes >= HIGH_WATER_BYTES) return this.#waitForRoom();
        const [channel] = queue;
        queue.delete(channel);
        channel.sendNext();
        if (channel.sendable) this.#queue(channel);
      }
    } finally {
      this.#pumping = false;
    }
  }
  #waitForRoom() {
    this.#waiting = true;
    const again = () => {
      this.#waiting = false;
      this.#pump();
    };
    this.#link.drained().then(() => this.#link.queuedBytes < HIGH_WATER_BYTES ? again() : void setTimeout(again, 1));
  }
};

// lib/channel/connection.ts
var DEFAULT_WINDOW_BYTES = 2 * 1024 * 1024;
var MAX_PACKET_BYTES2 = 32 * 1024;
var BROKE_PROTOCOL = "The server broke the SSH protocol";
var Connection = class {
  link;
  where;
  /** What the channels know of the way to the server. */
  roundTrip = new RoundTrip();
  #channels = /* @__PURE__ */ new Map();
  #openings = /* @__PURE__ */ new Map();
  #replies = [];
  #handlers = /* @__PURE__ */ new Map();
  #scheduler;
  #owner;
  #nextId = 0;
  #ended;
  #lastReceivedAt = performance.now();
  constructor(link) {
    this.link = link;
    this.where = link.where;
    this.#scheduler = new SendScheduler(link);
    this.#owner = {
      where: link.where,
      roundTrip: this.roundTrip,
      send: (payload) => link.send(payload),
      wake: (channel) => this.#scheduler.wake(channel),
      forget: (channel) => {
        this.#channels.delete(channel.localId);
        this.#scheduler.forget(channel);
      }
    };
    link.closed.then((info) => this.#end(info));
    link.receive((payload) => this.#receive(payload));
  }
  /** Resolves once, when the link has ended. */
  get closed() {
    return this.link.closed;
  }
  /** How the link ended; undefined while it lives. */
  get ended() {
    return this.#ended;
  }
  /** Channels open now, and opens under way. */
  get channelCount() {
    return this.#channels.size + this.#openings.size;
  }
  /** When the last message arrived, on the clock of `performance.now()`. */
  get lastReceivedAt() {
    return this.#lastReceivedAt;
  }
  /**
   * Opens a channel (RFC 4254 §5.1). Rejects with `ChannelError` ("open-failed", with the server's reason) or with
   * `LinkError` when the link ends first; in both cases nothing was started.
   */
  open(type, options = {}) {
    const { data, window = DEFAULT_WINDOW_BYTES, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#ended) return Promise.reject(this.#lostError(`Cannot open a ${type} channel`, this.#ended));
    return new Promise((resolve, reject) => {
      const id = this.#allocateId();
      const abort = () => {
        opening.abandoned = true;
        reject(signal?.reason);
      };
      const opening = {
        type,
        window,
        abandoned: false,
        resolve: (channel) => {
          signal?.removeEventListener("abort", abort);
          resolve(channel);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        }
      };
      signal?.addEventListener("abort", abort, {
        once: true
      });
      this.#openings.set(id, opening);
      this.link.send(encodeChannelOpen({
        type,
        sender: id,
        window,
        maxPacket: MAX_PACKET_BYTES2,
        data
      }));
    });
  }
  /**
   * Sends a global request (RFC 4254 §4) and resolves with the data of the answer, or null when it was refused.
   * Answers carry no number: they come in the order of the requests.
   */
  request(name, data) {
    if (this.#ended) return Promise.reject(this.#lostError(`Cannot send ${name}`, this.#ended));
    return new Promise((resolve, reject) => {
      this.#replies.push({
        name,
        resolve,
        reject
      });
      this.link.send(encodeGlobalRequest(name, true, data));
    });
  }
  /** Sends a global request that wants no answer. */
  notify(name, data) {
    this.link.send(encodeGlobalRequest(name, false, data));
  }
  /** Decides on channels of `type` that the server opens; without a handler they are refused. */
  handleOpen(type, handler) {
    this.#handlers.set(type, handler);
  }
  /** Ends the link and everything on it. Idempotent. */
  async close() {
    await this.link.close();
  }
  [Symbol.asyncDispose]() {
    return this.close();
  }
  #allocateId() {
    do {
      this.#nextId = (this.#nextId + 1) % 2147483647;
    } while (this.#channels.has(this.#nextId) || this.#openings.has(this.#nextId));
    return this.#nextId;
  }
  #receive(payload) {
    if (this.#ended) return;
    this.#lastReceivedAt = performance.now();
    try {
      this.#route(payload);
    } catch (error) {
      const failure = error instanceof ProtocolError && error.where === void 0 ? new ProtocolError({
        what: BROKE_PROTOCOL,
        where: this.where,
        why: error.why,
        cause: error
      }) : error;
      const why = failure instanceof CarpoolError ? failure.message : "a message could not be handled";
      this.link.close({
        how: "failed",
        why,
        error: failure
      });
      this.#end({
        how: "failed",
        why,
        error: failure
      });
      if (!(failure instanceof CarpoolError)) throw failure;
    }
  }
  #route(payload) {
    switch (payload[0]) {
      case MSG.CHANNEL_DATA: {
        const message = decodeChannelData(payload);
        return this.#channel(message.recipient).receiveData(message.data, void 0);
      }
      case MSG.CHANNEL_EXTENDED_DATA: {
        const message = decodeChannelExtendedData(payload);
        return this.#channel(message.recipient).receiveData(message.data, message.type);
      }
      case MSG.CHANNEL_WINDOW_ADJUST: {
        const message = decodeWindowAdjust(payload);
        return this.#channels.get(message.recipient)?.receiveWindowAdjust(message.bytes);
      }
      case MSG.CHANNEL_SUCCESS:
      case MSG.CHANNEL_FAILURE:
        return this.#channels.get(recipientOf(payload))?.receiveReply(payload[0] === MSG.CHANNEL_SUCCESS);
      case MSG.CHANNEL_EOF:
        return this.#channel(recipientOf(payload)).receiveEof();
      case MSG.CHANNEL_CLOSE:
        return this.#channel(recipientOf(payload)).receiveClose();
      case MSG.CHANNEL_REQUEST: {
        const message = decodeChannelRequest(payload);
        return this.#channel(message.recipient).receiveRequest(message.type, message.wantReply, message.data);
      }
      case MSG.CHANNEL_OPEN_CONFIRMATION:
        return this.#confirmed(payload);
      case MSG.CHANNEL_OPEN_FAILURE:
        return this.#refused(payload);
      case MSG.CHANNEL_OPEN:
        return this.#opened(decodeChannelOpen(payload));
      case MSG.GLOBAL_REQUEST:
        return this.#globalRequest(payload);
      case MSG.REQUEST_SUCCESS:
      case MSG.REQUEST_FAILURE: {
        const reply = this.#replies.shift();
        if (reply === void 0) this.#violation("an answer to no global request");
        return reply.resolve(payload[0] === MSG.REQUEST_SUCCESS ? payload.subarray(1) : null);
      }
      default:
        this.#violation(`message ${payload[0]} is not of the connection protocol`);
    }
  }
  #channel(id) {
    const channel = this.#channels.get(id);
    if (channel === void 0) this.#violation(`a message for channel ${id}, which is not open`);
    return channel;
  }
  #opening(id) {
    const opening = this.#openings.get(id);
    if (opening === void 0) this.#violation(`an answer to opening channel ${id}, which nobody is opening`);
    this.#openings.delete(id);
    return opening;
  }
  #confirmed(payload) {
    const message = decodeChannelOpenConfirmation(payload);
    const opening = this.#opening(message.recipient);
    const channel = new Channel(this.#owner, {
      type: opening.type,
      localId: message.recipient,
      remoteId: message.sender,
      receiveWindow: opening.window,
      receiveMaxPacket: MAX_PACKET_BYTES2,
      sendWindow: message.window,
      sendMaxPacket: message.maxPacket
    });
    this.#channels.set(channel.localId, channel);
    if (opening.abandoned) channel.close();
    else opening.resolve(channel);
  }
  #refused(payload) {
    const message = decodeChannelOpenFailure(payload);
    const opening = this.#opening(message.recipient);
    opening.reject(new ChannelError("open-failed", {
      what: `Cannot open a ${opening.type} channel`,
      where: this.where,
      why: `server answered "${printable(message.description)}" (${message.reason})`,
      reason: message.reason,
      outcome: "not-started"
    }));
  }
  #opened(open) {
    const decision = this.#handlers.get(open.type)?.(open) ?? {
      reason: OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE,
      description: "not asked for"
    };
    if ("reason" in decision) {
      const { reason, description } = decision;
      return this.link.send(encodeChannelOpenFailure({
        recipient: open.sender,
        reason,
        description
      }));
    }
    const window = decision.window ?? DEFAULT_WINDOW_BYTES;
    const channel = new Channel(this.#owner, {
      type: open.type,
      localId: this.#allocateId(),
      remoteId: open.sender,
      receiveWindow: window,
      receiveMaxPacket: MAX_PACKET_BYTES2,
      sendWindow: open.window,
      sendMaxPacket: open.maxPacket
    });
    this.#channels.set(channel.localId, channel);
    this.link.send(encodeChannelOpenConfirmation({
      recipient: open.sender,
      sender: channel.localId,
      window,
      maxPacket: MAX_PACKET_BYTES2
    }));
    decision.accept(channel);
  }
  #globalRequest(payload) {
    const { wantReply } = decodeGlobalRequest(payload);
    if (wantReply) this.link.send(encodeGlobalReply(false));
  }
  #end(info) {
    if (this.#ended) return;
    this.#ended = info;
    for (const opening of this.#openings.values()) {
      opening.reject(this.#lostError(`Cannot open a ${opening.type} channel`, info));
    }
    this.#openings.clear();
    for (const reply of this.#replies.splice(0)) {
      reply.reject(this.#lostError(`Cannot learn the answer to ${reply.name}`, info));
    }
    for (const channel of [
      ...this.#channels.values()
    ]) channel.lost(info);
  }
  #lostError(what, info) {
    return new LinkError(info.how === "closed" ? "closed" : "lost", {
      what,
      where: this.where,
      why: info.why,
      cause: info.error,
      outcome: "not-started"
    });
  }
  #violation(why) {
    throw new ProtocolError({
      what: BROKE_PROTOCOL,
      where: this.where,
      why
    });
  }
};
function printable(text) {
  return text.slice(0, 200).replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
}

// lib/wire/session_requests.ts
function encodePtyRequest(pty) {
  return new Writer().utf8(pty.term).uint32(pty.columns).uint32(pty.rows).uint32(0).uint32(0).string(pty.modes ?? new Uint8Array([
    TTY_OP_END
  ])).finish();
}
var TTY_OP_END = 0;
function encodeEnvRequest(name, value) {
  return new Writer(8 + name.length + value.length).utf8(name).utf8(value).finish();
}
function encodeStringRequest(text) {
  return new Writer(4 + text.length).utf8(text).finish();
}
function encodeWindowChange(columns, rows) {
  return new Writer(16).uint32(columns).uint32(rows).uint32(0).uint32(0).finish();
}
function encodeSignalRequest(signal) {
  return encodeStringRequest(signal);
}
function decodeExitStatus(data) {
  return new Reader(data).uint32();
}
function decodeExitSignal(data) {
  const reader = new Reader(data);
  const signal = reader.utf8();
  const coreDumped = reader.boolean();
  return {
    signal,
    coreDumped,
    message: reader.remaining > 0 ? reader.text() : ""
  };
}

// lib/channel/session.ts
var Session = class _Session {
  /** Called once, when the requests have been sent. */
  onStart;
  /** Resolves when the channel is over; never rejects. */
  ended;
  #resolveEnded;
  /** Called when the server has told how the command ended; output may still come, while others hold its streams. */
  onReport;
  #report;
  #refused;
  #requestName = "";
  #started = false;
  /** Whether what starts the command has been sent. */
  #asked = false;
  #outputEnded = false;
  #channel;
  /** Opens another channel, where this one may have been closed before its request arrived. */
  #reopen;
  /** Something came back, or was sent that cannot be sent again: it is this channel or none. */
  #settled = Promise.withResolvers();
  #closed = false;
  #inputEnded = false;
  /** Writes that wait until it is settled. */
  #waitingWrites = 0;
  constructor(channel, reopen) {
    this.#channel = channel;
    this.#reopen = reopen;
    const { promise, resolve } = Promise.withResolvers();
    this.ended = promise;
    this.#resolveEnded = resolve;
    if (reopen === void 0) return;
    channel.attach({
      onData: () => {
      },
      onEof: () => {
      },
      onRequest: () => false,
      onClose: (lost) => this.#resolveEnded(this.#notStarted(lost))
    });
  }
  /**
   * Opens a session channel; rejects as `Connection.open` does. A `spare` may be closed by the server before what it is
   * asked for arrives: then it is asked for on another channel, once, as if nothing had happened.
   */
  static async open(connection, options = {}) {
    const channel = await connection.open("session", options);
    return new _Session(channel, options.spare ? () => connection.open("session") : void 0);
  }
  /** The channel it is on. */
  get channel() {
    return this.#channel;
  }
  get where() {
    return this.channel.where;
  }
  /**
   * Sends the requests that start the command. It does not wait for an answer: a refusal shows as an end with outcome
   * `not-started`.
   */
  start(request, options) {
    this.#started = true;
    if (this.#reopen !== void 0 && this.#channel.state !== "open") return options.onOutputEnd();
    this.#begin(request, options);
    this.onStart?.();
  }
  #begin(request, options) {
    const channel = this.#channel;
    channel.resizeReceiveWindow(DEFAULT_WINDOW_BYTES);
    channel.attach({
      onData: (data, extendedType) => {
        this.#settle();
        if (extendedType === void 0) options.onOutput(data, "stdout");
        else if (extendedType === EXTENDED_DATA_STDERR) options.onOutput(data, "stderr");
        else channel.consumed(data.length);
      },
      onEof: () => {
        this.#settle();
        this.#endOutput(options);
      },
      onRequest: (type, data) => this.#onRequest(type, data),
      onClose: (lost) => {
        if (lost === void 0 && this.#mayStartAnew) return void this.#startAnew(request, options);
        this.#settle();
        this.#endOutput(options);
        this.#resolveEnded(this.#asked || this.#refused ? this.#end(lost) : this.#notStarted(lost));
      }
    });
    if (options.agent) channel.notify("auth-agent-req@openssh.com");
    for (const [name, value] of Object.entries(options.env ?? {})) {
      channel.notify("env", encodeEnvRequest(name, value));
    }
    if (options.pty) this.#ask("pty-req", encodePtyRequest(options.pty), () => this.#run(request));
    else this.#run(request);
  }
  #run(request) {
    if (this.#closed) return;
    this.#asked = true;
    switch (request.kind) {
      case "exec":
        this.#ask("exec", encodeStringRequest(request.command));
        break;
      case "shell":
        this.#ask("shell");
        break;
      case "subsystem":
        this.#ask("subsystem", encodeStringRequest(request.name));
    }
    if (this.#inputEnded) this.#endInput();
  }
  /**
   * Whether the server closed the channel before it saw what we asked for. Had it seen the request, it would have
   * answered it first (RFC 4254 §5.4), so nothing was started.
   */
  get #mayStartAnew() {
    return this.#reopen !== void 0 && !this.#channel.answered && !this.#closed && this.#report === void 0 && this.#refused === void 0;
  }
  async #startAnew(request, options) {
    const reopen = this.#reopen;
    this.#reopen = void 0;
    try {
      this.#channel = await reopen();
    } catch (error) {
      this.#settled.resolve();
      this.#endOutput(options);
      const known = error instanceof LinkError || error instanceof ChannelError;
      return this.#resolveEnded({
        ...this.#notStarted(void 0),
        ...known ? {
          error
        } : {}
      });
    }
    this.#begin(request, options);
    this.#settled.resolve();
    if (this.#closed) this.#channel.close();
  }
  #settle() {
    this.#reopen = void 0;
    this.#settled.resolve();
  }
  #ask(name, data, onAccepted = () => {
  }) {
    this.#requestName = name;
    this.#channel.request(name, data).then((accepted) => {
      this.#settle();
      if (accepted) return onAccepted();
      this.#refused = new ChannelError("request-failed", {
        what: name === "pty-req" ? "Cannot get a pseudo-terminal" : `Cannot start the ${name} request`,
        where: this.where,
        why: `the server refused ${name}`,
        fix: FIXES[name],
        outcome: "not-started"
      });
      this.#channel.close();
    }, () => {
    });
  }
  #onRequest(type, data) {
    this.#settle();
    if (type === "exit-status") {
      this.#report ??= {
        code: decodeExitStatus(data),
        signal: null
      };
      this.onReport?.();
      return true;
    }
    if (type === "exit-signal") {
      this.#report ??= {
        code: null,
        signal: decodeExitSignal(data).signal
      };
      this.onReport?.();
      return true;
    }
    return false;
  }
  #endOutput(options) {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    options.onOutputEnd();
  }
  #notStarted(lost) {
    const what = "Cannot use a session";
    const { where } = this;
    const error = lost ? new LinkError(lost.how === "closed" ? "closed" : "lost", {
      what,
      where,
      why: lost.why,
      cause: lost.error,
      outcome: "not-started"
    }) : new ChannelError("closed", {
      what,
      where,
      why: "the server closed it before anything was started",
      outcome: "not-started"
    });
    return {
      outcome: "not-started",
      code: null,
      signal: null,
      error
    };
  }
  #end(lost) {
    if (this.#refused) return {
      outcome: "not-started",
      code: null,
      signal: null,
      error: this.#refused
    };
    if (this.#report) {
      const outcome = this.#report.signal === null ? "exited" : "signalled";
      return {
        outcome,
        ...this.#report,
        error: void 0
      };
    }
    const what = `Cannot tell how the ${this.#requestName} request ended`;
    const error = lost ? new LinkError(lost.how === "closed" ? "closed" : "lost", {
      what,
      where: this.where,
      why: lost.why,
      fix: "it may or may not have run: check before you repeat it",
      cause: lost.error,
      outcome: "unknown"
    }) : new ChannelError("closed", {
      what,
      where: this.where,
      why: "the channel was closed without an exit status",
      fix: "it may or may not have run: check before you repeat it",
      outcome: "unknown"
    });
    return {
      outcome: "unknown",
      code: null,
      signal: null,
      error
    };
  }
  /** Whether {@linkcode start} was called. */
  get started() {
    return this.#started;
  }
  /** Gives the window of `bytes` of output back: they have been read. */
  consumed(bytes) {
    this.channel.consumed(bytes);
  }
  /** Sends bytes to the remote standard input; see `Channel.write`. */
  async write(data) {
    if (this.#reopen !== void 0) {
      if (this.#channel.sendWindow === 0) {
        this.#waitingWrites++;
        await this.#settled.promise;
        this.#waitingWrites--;
      } else this.#settle();
    }
    return await this.#channel.write(data);
  }
  /** Ends the remote standard input. */
  endInput() {
    this.#inputEnded = true;
    if (this.#asked) this.#endInput();
  }
  /** Behind what starts the command, and behind what is still to be written. */
  #endInput() {
    if (this.#waitingWrites === 0) this.#channel.eof();
    else this.#settled.promise.then(() => this.#channel.eof());
  }
  /** Sends a signal to what runs (RFC 4254 §6.9); name without SIG. */
  signal(name) {
    this.#channel.notify("signal", encodeSignalRequest(name));
  }
  /** Nobody reads the output any more: OpenSSH's sshd closes the command's pipe (its PROTOCOL §2.1), others ignore it. */
  stopOutput() {
    this.#channel.notify("eow@openssh.com");
  }
  /** Tells the remote terminal its new size (RFC 4254 §6.7), in characters. */
  resize(columns, rows) {
    this.#channel.notify("window-change", encodeWindowChange(columns, rows));
  }
  /** Closes the channel at once; what runs remotely may go on. */
  close() {
    this.#closed = true;
    this.#channel.close();
  }
};
var FIXES = {
  "pty-req": "the account or key may forbid terminals (no-pty, PermitTTY)",
  subsystem: "the server does not offer it (Subsystem in sshd_config)",
  exec: "the account or key may forbid commands"
};

// lib/base/bytes.ts
function concat(chunks) {
  if (chunks.length === 1) return chunks[0];
  const joined = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}

// lib/wire/mux.ts
var MUX = {
  HELLO: 1,
  NEW_SESSION: 268435458,
  ALIVE_CHECK: 268435460,
  TERMINATE: 268435461,
  OPEN_FORWARD: 268435462,
  CLOSE_FORWARD: 268435463,
  NEW_STDIO_FORWARD: 268435464,
  STOP_LISTENING: 268435465,
  PROXY: 268435471,
  EXT_INFO: 536870913,
  OK: 2147483649,
  PERMISSION_DENIED: 2147483650,
  FAILURE: 2147483651,
  EXIT_MESSAGE: 2147483652,
  ALIVE: 2147483653,
  SESSION_OPENED: 2147483654,
  REMOTE_PORT: 2147483655,
  TTY_ALLOC_FAIL: 2147483656,
  PROXY_OK: 2147483663,
  EXT_INFO_REPLY: 2415919105
};
var MUX_VERSION = 4;
var MUX_MAX_PACKET_BYTES = 256 * 1024;
function packet(body) {
  const bytes = body.finish();
  return new Writer(4 + bytes.length).string(bytes).finish();
}
function encodeMuxHello(extensions = [], rttMs) {
  const body = new Writer().uint32(MUX.HELLO).uint32(MUX_VERSION);
  for (const name of extensions) body.utf8(name).utf8("0");
  if (rttMs !== void 0) body.utf8(MUX_RTT_EXTENSION).utf8(rttMs.toFixed(2));
  return packet(body);
}
var MUX_RTT_EXTENSION = "rtt@carpool";
function decodeMuxHello(body) {
  const version = body.uint32();
  const extensions = [];
  let rttMs;
  while (body.remaining > 0) {
    const name = body.text();
    const value = body.string();
    extensions.push(name);
    if (name !== MUX_RTT_EXTENSION) continue;
    const told = Number(new TextDecoder().decode(value));
    if (told >= 0) rttMs = told;
  }
  return {
    version,
    extensions,
    ...rttMs === void 0 ? {} : {
      rttMs
    }
  };
}
function encodeMuxPlain(type, requestId) {
  return packet(new Writer(8).uint32(type).uint32(requestId));
}
var MuxFrames = class {
  #chunks = [];
  #size = 0;
  push(chunk) {
    if (chunk.length === 0) return;
    this.#size += chunk.length;
    const last = this.#chunks.at(-1);
    if (last && last.buffer === chunk.buffer && last.byteOffset + last.length === chunk.byteOffset) {
      const joined = new Uint8Array(last.buffer, last.byteOffset, last.length + chunk.length);
      this.#chunks[this.#chunks.length - 1] = joined;
    } else this.#chunks.push(chunk);
  }
  /** The body of the next packet (without its length). */
  takeBytes() {
    if (this.#size < 4) return void 0;
    const first = this.#chunks[0];
    const length = uint32(first.length >= 4 ? first : this.#copy(4));
    if (length > MUX_MAX_PACKET_BYTES) {
      throw new ProtocolError({
        what: "Cannot read a control socket",
        why: `a packet of ${length} bytes, at most ${MUX_MAX_PACKET_BYTES} are allowed`
      }, "too-large");
    }
    if (this.#size < 4 + length) return void 0;
    const packet2 = first.length >= 4 + length ? first : this.#copy(4 + length);
    this.#drop(4 + length);
    return packet2.subarray(4, 4 + length);
  }
  /** How many bytes must come at least before there can be another packet: each has a type and a version or number. */
  get missing() {
    if (this.#size < 4) return 12 - this.#size;
    const first = this.#chunks[0];
    return Math.max(0, 4 + uint32(first.length >= 4 ? first : this.#copy(4)) - this.#size);
  }
  take() {
    const bytes = this.takeBytes();
    if (bytes === void 0) return void 0;
    const body = new Reader(bytes);
    return {
      type: body.uint32(),
      body
    };
  }
  /** Drops `count` bytes that are no packet (one per descriptor, after NEW_SESSION); false until they are here. */
  skip(count) {
    if (this.#size < count) return false;
    this.#drop(count);
    return true;
  }
  /** What has not been cut yet, for whoever takes over the stream (proxy mode). */
  rest() {
    const rest = this.#chunks.length === 1 ? this.#chunks[0] : this.#copy(this.#size);
    this.#chunks.length = 0;
    this.#size = 0;
    return rest;
  }
  /** The first `count` bytes, out of several pieces. */
  #copy(count) {
    const copy = new Uint8Array(count);
    let filled = 0;
    for (const chunk of this.#chunks) {
      copy.set(chunk.subarray(0, count - filled), filled);
      filled += Math.min(chunk.length, count - filled);
      if (filled === count) break;
    }
    return copy;
  }
  #drop(count) {
    this.#size -= count;
    let whole = 0;
    let left = count;
    while (whole < this.#chunks.length && this.#chunks[whole].length <= left) {
      left -= this.#chunks[whole++].length;
    }
    if (whole > 0) this.#chunks.splice(0, whole);
    if (left > 0) this.#chunks[0] = this.#chunks[0].subarray(left);
  }
};
function uint32(bytes) {
  return (bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]) >>> 0;
}

// lib/link/slab_reader.ts
var FIRST_SLAB_BYTES = 4 * 1024;
var MAX_SLAB_BYTES = 256 * 1024;
var SlabReader = class {
  #conn;
  #slab = new Uint8Array(FIRST_SLAB_BYTES);
  #used = 0;
  /** The most that one read has brought into this slab. */
  #most = 0;
  constructor(conn) {
    this.#conn = conn;
  }
  /** The next bytes, or null at the end. */
  async read() {
    if (this.#slab.length - this.#used < this.#slab.length / 16) {
      const size = Math.min(Math.max(this.#most * 4, FIRST_SLAB_BYTES), MAX_SLAB_BYTES);
      this.#slab = new Uint8Array(size);
      this.#used = this.#most = 0;
    }
    const count = await this.#conn.read(this.#slab.subarray(this.#used));
    if (count === null) return null;
    this.#used += count;
    this.#most = Math.max(this.#most, count);
    return this.#slab.subarray(this.#used - count, this.#used);
  }
};

// lib/link/framed_link.ts
var LOW_WATER_BYTES = 128 * 1024;
var MIN_PIECE_BYTES = 4 * 1024;
var MAX_PIECE_BYTES = 256 * 1024;
var GATHER_TURNS = 4;
var HEADER_BYTES = 5;
var PARTING_MS = 500;
var FramedLink = class {
  where;
  rttMs;
  closed;
  #conn;
  #resolveClosed;
  #frames = new MuxFrames();
  #early = [];
  #lostWhy;
  #handler;
  #pieces = [];
  #queuedBytes = 0;
  #writing;
  #drained = [];
  #writeError;
  #partingTimer;
  #ended = false;
  #closing;
  #connClosed = false;
  /**
   * @param initial bytes that were read from the socket before it went into proxy mode and belong to it.
   * @param lostWhy what to say when the other end closes the socket.
   */
  constructor(conn, where, options = {}) {
    this.where = where;
    this.rttMs = options.rttMs;
    this.#conn = conn;
    this.#lostWhy = options.lostWhy ?? "the master closed the control socket";
    const { promise, resolve } = Promise.withResolvers();
    this.closed = promise;
    this.#resolveClosed = resolve;
    if (options.initial) this.#frames.push(options.initial);
    this.#read();
  }
  get queuedBytes() {
    return this.#ended ? 0 : this.#queuedBytes;
  }
  drained() {
    if (this.#ended || this.#queuedBytes < LOW_WATER_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }
  /**
   * Copies the message into the stream that is going out: so a message that waits for a slow reader holds only its
   * own bytes, never the slab that it was read into.
   */
  send(payload) {
    if (this.#ended || this.#writeError !== void 0) return;
    const size = HEADER_BYTES + payload.length;
    const length = payload.length + 1;
    const piece = this.#pieceFor(size);
    const { bytes, end } = piece;
    bytes[end] = length >>> 24;
    bytes[end + 1] = length >>> 16;
    bytes[end + 2] = length >>> 8;
    bytes[end + 3] = length;
    bytes[end + 4] = 0;
    bytes.set(payload, end + HEADER_BYTES);
    piece.end += size;
    this.#queuedBytes += size;
    this.#writing ??= this.#write();
  }
  #pieceFor(size) {
    const last = this.#pieces.at(-1);
    if (last && last.bytes.length - last.end >= size) return last;
    const wanted = Math.min(Math.max(this.#queuedBytes * 2, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
    const piece = {
      bytes: new Uint8Array(Math.max(size, wanted)),
      start: 0,
      end: 0
    };
    this.#pieces.push(piece);
    return piece;
  }
  async #write() {
    for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve();
    try {
      for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
        if (piece.start < piece.end) {
          const written = await this.#conn.write(piece.bytes.subarray(piece.start, piece.end));
          piece.start += written;
          this.#queuedBytes -= written;
          if (this.#queuedBytes < LOW_WATER_BYTES) this.#wakeDrained();
        } else if (this.#pieces.length > 1 || piece.bytes.length > MIN_PIECE_BYTES) {
          this.#pieces.shift();
        } else {
          piece.start = piece.end = 0;
          break;
        }
      }
    } catch (error) {
      this.#writeFailed(error);
    } finally {
      this.#writing = void 0;
    }
  }
  /** The other end has gone; what it sent before is still to be read, perhaps how a command ended. */
  #writeFailed(error) {
    this.#writeError = error;
    this.#pieces.length = 0;
    this.#queuedBytes = 0;
    this.#wakeDrained();
    if (this.#ended) return;
    this.#partingTimer = setTimeout(() => this.#end({
      how: "lost",
      why: this.#lostWhy,
      error
    }), PARTING_MS);
  }
  #wakeDrained() {
    if (this.#drained.length === 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
  receive(handler) {
    this.#handler = handler;
    for (const payload of this.#early.splice(0)) this.#handle(payload);
  }
  async #read() {
    const reader = new SlabReader(this.#conn);
    try {
      this.#deliver();
      while (!this.#ended) {
        const bytes = await reader.read();
        if (bytes === null) break;
        this.#frames.push(bytes);
        this.#deliver();
      }
      this.#end({
        how: "lost",
        why: this.#lostWhy,
        error: this.#writeError
      });
    } catch (error) {
      if (error instanceof CarpoolError) this.#end({
        how: "failed",
        why: error.message,
        error
      });
      else this.#end({
        how: "lost",
        why: this.#lostWhy,
        error
      });
    }
  }
  #deliver() {
    for (let frame = this.#frames.takeBytes(); frame; frame = this.#frames.takeBytes()) {
      if (this.#ended) return;
      if (frame.length < 2) continue;
      const payload = frame.subarray(1);
      if (this.#handler) this.#handle(payload);
      else this.#early.push(payload);
    }
  }
  /** A fault of whoever handles the messages ends this link, and says so: it is not the other end's doing. */
  #handle(payload) {
    try {
      this.#handler(payload);
    } catch (error) {
      const why = error instanceof CarpoolError ? error.message : "a message could not be handled";
      this.close({
        how: "failed",
        why,
        error
      });
    }
  }
  /** Ends the link after what is queued has been written, or 500 ms, whichever comes first. Idempotent. */
  close(info = {
    how: "closed",
    why: "closed by this side"
  }) {
    return this.#closing ??= this.#close(info);
  }
  async #close(info) {
    if (this.#ended) return;
    this.#end(info, false);
    if (this.#writing) {
      let timer;
      const parted = new Promise((resolve) => timer = setTimeout(resolve, PARTING_MS));
      await Promise.race([
        this.#writing,
        parted
      ]);
      clearTimeout(timer);
    }
    this.#closeConn();
  }
  #end(info, closeConn = true) {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#partingTimer !== void 0) clearTimeout(this.#partingTimer);
    this.#wakeDrained();
    if (closeConn) this.#closeConn();
    this.#resolveClosed(info);
  }
  #closeConn() {
    if (this.#connClosed) return;
    this.#connClosed = true;
    this.#pieces.length = 0;
    try {
      this.#conn.close();
    } catch {
    }
  }
  async [Symbol.asyncDispose]() {
    await this.close();
  }
};

// lib/link/control_link.ts
var CONTROL_DEADLINE_MS = 4e3;
var REDIAL_MS = 10;
var ControlClient = class _ControlClient {
  path;
  conn;
  #deadlineMs;
  #reader;
  #frames = new MuxFrames();
  #nextRequestId = 0;
  #closed = false;
  #rttMs;
  constructor(path, conn, deadlineMs) {
    this.path = path;
    this.conn = conn;
    this.#deadlineMs = deadlineMs;
    this.#reader = new SlabReader(conn);
  }
  /** Connects and exchanges hellos. `first` is sent along with ours, to save a turn: its answer is read by the caller. */
  static async connect(path, options = {}, first) {
    const client = await _ControlClient.dial(path, options);
    try {
      const hello = encodeMuxHello();
      await client.write(first ? concat([
        hello,
        first
      ]) : hello);
      await client.greeted();
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }
  /** Connects and says nothing yet: the hello is the caller's to {@linkcode write}, and to await. */
  static async dial(path, options = {}) {
    const deadlineMs = options.deadlineMs ?? CONTROL_DEADLINE_MS;
    return new _ControlClient(path, await dial(path, deadlineMs), deadlineMs);
  }
  /** Reads the master's hello. */
  async greeted() {
    const { version, rttMs } = await this.#understand(await this.#read(), ({ type, body }) => {
      if (type !== MUX.HELLO) throw refused(this.path, `it answered with message 0x${type.toString(16)}`);
      return decodeMuxHello(body);
    });
    if (version !== MUX_VERSION) {
      throw refused(this.path, `it speaks version ${version} of the mux protocol, we ${MUX_VERSION}`);
    }
    this.#rttMs = rttMs;
  }
  /** The number for the next request; answers name it. */
  nextRequestId() {
    return this.#nextRequestId++;
  }
  /** Sends a request and reads its answer, positioned after the request id. Throws `MasterError` when it is a refusal. */
  async ask(message, requestId) {
    await this.write(message);
    return await this.answerTo(requestId);
  }
  /** Reads the answer to a request that has been sent. */
  async answerTo(requestId) {
    return this.#understand(await this.#read(), (packet2) => {
      const id = packet2.body.uint32();
      if (id !== requestId) throw refused(this.path, `it answered request ${id} instead of ${requestId}`);
      if (packet2.type === MUX.FAILURE || packet2.type === MUX.PERMISSION_DENIED) {
        throw refused(this.path, packet2.body.text());
      }
      return packet2;
    });
  }
  /** Asks for a sign of life; resolves with the master's process id. */
  async alive() {
    const id = this.nextRequestId();
    const answer = await this.ask(encodeMuxPlain(MUX.ALIVE_CHECK, id), id);
    return this.#understand(answer, ({ type, body }) => {
      if (type !== MUX.ALIVE) throw refused(this.path, `it answered with message 0x${type.toString(16)}`);
      return body.uint32();
    });
  }
  /** Reads the answer to request 0, which was to board. */
  async boarded() {
    const { type } = await this.answerTo(0);
    if (type !== MUX.PROXY_OK) {
      throw refused(this.path, "it does not know proxy mode (OpenSSH before 7.4)");
    }
  }
  /** Hands the socket over to a link, after {@linkcode boarded}. */
  board(where) {
    return new FramedLink(this.conn, where, {
      initial: this.handOver(),
      rttMs: this.#rttMs
    });
  }
  /** From now on the socket is the caller's. What was read from it and not understood yet. */
  handOver() {
    this.#closed = true;
    return this.#frames.rest();
  }
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }
  [Symbol.dispose]() {
    this.close();
  }
  /** Writes all of it, within the deadline. */
  async write(bytes) {
    await this.#within(async () => {
      for (let done = 0; done < bytes.length; ) done += await this.conn.write(bytes.subarray(done));
    });
  }
  /** The deadline is for the whole packet: bytes that trickle in do not prolong it. */
  #read() {
    return this.#within(async () => {
      for (; ; ) {
        const packet2 = this.#frames.take();
        if (packet2) return packet2;
        const bytes = await this.#reader.read();
        if (bytes === null) throw gone(this.path, "it closed the connection");
        this.#frames.push(bytes);
      }
    });
  }
  async #within(work) {
    try {
      return await withDeadline(work(), this.#deadlineMs, this.path);
    } catch (error) {
      throw this.#asMasterError(error);
    }
  }
  #understand(packet2, read) {
    try {
      return read(packet2);
    } catch (error) {
      throw this.#asMasterError(error);
    }
  }
  #asMasterError(error) {
    if (error instanceof MasterError) return error;
    if (error instanceof ProtocolError) {
      return refused(this.path, `it does not speak OpenSSH's mux protocol (${error.why})`);
    }
    return gone(this.path, "it closed the connection", error);
  }
};
var BOARD = encodeMuxPlain(MUX.PROXY, 0);
async function dial(path, deadlineMs) {
  const startedAt = performance.now();
  for (; ; ) {
    try {
      return await withDeadline(Deno.connect({
        transport: "unix",
        path
      }), deadlineMs, path, (late) => late.close());
    } catch (error) {
      if (error instanceof MasterError) throw error;
      if (!isBusy(error)) throw cannotDial(path, error);
      if (performance.now() - startedAt >= deadlineMs) throw wedged(path, deadlineMs);
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }
}
function isBusy(error) {
  return error instanceof Deno.errors.WouldBlock || error instanceof Error && /os error (11|35)\b/.test(error.message);
}
function cannotDial(path, cause) {
  if (cause instanceof Deno.errors.NotFound) return gone(path, "there is no such socket", cause);
  if (cause instanceof Deno.errors.ConnectionRefused) {
    return gone(path, "nobody listens there any more", cause);
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return refused(path, "the socket belongs to somebody else", cause);
  }
  const parts = {
    what: WHAT,
    where: path,
    cause,
    outcome: "not-started"
  };
  if (cause instanceof Deno.errors.NotCapable) {
    return new MasterError("no-keeper", {
      ...parts,
      why: "this program may not open control sockets",
      fix: `run it with --allow-read --allow-write --allow-net=unix:${path}`
    });
  }
  if (cause instanceof TypeError) {
    return new MasterError("bad-path", {
      ...parts,
      why: "the path is too long for a socket",
      fix: "use a shorter ControlPath, such as one with %C"
    });
  }
  return refused(path, cause instanceof Error ? cause.message : String(cause), cause);
}
async function withDeadline(promise, deadlineMs, path, discard) {
  const deadline = AbortSignal.timeout(deadlineMs);
  let expired = false;
  const { promise: late, reject } = Promise.withResolvers();
  const expire = () => {
    expired = true;
    reject(wedged(path, deadlineMs));
  };
  deadline.addEventListener("abort", expire, {
    once: true
  });
  if (discard) promise.then((value) => expired && discard(value), () => {
  });
  try {
    return await Promise.race([
      promise,
      late
    ]);
  } finally {
    deadline.removeEventListener("abort", expire);
  }
}
var WHAT = "Cannot ride the master";
function wedged(path, deadlineMs) {
  return new MasterError("wedged", {
    what: WHAT,
    where: path,
    why: `it did not answer within ${deadlineMs / 1e3} s`,
    fix: "end it, or remove its control socket",
    outcome: "not-started"
  });
}
function gone(path, why, cause) {
  return new MasterError("gone", {
    what: WHAT,
    where: path,
    why,
    cause,
    outcome: "not-started"
  });
}
function refused(path, why, cause) {
  return new MasterError("refused", {
    what: WHAT,
    where: path,
    why,
    cause,
    outcome: "not-started"
  });
}

// lib/link/eager_link.ts
async function openEagerLink(path, where, options = {}) {
  return new FramedLink(new EagerConn(await ControlClient.dial(path, options)), where);
}
var EagerConn = class {
  #client;
  #conn;
  #early = concat([
    encodeMuxHello(),
    BOARD
  ]);
  /** What came with the answers; undefined before they have come. */
  #rest;
  constructor(client) {
    this.#client = client;
    this.#conn = client.conn;
  }
  async read(buffer) {
    if (this.#rest === void 0) {
      await this.#client.greeted();
      await this.#client.boarded();
      this.#rest = this.#client.handOver();
    }
    if (this.#rest.length === 0) return await this.#conn.read(buffer);
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }
  async write(bytes) {
    if (this.#early.length === 0) return await this.#conn.write(bytes);
    const all = concat([
      this.#early,
      bytes
    ]);
    this.#early = new Uint8Array();
    await this.#client.write(all);
    return bytes.length;
  }
  close() {
    this.#conn.close();
  }
};

// lib/target/file_memory.ts
var SETTLED_AFTER_MS = 2500;
var ANSWERS_FOR_MS = 1e3;
var MOST_FILES = 64;
var seenAt = /* @__PURE__ */ new Map();
var looks = /* @__PURE__ */ new Map();
async function lookAt(path) {
  const now = performance.now();
  if (now - (seenAt.get(path) ?? -Infinity) < ANSWERS_FOR_MS) return Deno.statSync(path);
  const under = looks.get(path);
  if (under !== void 0) {
    await under.catch(() => {
    });
    return Deno.statSync(path);
  }
  const look = Deno.stat(path);
  looks.set(path, look);
  try {
    return await look;
  } finally {
    looks.delete(path);
    if (seenAt.size >= MOST_FILES) seenAt.clear();
    seenAt.set(path, performance.now());
  }
}
var FileMemory = class {
  #make;
  #now;
  #keepMs;
  #absent;
  #files = /* @__PURE__ */ new Map();
  #forgetting;
  constructor(make, options = {}) {
    this.#make = make;
    this.#now = options.now ?? (() => Date.now());
    this.#keepMs = options.keepMs;
    this.#absent = options.absent;
  }
  /** What is made of the file as it is now. Rejects as the making does. */
  async get(path) {
    const marks = await this.#marksOf(path);
    const known = this.#files.get(path);
    if (known !== void 0 && known.marks === marks) {
      this.#forgetLater();
      return await known.made;
    }
    this.#files.delete(path);
    if (marks === "absent" && this.#absent !== void 0) return this.#absent.made;
    const made = this.#make(path);
    if (marks === void 0 || marks === "absent") return await made;
    const remembered = {
      marks,
      made
    };
    this.#files.set(path, remembered);
    if (this.#files.size > MOST_FILES) this.#files.delete(this.#files.keys().next().value);
    this.#forgetLater();
    try {
      return await made;
    } catch (error) {
      if (this.#files.get(path) === remembered) this.#files.delete(path);
      throw error;
    }
  }
  /** What tells one state of a file from another; undefined where nothing does. */
  async #marksOf(path) {
    try {
      const { dev, ino, size, mode, uid, mtime, ctime, isFile } = await lookAt(path);
      const changedAt = Math.max(mtime?.getTime() ?? Infinity, ctime?.getTime() ?? 0);
      if (!isFile || this.#now() - changedAt < SETTLED_AFTER_MS) return void 0;
      return [
        dev,
        ino,
        size,
        mode,
        uid,
        mtime?.getTime(),
        ctime?.getTime()
      ].join();
    } catch (error) {
      return error instanceof Deno.errors.NotFound ? "absent" : void 0;
    }
  }
  #forgetLater() {
    if (this.#keepMs === void 0) return;
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#files.clear(), this.#keepMs);
    Deno.unrefTimer(this.#forgetting);
  }
};

// lib/target/local_account.ts
var LocalAccount = class _LocalAccount {
  #environment;
  #passwd;
  constructor(environment, passwd2) {
    this.#environment = environment;
    this.#passwd = passwd2;
  }
  static async load(environment) {
    const uid = ownUid();
    return new _LocalAccount(environment, uid === void 0 ? void 0 : await findAccount(uid));
  }
  get home() {
    const home = this.#environment.HOME || this.#passwd?.home;
    if (!home) throw lacking("the home directory", "set HOME");
    return home.length > 1 ? home.replace(/\/+$/, "") : home;
  }
  get userName() {
    const name = this.#passwd?.name || this.#environment.USER || this.#environment.LOGNAME;
    return name || lacks("the name of the local user", "allow --allow-sys, or set USER");
  }
  get uid() {
    return ownUid() ?? lacks("the user id", "allow --allow-sys=uid");
  }
  /** `%l`: with the domain, where the machine knows it. */
  get hostName() {
    try {
      return Deno.hostname();
    } catch (cause) {
      throw lacking("the name of this machine", "allow --allow-sys=hostname", cause);
    }
  }
  /** The home directory of another account, for `~name/…`; undefined where there is no such account. */
  async homeOf(name) {
    return (await passwdEntries()).find((entry) => entry.name === name)?.home;
  }
};
var passwd = new FileMemory(readPasswd);
function passwdEntries() {
  return passwd.get("/etc/passwd").catch(() => []);
}
async function readPasswd(path) {
  const text = await Deno.readTextFile(path);
  return text.split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 6).map(([name, , uid, , , home]) => ({
    name,
    uid: Number(uid),
    home
  }));
}
async function findAccount(uid) {
  const entry = (await passwdEntries()).find((entry2) => entry2.uid === uid);
  if (entry) return entry;
  try {
    const { userInfo } = await import("node:os");
    const { username, homedir } = userInfo();
    return {
      name: username,
      uid,
      home: homedir
    };
  } catch {
    return void 0;
  }
}
function ownUid() {
  try {
    return Deno.uid() ?? void 0;
  } catch {
    return void 0;
  }
}
function lacks(what, fix) {
  throw lacking(what, fix);
}
function lacking(what, fix, cause) {
  return new TargetError("bad-config", {
    what: "Cannot resolve the destination",
    why: `${what} is not known`,
    fix,
    cause
  });
}

// lib/master/identity.ts
var hashes = /* @__PURE__ */ new Map();
var MAX_HASHES = 32;
function hashOf(text) {
  let hash = hashes.get(text);
  if (hash === void 0) {
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hashes.set(text, hash = makeHash(text));
  }
  return hash;
}
async function makeHash(text) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [
    ...digest.subarray(0, 8)
  ].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// lib/master/places.ts
var KEEPER_PROTOCOL = 1;
var MASTER_PREFIX = `m${KEEPER_PROTOCOL}-`;
var MAX_SOCKET_PATH_BYTES = (Deno.build.os === "darwin" ? 104 : 108) - 1 - 18;
async function places(environment = {}) {
  const found = [];
  const { uid, hostName, home } = await whoWeAre(environment);
  const runtime = `/run/user/${uid}`;
  if (isOurs(runtime, uid) && await isAccountHome(home)) {
    found.push(placeAt(`${runtime}/carpool`));
  }
  const machine = hostName.length <= 20 ? hostName : `${hostName.slice(0, 11)}-${(await hashOf(hostName)).slice(0, 8)}`;
  if (home) found.push(placeAt(`${home}/.local/state/carpool/${machine}`));
  return found;
}
async function whoWeAre(environment) {
  try {
    const home = (environment.HOME || Deno.env.get("HOME") || await accountHome())?.replace(/(?<=.)\/+$/, "");
    return {
      uid: Deno.uid(),
      hostName: Deno.hostname(),
      home
    };
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new MasterError("no-keeper", {
      what: "Cannot look for the keeper",
      why: cause.message.replace(/, run again.*/s, ""),
      fix: "run with --allow-sys=uid,hostname --allow-env=HOME",
      cause,
      outcome: "not-started"
    });
  }
}
async function isAccountHome(home) {
  const account = await accountHome();
  return home === void 0 || account === void 0 || home === account;
}
async function accountHome() {
  try {
    return (await LocalAccount.load({})).home;
  } catch {
    return void 0;
  }
}
function placeAt(directory) {
  return {
    directory,
    keeperSocket: `${directory}/keeper-${KEEPER_PROTOCOL}.sock`,
    logFile: `${directory}/keeper-${KEEPER_PROTOCOL}.log`,
    lockFile: `${directory}/keeper-${KEEPER_PROTOCOL}.lock`,
    masterSocket: (key) => `${directory}/${MASTER_PREFIX}${key}.sock`,
    isMasterSocket: (name) => name.startsWith(MASTER_PREFIX)
  };
}
function isOurs(path, uid) {
  try {
    const info = Deno.lstatSync(path);
    return info.isDirectory && info.uid === uid;
  } catch {
    return false;
  }
}
function checkSocketPath(path) {
  const length = new TextEncoder().encode(path).length;
  if (length <= MAX_SOCKET_PATH_BYTES) return;
  throw new MasterError("bad-path", {
    what: "Cannot use this control path",
    where: path,
    why: `it has ${length} bytes, and a socket path may have at most ${MAX_SOCKET_PATH_BYTES}`,
    fix: "use a shorter ControlPath, such as one with %C",
    outcome: "not-started"
  });
}
function inspectSocket(path) {
  checkSocketPath(path);
  let info;
  try {
    info = Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return "missing";
    const noPermission = cause instanceof Deno.errors.NotCapable;
    throw new MasterError(noPermission ? "no-keeper" : "bad-path", {
      what: "Cannot look at the control path",
      where: path,
      why: noPermission ? "this program may not read it" : cause instanceof Error ? cause.message : String(cause),
      fix: noPermission ? "run with --allow-read" : void 0,
      cause,
      outcome: "not-started"
    });
  }
  const why = !info.isSocket ? "there is something else than a socket" : info.uid !== Deno.uid() ? "the socket belongs to somebody else" : (info.mode & 63) !== 0 ? "the socket is open to others" : void 0;
  if (why === void 0) return "socket";
  throw new MasterError("foreign-socket", {
    what: "Cannot use this control path",
    where: path,
    why,
    fix: "remove it, or use another ControlPath",
    outcome: "not-started"
  });
}

// lib/report/plain_text.ts
var csi = /(?:\x1b\[|\x9b)[0-?]*[ -\/]*[@-~]/g;
var strings = /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|(?=\n)|$)/g;
var escapes = /\x1b[ -\/]*[0-~]/g;
var controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
var invisible = /[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
function plainText(text) {
  if (!suspicious.test(text)) return text;
  return text.replace(strings, "").replace(csi, "").replace(escapes, "").replace(controls, "").replace(invisible, "");
}
var suspicious = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

// lib/cli/exit_status.ts
var exitStatus = {
  ok: 0,
  /** A step, a command or a copy failed. */
  failed: 1,
  /** Wrong use, or a file that cannot be used; nothing was contacted. */
  usage: 2,
  /** Nothing failed, but hosts could not be reached. */
  unreachable: 4,
  /** Ctrl-C, as a shell would say it: 128 + SIGINT. */
  interrupted: 130,
  /** `exec` on one host whose output nobody reads any more, as a shell would say it: 128 + SIGPIPE. */
  unread: 141,
  /** `exec` on one host: the command never ran, or its end is not known; as ssh has it. */
  sshFailed: 255
};

// lib/cli/warm_record.ts
var VERSION = 1;
var FICKLE = /* @__PURE__ */ new Set([
  "_",
  "PWD",
  "OLDPWD",
  "SHLVL",
  "COLUMNS",
  "LINES",
  "WINDOWID"
]);
async function recordFiles(question) {
  const environment = Object.entries(question.environment).filter(([name]) => !FICKLE.has(name)).sort();
  const key = await hashOf(JSON.stringify([
    VERSION,
    question.words,
    question.cwd,
    environment
  ]));
  return (await places(question.environment)).map(({ directory }) => `${directory}/w${key}.json`);
}
async function readRecord(question) {
  for (const file of await recordFiles(question)) {
    let record;
    try {
      record = JSON.parse(Deno.readTextFileSync(file));
    } catch {
      continue;
    }
    if (record.version === VERSION && record.sources.every(([path, stamp]) => same(stampOf(path), stamp))) {
      return record;
    }
  }
  return void 0;
}
function stampOf(path) {
  try {
    const { mtime, size } = Deno.statSync(path);
    return [
      mtime?.getTime() ?? 0,
      size
    ];
  } catch {
    return null;
  }
}
function same(a, b) {
  return a === b || a !== null && b !== null && a[0] === b[0] && a[1] === b[1];
}

// lib/cli/write.ts
function write(text, stream) {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; ) at += Deno[stream].writeSync(bytes.subarray(at));
}

// lib/cli/warm_exec.ts
var WITH_VALUE = /^-[FJilop]$/;
var PLAIN_HOST = /^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$/;
var UNREAD_MS = 2e3;
function readWarmCommand(args) {
  const words = [];
  let stdin = true;
  let verbose = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === "-n") stdin = false;
    else if (arg === "-v") verbose = true;
    else if (WITH_VALUE.test(arg) && at + 1 < args.length) words.push(arg, args[++at]);
    else if (PLAIN_HOST.test(arg) && args[at + 1] === "--") {
      const command = args.slice(at + 2).join(" ");
      if (command.trim() === "") return void 0;
      const question = {
        words: [
          ...words,
          arg
        ],
        cwd: Deno.cwd(),
        environment: Deno.env.toObject()
      };
      return {
        question,
        command,
        stdin,
        verbose
      };
    } else return void 0;
  }
  return void 0;
}
async function warmExec(args) {
  let warm;
  let record;
  let connection;
  let session;
  try {
    warm = readWarmCommand(args);
    record = warm && await readRecord(warm.question);
    if (warm === void 0 || record === void 0) return void 0;
    if (inspectSocket(record.controlPath) === "missing") return void 0;
    connection = new Connection(await openEagerLink(record.controlPath, record.where));
    session = await Session.open(connection, {
      spare: true
    });
  } catch {
    await connection?.close();
    return void 0;
  }
  if (warm.verbose) say(`Riding the master of ${record.where}: ${record.controlPath}`);
  const { end, interrupted, unread } = await runIn(session, warm, record.env);
  if (end.outcome === "exited") return end.code ?? exitStatus.sshFailed;
  if (interrupted) return exitStatus.interrupted;
  if (unread) return exitStatus.unread;
  const why = end.outcome === "signalled" ? `SIG${end.signal} ended it` : end.error?.message;
  const said = end.outcome === "signalled" ? `The command did not end by itself: ${record.where}: ${why}` : why;
  say(`carpool: ${said ?? "its end is not known"}`);
  return exitStatus.sshFailed;
}
function say(text) {
  write(`${plainText(text)}
`, "stderr");
}
async function runIn(session, { command, stdin }, env) {
  let interrupted = false;
  let unread = false;
  const interrupt = () => {
    if (interrupted) Deno.exit(exitStatus.interrupted);
    interrupted = true;
    session.signal("INT");
  };
  session.start({
    kind: "exec",
    command
  }, {
    env,
    onOutput: (data, stream) => {
      try {
        for (let at = 0; at < data.length && !unread; ) at += Deno[stream].writeSync(data.subarray(at));
      } catch (error) {
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        unread = true;
        session.stopOutput();
        setTimeout(() => Deno.exit(exitStatus.unread), UNREAD_MS);
      }
      session.consumed(data.length);
    },
    onOutputEnd: () => {
    }
  });
  const passes = stdin && !Deno.stdin.isTerminal();
  if (!passes) session.endInput();
  await Promise.resolve();
  Deno.addSignalListener("SIGINT", interrupt);
  if (passes) passInput(session);
  const end = await session.ended;
  return {
    end,
    interrupted,
    unread
  };
}
async function passInput(session) {
  try {
    for (; ; ) {
      const buffer = new Uint8Array(64 * 1024);
      const count = await Deno.stdin.read(buffer);
      if (count === null) return session.endInput();
      await session.write(buffer.subarray(0, count));
    }
  } catch {
  }
}
export {
  readWarmCommand,
  warmExec
};
