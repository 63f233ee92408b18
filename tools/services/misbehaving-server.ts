import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

/**
 * How a service may fare: `slow` answers after {@link SLOW_MS}, `refuse` with 429 and a Retry-After, `fail` with 500, `hang`
 * never, `cut` closes the connection in the place of an answer.
 */
export type Behaviour = "answer" | "slow" | "refuse" | "fail" | "hang" | "cut";

/** Milliseconds before a slow answer: longer than anybody may be held up. */
const SLOW_MS = 5_000;

/** A request, read to its end. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Buffer;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** An HTTP server that notes every request before it answers, or does not. */
export class MisbehavingServer {
  /** Everything that arrived, whatever became of it. */
  readonly received: ReceivedRequest[] = [];
  /** May be changed at any time. */
  behaviour: Behaviour = "answer";
  readonly #answer: (request: ReceivedRequest) => Answer;
  readonly #server = createServer((request, response) => {
    this.#take(request, response).catch((error: unknown) => {
      // A client that is killed in mid-request is none of the server's business.
      response.destroy(error as Error);
    });
  });

  constructor(answer: (request: ReceivedRequest) => Answer) {
    this.#answer = answer;
  }

  /** Begins to listen on a free port of 127.0.0.1. */
  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections and listens no more. May be called more than once. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await buffer(message);
    const url = new URL(message.url ?? "/", "http://localhost");
    const request: ReceivedRequest = {
      method: message.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers: message.headers,
      body: message.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw,
    };
    this.received.push(request);
    switch (this.behaviour) {
      case "hang":
        return;
      case "cut":
        message.socket.destroy();
        return;
      case "refuse":
        response.writeHead(429, { "retry-after": "60" }).end("too many requests");
        return;
      case "fail":
        response.writeHead(500).end("out of order");
        return;
      case "slow":
        await sleep(SLOW_MS, undefined, { ref: false });
        break;
      case "answer":
    }
    const { status, body } = this.#answer(request);
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  }
}
