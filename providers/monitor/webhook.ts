import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { SecretRef } from "../fields/secret-ref.ts";
import { onOneLine } from "../visible.ts";
import {
  defineMonitor,
  type Attributes,
  type MonitorContext,
  type RunLog,
  type RunStatus,
  type Span,
  type TelemetryProvider,
} from "./monitor.ts";

/** Milliseconds for one try. Two of them are what a run grants its monitors at its end. */
const TRY_MS = 850;

/** Milliseconds between the two tries. */
const PAUSE_MS = 100;

/** Characters of a message's body; healthchecks.io keeps 100 kB, a person reads the first lines. */
const LONGEST_BODY = 2_000;

const schema = z.strictObject({
  kind: z
    .literal("webhook")
    .describe("A heartbeat URL as healthchecks.io has them: POST to URL/start, URL, or URL/fail with a short text."),
  url: SecretRef.describe("The URL without /start or /fail. Anyone who knows it can report runs, so it is a secret."),
});

/** Tells a heartbeat URL that a run began, succeeded or failed. A partial run counts as failed. */
class WebhookTelemetryProvider implements TelemetryProvider {
  readonly kind = "webhook";
  readonly #url: URL;
  readonly #log: RunLog;
  readonly #redact: MonitorContext["redact"];
  readonly #errors: string[] = [];
  #ended = false;
  #delivered: Promise<boolean> = Promise.resolve(true);

  constructor(url: URL, context: Pick<MonitorContext, "log" | "redact">) {
    this.#url = url;
    this.#log = context.log;
    this.#redact = (text) => context.redact(text);
  }

  trackError(error: Error): void {
    const code = error instanceof ProviderError ? error.code : "INTERNAL";
    const [first = "", ...others] = error instanceof ProviderError ? error.lines : [error.message];
    this.#errors.push(`${code}: ${first}`, ...others);
  }

  measure<T>(_name: string, _attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T> {
    return step({ set: () => undefined, progress: () => undefined });
  }

  checkIn(status: RunStatus, facts: Attributes): void {
    if (status === "in_progress") {
      // The news of the begin is of no use once the run has ended: then it is not tried again.
      this.#delivered = this.#deliver("/start", "", () => !this.#ended);
      return;
    }
    this.#ended = true;
    const begun = this.#delivered;
    const lines = [`run: ${status}`, ...Object.entries(facts).map(([name, fact]) => `${name}: ${fact}`)];
    // A name may hold a line break: a line of the message is one line of the body.
    const body = [...lines, ...this.#errors].map(onOneLine).join("\n");
    // One after the other, so that the begin cannot arrive after the end.
    this.#delivered = begun.then(() => this.#deliver(status === "ok" ? "" : "/fail", body));
  }

  flush(timeoutMs: number): Promise<boolean> {
    return Promise.race([this.#delivered, sleep(timeoutMs, false, { ref: false })]);
  }

  async check(): Promise<string> {
    // The convention's path for what is neither a success nor a failure.
    const problem = await this.#post("/log", "Test message of provision doctor");
    if (problem === undefined) return `a test message was sent to ${this.#url.host}; see the log of the check's pings`;
    throw new ProviderError("TRANSIENT", `The webhook at ${this.#url.host} did not take a test message: ${problem}.`, {
      fix: "Copy the ping URL again, and check that this machine reaches that host. It must take POST to URL/log.",
    });
  }

  async #deliver(path: string, body: string, worthwhile = () => true): Promise<boolean> {
    let problem = await this.#post(path, body);
    if (problem !== undefined && worthwhile()) {
      await sleep(PAUSE_MS);
      problem = await this.#post(path, body);
    }
    if (problem === undefined) return true;
    this.#log.write("warn", "The webhook did not take a message.", {
      monitor: this.kind,
      message: path === "" ? "success" : path.slice(1),
      reason: problem,
    });
    return false;
  }

  /** Sends one message; says what went wrong, without the URL. */
  async #post(path: string, body: string): Promise<string | undefined> {
    const url = new URL(this.#url);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    const limit = AbortSignal.timeout(TRY_MS);
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8", "user-agent": "provision" },
        body: this.#redact(body).slice(0, LONGEST_BODY),
        // A secret goes to no other place.
        redirect: "manual",
        signal: limit,
      });
      const text = await response.text();
      if (!response.ok) return `HTTP ${response.status}`;
      // healthchecks.io answers 200 to a check that it does not know.
      return /not found/i.test(text.slice(0, 100)) ? "it knows no such check" : undefined;
    } catch (error) {
      if (limit.aborted) return `no answer within ${TRY_MS} ms`;
      const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
      return typeof code === "string" ? code : "the connection failed";
    }
  }
}

/** The kind `webhook`. */
export const webhook = defineMonitor({
  schema,
  secrets: ["url"],
  async create(_config, context) {
    return Promise.resolve(new WebhookTelemetryProvider(parseUrl(context.secrets.url ?? ""), context));
  },
});

function parseUrl(text: string): URL {
  const url = URL.parse(text.trim());
  if (url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.hash === "")
    return url;
  throw new ProviderError("CONFIG", "The secret of the webhook monitor's url is no http or https URL.", {
    fix: "Copy the ping URL from the heartbeat service. It reads https://<host>/<key>, without user and password.",
  });
}
