import type { ListenHereOptions } from "./local_listener.ts";

export interface ForwardOptions extends ListenHereOptions {
  /** Gives up opening it; a listener that the server still makes is cancelled. Without effect once it is open. */
  readonly signal?: AbortSignal;
  /** Connections at a time: more wait in the listener's queue, or are refused on the server. Default 1024. */
  readonly maxConnections?: number;
  /** Hears why one connection through the forward could not be made; the forward itself goes on. */
  readonly onConnectionError?: (error: unknown) => void;
}

/** What serves a forward's listener: made here or on the server. */
export interface ForwardServer {
  /** Where it listens; undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Takes no more connections; resolves when the listener is gone. Never rejects. Called once. */
  close(): Promise<void>;
}
