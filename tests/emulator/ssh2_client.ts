// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2: its objects are untyped here.
import net from "node:net";
import { ssh2 } from "../../lib/deps/ssh2.ts";
import type { EmbeddedHost } from "../../lib/emulator/embedded_host.ts";

export interface Ran {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A connection of ssh2's own client, as a peer that is not ours. */
export class Ssh2Client implements AsyncDisposable {
  readonly client: any;
  readonly #closed: Promise<void>;

  private constructor(client: any) {
    this.client = client;
    this.#closed = new Promise((resolve) => client.once("close", () => resolve()));
  }

  static async connect(
    host: EmbeddedHost,
    options: { port?: number; privateKey?: string; username?: string; password?: string } = {},
  ): Promise<Ssh2Client> {
    const sock = net.connect({ host: host.hostname, port: options.port ?? host.port, noDelay: true });
    const client = new ssh2.Client();
    const connection = new Ssh2Client(client);
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      client.on("error", reject);
      client.connect({
        sock,
        username: host.user,
        privateKey: host.clientKey,
        hostVerifier: (key: Uint8Array) =>
          key.length > 0 && host.hostKey.endsWith(btoa(String.fromCharCode(...key))),
        ...options,
        port: undefined,
      });
    });
    return connection;
  }

  /** Opens a session and starts a command on it. */
  start(command: string, options: Record<string, unknown> = {}): Promise<any> {
    return new Promise((resolve, reject) =>
      this.client.exec(
        command,
        options,
        (error: Error | undefined, channel: any) => error ? reject(error) : resolve(channel),
      )
    );
  }

  async run(command: string, stdin: string | Uint8Array = "", options = {}): Promise<Ran> {
    const channel = await this.start(command, options);
    const ended = outcome(channel);
    channel.end(stdin);
    return await ended;
  }

  sftp(): Promise<any> {
    return new Promise((resolve, reject) =>
      this.client.sftp((error: Error | undefined, sftp: any) => error ? reject(error) : resolve(sftp))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.end();
    await this.#closed;
  }
}

/** Collects what a command writes until its channel is closed. */
export function outcome(channel: any): Promise<Ran> {
  const decoder = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const text = { stdout: "", stderr: "" };
  let end: { code: number | null; signal: string | null } = { code: null, signal: null };
  channel.on("data", (bytes: Uint8Array) => text.stdout += decoder.stdout.decode(bytes, { stream: true }));
  channel.stderr.on(
    "data",
    (bytes: Uint8Array) => text.stderr += decoder.stderr.decode(bytes, { stream: true }),
  );
  channel.on("exit", (code: number | null, signal?: string) => end = { code, signal: signal ?? null });
  return new Promise((resolve) => channel.once("close", () => resolve({ ...end, ...text })));
}
