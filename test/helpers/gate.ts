import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A port of this machine that lets connections pass to another one, but only once it is opened. */
export class Gate {
  /** Resolves when somebody waits before the gate. */
  readonly knocked: Promise<unknown>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #opened = Promise.withResolvers<undefined>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.knocked = once(server, "connection");
    server.on("connection", (socket: Socket) => {
      this.#keep(socket);
      void this.#opened.promise.then(() => {
        const onward = this.#keep(connect(target, "127.0.0.1"));
        socket.pipe(onward).pipe(socket);
      });
    });
  }

  static async before(target: number): Promise<Gate> {
    const server = createServer();
    const gate = new Gate(server, target);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  open(): void {
    this.#opened.resolve(undefined);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on("error", () => socket.destroy());
  }
}
