import { Duplex } from "node:stream";
import net from "node:net";
import { setImmediate } from "node:timers";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { LinkError, type LinkErrorCode } from "../base/errors.ts";
import { abortable } from "../deps/std_async.ts";
import type { Channel } from "../channel/channel.ts";
import type { Target } from "../target/target.ts";

/** A byte pipe to an SSH server, before anything of SSH is spoken on it. */
export type Carrier = Duplex;

/**
 * Connects to the target's own address by TCP. `TCP_NODELAY` is set: ssh2 never does, and without it each command
 * stalls 40–90 ms on Nagle's algorithm meeting delayed acknowledgements.
 */
export async function dialTcp(target: Target, signal?: AbortSignal): Promise<Carrier> {
  for (let attempt = 1;; attempt++) {
    try {
      return await dialOnce(target, signal);
    } catch (error) {
      if (attempt >= target.connectionAttempts || !(error instanceof LinkError)) throw error;
    }
  }
}

function dialOnce(target: Target, signal: AbortSignal | undefined): Promise<Carrier> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      host: target.host,
      port: target.port,
      family: target.addressFamily === "inet" ? 4 : target.addressFamily === "inet6" ? 6 : 0,
      localAddress: target.bindAddress,
      noDelay: true,
      keepAlive: target.tcpKeepAlive,
    });
    const timer = target.connectTimeoutMs === undefined ? undefined : setTimeout(() => {
      give(
        new LinkError("timeout", {
          what: "Cannot connect",
          where: target.where,
          why: `no answer within ${target.connectTimeoutMs! / 1000} s`,
          fix: "check the address and the network, or raise connectTimeout",
          outcome: "not-started",
        }),
      );
    }, target.connectTimeoutMs);
    const abort = () => give(signal?.reason);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      socket.off("error", failed);
    };
    const give = (error: unknown) => {
      settle();
      socket.on("error", () => {}); // a late error of a socket that nobody wants any more
      socket.destroy();
      reject(error);
    };
    const failed = (error: Error) => give(dialError(target, error));
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("error", failed);
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
  });
}

const REASONS: Readonly<Record<string, { code: LinkErrorCode; why: string; fix: string }>> = {
  ENOTFOUND: {
    code: "unknown-host",
    why: "the name does not resolve",
    fix: "check its spelling, HostName in ssh_config, and DNS",
  },
  EAI_AGAIN: { code: "unknown-host", why: "the name does not resolve now", fix: "check DNS and the network" },
  ECONNREFUSED: {
    code: "refused",
    why: "connection refused",
    fix: "check the port and that sshd runs there",
  },
  ETIMEDOUT: { code: "timeout", why: "no answer", fix: "check the address, the network and firewalls" },
  EHOSTUNREACH: { code: "unreachable", why: "no route to the host", fix: "check the network" },
  ENETUNREACH: { code: "unreachable", why: "the network is unreachable", fix: "check the network" },
  EACCES: { code: "unreachable", why: "permission denied", fix: "allow network access (--allow-net)" },
};

function dialError(target: Target, cause: Error): LinkError {
  const code = (cause as { code?: string }).code ?? "";
  const known = REASONS[code] ??
    (cause.name === "NotCapable"
      ? REASONS.EACCES
      : /resolve|lookup/.test(cause.message)
      ? REASONS.ENOTFOUND
      : undefined);
  return new LinkError(known?.code ?? "unreachable", {
    what: "Cannot connect",
    where: target.where,
    why: known?.why ?? cause.message,
    fix: known?.fix,
    cause,
    outcome: "not-started",
  });
}

/** Runs the target's ProxyCommand in a shell and takes its standard input and output as the pipe. */
export async function dialProxyCommand(
  target: Target,
  command: string,
  signal?: AbortSignal,
): Promise<Carrier> {
  signal?.throwIfAborted();
  const shell = target.environment.SHELL || "/bin/sh";
  const child = spawn(shell, ["-c", `exec ${command}`], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...target.environment },
  });
  const failure = (why: string, cause?: unknown) =>
    new LinkError("proxy-failed", {
      what: "Cannot connect through the ProxyCommand",
      where: target.where,
      why,
      fix: `try it by hand: ${command}`,
      cause,
      outcome: "not-started",
    });
  const started = new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(failure(cause.message, cause)));
  });
  await (signal ? abortable(started, signal) : started);
  child.stdin.on("error", () => {}); // EPIPE when it leaves: the end of its output tells
  const carrier = new Duplex({
    read: () => child.stdout.resume(),
    write: (chunk, _encoding, done) => void child.stdin.write(chunk, () => done()),
    final: (done) => void child.stdin.end(() => done()),
    destroy: (error, done) => {
      child.stdin.destroy();
      child.stdout.destroy();
      child.kill("SIGHUP");
      done(error);
    },
  });
  child.stdout.on("data", (chunk) => {
    if (!carrier.push(chunk)) child.stdout.pause();
  });
  let heard = false;
  child.stdout.once("data", () => heard = true);
  child.once("exit", (code, bySignal) => {
    if (!heard) {
      carrier.destroy(failure(bySignal ? `it was ended by ${bySignal}` : `it exited with status ${code}`));
    }
  });
  child.stdout.once("end", () => carrier.push(null));
  return carrier;
}

/** A direct-tcpip channel through a jump host, as a byte pipe with the channel's own backpressure. */
export function carryOverChannel(channel: Channel): Carrier {
  let unread = 0;
  const carrier = new Duplex({
    read: () => {
      channel.consumed(unread);
      unread = 0;
    },
    // Only later, and all at once: ssh2 writes a packet in pieces while it is encrypting, with buffers that all its
    // connections share, and what is written here is encrypted again by the connection that carries it.
    writev: (chunks, done) => {
      setImmediate(() => {
        const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer));
        channel.write(bytes).then(() => done(), done);
      });
    },
    final: (done) => {
      channel.eof();
      done();
    },
    destroy: (error, done) => {
      channel.close();
      done(error);
    },
  });
  channel.attach({
    onData: (data, extendedType) => {
      if (extendedType !== undefined) return channel.consumed(data.length);
      if (carrier.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength))) {
        channel.consumed(data.length);
      } else unread += data.length;
    },
    onEof: () => carrier.push(null),
    onRequest: () => false,
    onClose: () => {
      carrier.push(null);
      carrier.destroy();
    },
  });
  return carrier;
}
