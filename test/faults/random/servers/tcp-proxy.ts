import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/**
 * What a network does to the connections through it:
 *
 * - `refuse`: nobody listens any more, and what was connected is cut;
 * - `cut`: each connection is cut after so many bytes;
 * - `slow`: so many bytes a second pass;
 * - `hang`: after so many bytes nothing passes any more, and the connection stays open;
 * - `status`: whatever is asked next is answered with this HTTP status;
 * - `flip`: one bit of the byte at that place is turned, once.
 */
export type Trouble =
  | { readonly kind: "refuse" }
  | { readonly kind: "cut" | "hang"; readonly after: number }
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "flip"; readonly after: number; readonly direction: "up" | "down" };

/** Both ends of a connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that passed since the trouble began, by direction. */
  readonly passed: { up: number; down: number };
  hung: boolean;
}

/** A proxy for TCP that passes everything on until it gets a fault to make. */
export class TcpProxy {
  /** The port of 127.0.0.1 that it listens on. */
  readonly port: number;
  /** Connections or pieces that the trouble has struck. */
  struck = 0;
  /** Hears what clients send, before it is passed on. */
  overhear: ((sent: string) => void) | undefined;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #server: Server;
  #trouble: Trouble | undefined;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket: Socket) => {
      this.#accept(socket);
    });
  }

  /** @param target the port of 127.0.0.1 to which everything is passed on */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, target);
  }

  /** Begins to make trouble, for connections that are open too. */
  async strike(trouble: Trouble): Promise<void> {
    this.#trouble = trouble;
    for (const pair of this.#pairs) Object.assign(pair.passed, { up: 0, down: 0 });
    if (trouble.kind === "refuse") {
      this.struck += 1;
      await this.#close();
    }
  }

  /** Ends the trouble. Connections that hung are cut, as a router does that has started again. */
  async heal(): Promise<void> {
    this.#trouble = undefined;
    for (const pair of this.#pairs) if (pair.hung) cut(pair);
    if (this.#server.listening) return;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket);
    }).listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Cuts everything and listens no more. */
  async stop(): Promise<void> {
    this.#trouble = undefined;
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const pair of this.#pairs) cut(pair);
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true });
    const pair: Pair = { client, server, passed: { up: 0, down: 0 }, hung: false };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {
        cut(pair);
      });
      socket.on("close", () => {
        this.#pairs.delete(pair);
        cut(pair);
      });
    }
    this.#join(pair, "up");
    this.#join(pair, "down");
  }

  #join(pair: Pair, direction: "up" | "down"): void {
    const [from, to] = direction === "up" ? [pair.client, pair.server] : [pair.server, pair.client];
    from.on("data", (chunk: Buffer) => {
      if (direction === "up") this.overhear?.(chunk.toString("latin1"));
      const passing = this.#suffer(pair, direction, chunk);
      if (passing === undefined) return;
      const goOn = () => {
        if (!pair.hung) from.resume();
      };
      const waitMs = this.#trouble?.kind === "slow" ? (chunk.length / this.#trouble.bytesPerSecond) * 1000 : 0;
      const full = !to.write(passing);
      if (waitMs > 0) {
        this.struck += 1;
        from.pause();
        setTimeout(goOn, waitMs);
      } else if (full) {
        from.pause();
        to.once("drain", goOn);
      }
    });
    from.on("end", () => {
      if (!pair.hung) to.end();
    });
  }

  /** What of a piece passes; undefined where nothing does. */
  #suffer(pair: Pair, direction: "up" | "down", chunk: Buffer): Buffer | undefined {
    const trouble = this.#trouble;
    const before = pair.passed[direction];
    pair.passed[direction] += chunk.length;
    switch (trouble?.kind) {
      case "cut":
      case "hang":
        if (before + chunk.length <= trouble.after) return chunk;
        this.struck += 1;
        if (trouble.kind === "cut") cut(pair);
        else hang(pair);
        return undefined;
      case "status":
        if (direction === "down") return chunk;
        this.struck += 1;
        pair.client.end(
          `HTTP/1.1 ${trouble.status} Out of order\r\nContent-Length: 0\r\nRetry-After: 0\r\nConnection: close\r\n\r\n`,
        );
        pair.server.destroy();
        return undefined;
      case "flip": {
        const at = trouble.after - before;
        if (trouble.direction !== direction || at < 0 || at >= chunk.length) return chunk;
        this.struck += 1;
        this.#trouble = undefined;
        const turned = Buffer.from(chunk);
        turned[at] = (turned[at] ?? 0) ^ 1;
        return turned;
      }
      case "refuse":
      case "slow":
      case undefined:
        return chunk;
    }
  }
}

function cut({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}

function hang(pair: Pair): void {
  pair.hung = true;
  pair.client.pause();
  pair.server.pause();
}
