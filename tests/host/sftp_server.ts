/** SFTP servers for tests: OpenSSH's own over pipes, and a scripted one that misbehaves on demand. */
import { FX } from "../../lib/wire/sftp.ts";
import { SftpFrames } from "../../lib/wire/sftp_frames.ts";
import { SftpClient, type SftpTransport } from "../../lib/host/sftp_client.ts";
import { openssh } from "../support/openssh.ts";
import * as peer from "../wire/sftp_packets.ts";

export const WHERE = "deploy@web1:22";

export interface RealServerOptions {
  /** Shell commands before the server starts, in its process: `ulimit -f 64`. */
  readonly prelude?: string;
  /** The server's working directory, which stands for the home. */
  readonly cwd?: string;
  /** The server is killed when so many bytes have gone up to it, or come down from it. */
  readonly cutAfter?: { readonly up?: number; readonly down?: number };
  /** Requests that the server refuses (`sftp-server -P`). */
  readonly refuse?: readonly string[];
}

/** A real `sftp-server` process. Ends with its transport. */
export async function realServer(options: RealServerOptions = {}): Promise<SftpTransport> {
  const { sftpServer } = await openssh();
  const refuse = options.refuse ? `-P ${options.refuse.join(",")}` : "";
  const child = new Deno.Command("sh", {
    args: ["-c", `${options.prelude ?? ":"}\nexec "$0" ${refuse}`, sftpServer],
    cwd: options.cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch { /* it has left by itself */ }
  };
  const cut = (limit = Infinity) => {
    let passed = 0;
    return new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        passed += chunk.length;
        if (passed > limit) kill();
        else controller.enqueue(chunk);
      },
    });
  };
  const up = cut(options.cutAfter?.up);
  const pumping = up.readable.pipeTo(child.stdin).catch(() => {});
  return {
    where: WHERE,
    readable: child.stdout.pipeThrough(cut(options.cutAfter?.down)),
    writable: up.writable,
    async [Symbol.asyncDispose]() {
      kill();
      await child.status;
      await pumping;
    },
  };
}

export async function realClient(options?: RealServerOptions): Promise<SftpClient> {
  return await SftpClient.open(await realServer(options));
}

/** Answers one request; nothing for none. `close` ends the session after what is returned. */
export type Script = (request: peer.Request, close: () => void) => Uint8Array | Uint8Array[] | void;

export interface ScriptedOptions {
  readonly extensions?: readonly string[];
  readonly version?: number;
}

/** A server of a few lines. It speaks version 3 with no extensions unless told otherwise. */
export function scriptedServer(script: Script, options: ScriptedOptions = {}): SftpTransport {
  const down = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: Infinity });
  const writer = down.writable.getWriter();
  const frames = new SftpFrames();
  let started = false;
  let closed = false;
  const close = () => {
    closed = true;
    writer.close().catch(() => {});
  };
  writer.closed.catch(() => {});
  const send = (packet: Uint8Array) => void writer.write(packet).catch(() => {});
  return {
    where: WHERE,
    readable: down.readable,
    writable: new WritableStream({
      write(chunk) {
        for (const packet of frames.push(chunk)) {
          if (closed) return;
          if (!started) {
            started = true;
            send(peer.version(options.version ?? 3, options.extensions));
            continue;
          }
          let ending = false;
          for (const answer of [script(peer.readRequest(packet), () => ending = true) ?? []].flat()) {
            send(answer);
          }
          if (ending) close();
        }
      },
    }),
    [Symbol.asyncDispose]() {
      if (!closed) close();
      return Promise.resolve();
    },
  };
}

export async function scriptedClient(script: Script, options?: ScriptedOptions): Promise<SftpClient> {
  return await SftpClient.open(scriptedServer(script, options));
}

/** What a server says that knows nothing of a request. */
export function unsupported(request: peer.Request): Uint8Array {
  return peer.status(request.id, FX.OP_UNSUPPORTED);
}

/** A directory that is removed, whatever its modes. */
export async function tempDir(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "carpool-copy-" }));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await new Deno.Command("chmod", { args: ["-R", "u+rwx", path], stderr: "null" }).output();
      await Deno.remove(path, { recursive: true });
    },
  };
}

/** Names of temporary files that were left behind anywhere below `path`. */
export async function leftBehind(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    if (entry.name.includes(".carpool-")) found.push(entry.name);
    if (entry.isDirectory) found.push(...await leftBehind(`${path}/${entry.name}`));
  }
  return found;
}

/** Everything below `path`, one line each: kind, mode, time in seconds, contents. */
export async function snapshot(path: string, prefix = ""): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name } of Deno.readDir(path)) {
    const full = `${path}/${name}`;
    const info = await Deno.lstat(full);
    const at = prefix + name;
    const mode = (info.mode! & 0o7777).toString(8);
    const time = Math.floor(info.mtime!.getTime() / 1000);
    if (info.isSymlink) lines.push(`${at} -> ${await Deno.readLink(full)}`);
    else if (info.isDirectory) lines.push(`${at}/ ${mode} ${time}`, ...await snapshot(full, `${at}/`));
    else {
      const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(full));
      lines.push(`${at} ${mode} ${time} ${info.size} ${new Uint8Array(hash).toHex()}`);
    }
  }
  return lines.sort();
}
