import net from "node:net";

/** A TCP server for a test: what it does with each connection is given. */
export class TcpServer implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  /** Connections accepted so far. */
  accepted = 0;

  private constructor(serve: (socket: net.Socket) => void) {
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
      serve(socket);
    });
  }

  static async start(serve: (socket: net.Socket) => void): Promise<TcpServer> {
    const server = new TcpServer(serve);
    await new Promise<void>((resolve) => server.#server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return server;
  }

  get address(): { hostname: string; port: number } {
    return { hostname: "127.0.0.1", port: (this.#server.address() as net.AddressInfo).port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The other side of a test's connection. */
export class TcpClient implements AsyncDisposable {
  readonly socket: net.Socket;
  /** Resolves when the socket is closed, with its error's code if it had one. */
  readonly closed: Promise<string | undefined>;
  readonly #arrived: Uint8Array[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: net.Socket) {
    this.socket = socket;
    let code: string | undefined;
    socket.on("error", (error: Error & { code?: string }) => code = error.code);
    socket.on("data", (bytes: Uint8Array) => {
      this.#arrived.push(bytes);
      this.#rouse();
    });
    const end = () => {
      this.#ended = true;
      this.#rouse();
    };
    socket.once("end", end);
    this.closed = new Promise((resolve) =>
      socket.once("close", () => {
        end();
        resolve(code);
      })
    );
  }

  static async connect(to: { hostname: string; port: number }): Promise<TcpClient> {
    const socket = net.connect({ host: to.hostname, port: to.port, noDelay: true, allowHalfOpen: true });
    const client = new TcpClient(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
    return client;
  }

  get receivedBytes(): number {
    return this.#arrived.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Waits until `length` bytes have come, or the peer has ended, and takes them. */
  async take(length: number): Promise<Uint8Array> {
    while (this.receivedBytes < length && !this.#ended) await this.#wake.promise;
    const whole = await new Blob(this.#arrived.splice(0) as BlobPart[]).bytes();
    if (whole.length > length) this.#arrived.push(whole.subarray(length));
    return whole.subarray(0, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #rouse(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Sends back what comes, and ends when the peer ends. */
export function echo(socket: net.Socket): void {
  socket.pipe(socket);
}
