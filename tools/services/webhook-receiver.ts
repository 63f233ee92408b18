import { MisbehavingServer, type Answer, type ReceivedRequest } from "./misbehaving-server.ts";

/** A message as the service understands it. */
export interface Ping {
  readonly signal: "start" | "success" | "fail" | "log";
  readonly body: string;
}

/** Bytes that healthchecks.io keeps of a body. */
const LONGEST_BODY = 100_000;

/** A heartbeat service in the manner of healthchecks.io with one check. Strict: it refuses what the convention lacks. */
export class WebhookReceiver extends MisbehavingServer {
  /** The messages that were taken. */
  readonly pings: Ping[] = [];
  /** Why messages were not. */
  readonly refusals: string[] = [];
  readonly #key: string;

  /** @param key the check's, the only path that the service knows. */
  constructor(key: string) {
    super((request) => this.#ping(request));
    this.#key = key;
  }

  get url(): string {
    return `http://${this.host}/${this.#key}`;
  }

  #ping({ method, path, query, headers, body }: ReceivedRequest): Answer {
    const refuse = (status: number, reason: string): Answer => {
      this.refusals.push(reason);
      return { status, body: reason };
    };
    if (method !== "POST") return refuse(405, `a ${method} request`);
    if (query.size > 0) return refuse(400, `parameters: ${query.toString()}`);
    if (!headers["content-type"]?.startsWith("text/plain")) return refuse(400, "a body that is no text");
    if (body.length > LONGEST_BODY) return refuse(400, "a body that is too long");
    const signals: Record<string, Ping["signal"]> = {
      "/start": "start",
      "": "success",
      "/fail": "fail",
      "/log": "log",
    };
    const signal = path.startsWith(`/${this.#key}`) ? signals[path.slice(this.#key.length + 1)] : undefined;
    // The real one answers a check that it does not know in this way too.
    if (signal === undefined) return { ...refuse(200, `the path ${path}`), body: "OK (not found)" };
    this.pings.push({ signal, body: body.toString() });
    return { status: 200, body: "OK" };
  }
}
