import { once } from "node:events";
import { Agent, createServer, request as send } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import type { Readable } from "node:stream";

/** A request that passed, or was to pass. */
export interface PassedRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Bytes of its body that have gone on to the service. */
  bytes: number;
  /** The status of the answer, once there is one. */
  status?: number;
}

/**
 * What goes wrong with one request:
 *
 * - `answer`: it does not reach the service; the proxy answers in its place, after it has read the body;
 * - `cut-request`: the connection is cut after so many bytes of the request's body;
 * - `cut-response`: the connection is cut after so many bytes of the answer's body;
 * - `swallow`: the service does what is asked, but the connection is cut instead of its answer;
 * - `stall`: the request is taken and nothing is ever answered;
 * - `stall-request`: nothing is taken any more after so many bytes of the request's body;
 * - `stall-response`: nothing comes any more after so many bytes of the answer's body;
 * - `corrupt-request`, `corrupt-response`: the byte at an offset is changed;
 * - `headers`: some headers of the answer are changed.
 */
export type Fault =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
    }
  | { readonly kind: "cut-request" | "cut-response" | "stall-request" | "stall-response"; readonly after: number }
  | { readonly kind: "corrupt-request" | "corrupt-response"; readonly at: number }
  | { readonly kind: "swallow" | "stall" }
  | { readonly kind: "headers"; readonly change: (headers: IncomingHttpHeaders) => IncomingHttpHeaders };

/** A fault and the requests that it strikes. */
interface Trap {
  readonly fault: Fault;
  readonly strikes: (request: PassedRequest) => boolean;
  left: number;
}

/** A reverse proxy between a provider and a service, which records every request and misbehaves on request. */
export class FaultyProxy {
  /** Everything that came, in order. */
  readonly requests: PassedRequest[] = [];
  readonly #target: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server;
  #traps: Trap[] = [];

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      this.#handle(request, response);
    });
  }

  /** Begins to listen on a free port of 127.0.0.1. */
  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(new URL(target));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** For instance `http://127.0.0.1:40124`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets the fault strike the next requests that match: so many of them, by default one. */
  misbehave(fault: Fault, strikes: (request: PassedRequest) => boolean = () => true, times = 1): void {
    this.#traps.push({ fault, strikes, left: times });
  }

  /** Faults that have not struck as often as they were told to. */
  get pending(): number {
    return this.#traps.filter(({ left }) => left > 0 && left !== Infinity).length;
  }

  /** Forgets the faults and the requests. */
  reset(): void {
    this.#traps = [];
    this.requests.length = 0;
  }

  /** Ends all connections. May be called more than once. */
  async stop(): Promise<void> {
    this.#agent.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const passed: PassedRequest = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      bytes: 0,
    };
    this.requests.push(passed);
    // A client that goes away is what is often tested.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    const trap = this.#traps.find(({ left, strikes }) => left > 0 && strikes(passed));
    if (trap !== undefined) trap.left -= 1;
    const fault = trap?.fault;
    if (fault?.kind === "stall") {
      request.resume();
    } else if (fault?.kind === "answer") {
      request.resume().on("end", () => {
        passed.status = fault.status;
        response.writeHead(fault.status, fault.headers).end(fault.body);
      });
    } else {
      this.#forward(request, response, passed, fault);
    }
  }

  #forward(request: IncomingMessage, response: ServerResponse, passed: PassedRequest, fault: Fault | undefined): void {
    const { hostname, port } = this.#target;
    const onward = send({
      host: hostname,
      port,
      method: passed.method,
      path: passed.url,
      // The host name too: it is part of what is signed.
      headers: request.headers,
      agent: this.#agent,
    });
    const cut = () => {
      onward.destroy();
      request.socket.destroy();
    };
    onward.on("error", cut);
    response.on("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
    onward.on("response", (answer) => {
      passed.status = answer.statusCode ?? 0;
      if (fault?.kind === "swallow") {
        answer.resume().on("end", cut);
        return;
      }
      const headers = fault?.kind === "headers" ? fault.change({ ...answer.headers }) : answer.headers;
      response.writeHead(answer.statusCode ?? 502, headers);
      answer.on("error", cut);
      through(answer, fault, "response", cut).pipe(response);
    });
    through(request, fault, "request", cut)
      .on("data", (chunk: Buffer) => (passed.bytes += chunk.length))
      .pipe(onward);
  }
}

/** The body of one direction, with the fault in it if it is of that direction. */
function through(
  body: Readable,
  fault: Fault | undefined,
  direction: "request" | "response",
  cut: () => void,
): Readable {
  if (fault === undefined) return body;
  let seen = 0;
  if (fault.kind === `corrupt-${direction}`) {
    const { at } = fault as { at: number };
    return body.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const changed = Buffer.from(chunk);
          const byte = changed[at - seen];
          if (byte !== undefined) changed[at - seen] = byte ^ 1;
          seen += chunk.length;
          done(null, changed);
        },
      }),
    );
  }
  if (fault.kind === `cut-${direction}` || fault.kind === `stall-${direction}`) {
    const { after } = fault as { after: number };
    return body.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const rest = chunk.subarray(0, Math.max(0, after - seen));
          seen += chunk.length;
          if (rest.length > 0) this.push(rest);
          if (seen < after) done();
          // What was pushed goes first.
          else if (fault.kind === `cut-${direction}`) setTimeout(cut, 1);
        },
      }),
    );
  }
  return body;
}
