/** How a link ended. */
export interface CloseInfo {
  /** `closed`: we ended it. `lost`: the peer or the network did. `failed`: the peer broke the protocol. */
  readonly how: "closed" | "lost" | "failed";
  /** In words, for messages: "the server closed the connection". */
  readonly why: string;
  /** The error underneath, where there was one. */
  readonly error?: unknown;
}

/**
 * Whatever carries RFC 4254 connection-protocol messages to one host, and nothing more. Transport, host keys and
 * authentication are already behind it.
 *
 * Payloads are whole messages, first byte the message number (80–127), in order, none lost while the link lives.
 */
export interface Link extends AsyncDisposable {
  /** Where it leads, for messages: `deploy@web1:22`. */
  readonly where: string;
  /** A round trip to the server, in milliseconds, where whoever made the link has seen one: it may have been longer than need be. */
  readonly rttMs?: number | undefined;
  /** Sends one message. The link owns `payload` from here on. After the end it is dropped: watch {@linkcode closed}. */
  send(payload: Uint8Array): void;
  /** Bytes accepted by {@linkcode send} that have not left yet; 0 once the link has ended. */
  readonly queuedBytes: number;
  /** Resolves when {@linkcode queuedBytes} has fallen below the link's low-water mark, or the link has ended. */
  drained(): Promise<void>;
  /**
   * Delivers each message that arrives, in order, synchronously. Set once, by the one connection above; messages that
   * came before are delivered first. The payload belongs to the handler, which may keep it.
   */
  receive(handler: (payload: Uint8Array) => void): void;
  /** Resolves once, when the link has ended, whoever ended it; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Ends the link; idempotent. */
  close(info?: CloseInfo): Promise<void>;
}
