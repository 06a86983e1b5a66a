import type { Connection } from "./connection.ts";

export interface KeepaliveOptions {
  /** Milliseconds of silence after which the server is asked for a sign of life; 0: never. */
  readonly intervalMs: number;
  /** Questions without an answer after which the connection counts as lost. */
  readonly countMax: number;
}

/**
 * Asks a silent server for a sign of life (ssh_config(5), ServerAliveInterval), and ends the link when it gives none.
 * Anything that arrives counts as an answer. Stops by itself when the connection ends.
 */
export function keepAlive(connection: Connection, options: KeepaliveOptions): void {
  const { intervalMs, countMax } = options;
  if (intervalMs <= 0) return;
  let unanswered = 0;
  let heardAt = connection.lastReceivedAt;
  const timer = setInterval(() => {
    if (connection.lastReceivedAt > heardAt) {
      heardAt = connection.lastReceivedAt;
      unanswered = 0;
      if (performance.now() - heardAt < intervalMs) return;
    }
    if (unanswered >= countMax) {
      connection.link.close({
        how: "lost",
        why: `the server did not answer ${countMax} times, ${intervalMs / 1000} s apart`,
      });
      return;
    }
    unanswered++;
    connection.request("keepalive@openssh.com").then(() => unanswered = 0, () => {});
  }, intervalMs);
  Deno.unrefTimer(timer as unknown as number);
  connection.closed.then(() => clearInterval(timer));
}

/** Whether the server answers within `deadlineMs`: a round trip that proves the whole path, not just the socket. */
export async function probe(connection: Connection, deadlineMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), deadlineMs));
  try {
    return await Promise.race([
      connection.request("keepalive@openssh.com").then(() => true, () => false),
      deadline,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
