import { z } from "zod";
import { MisbehavingServer, type Answer, type ReceivedRequest } from "./misbehaving-server.ts";

/** Bytes of an item that the service takes at most. */
const LARGEST_ITEM = 1024 * 1024;

const Hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const Environment = z.string().regex(/^(?!None$)[^\s/]{1,64}$/);
const Release = z.string().regex(/^(?!\.{1,2}$)[^\s/\\]{1,200}$/);
const Trace = z.strictObject({ trace_id: Hex(32), span_id: Hex(16), parent_span_id: Hex(16).optional() });
const Minutes = z.int().min(1).max(40_320);
const Threshold = z.int().min(1).max(720);

const CheckIn = z.strictObject({
  check_in_id: Hex(32),
  monitor_slug: z.string().regex(/^(?!\d+$)[a-z0-9_-]{1,50}$/),
  status: z.enum(["in_progress", "ok", "error"]),
  duration: z.number().min(0).optional(),
  environment: Environment,
  release: Release,
  monitor_config: z.strictObject({
    schedule: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("crontab"), value: z.string().regex(/^\S+( \S+){4}$/) }),
      z.strictObject({ type: z.literal("interval"), value: z.int().min(1), unit: z.literal("year") }),
    ]),
    timezone: z.string().optional(),
    checkin_margin: Minutes.optional(),
    max_runtime: Minutes.optional(),
    failure_issue_threshold: Threshold.optional(),
    recovery_threshold: Threshold.optional(),
  }),
  contexts: z.strictObject({ trace: Trace }),
});

const Frame = z.strictObject({
  filename: z.string(),
  function: z.string().optional(),
  module: z.string().optional(),
  lineno: z.int().optional(),
  colno: z.int().optional(),
  in_app: z.boolean(),
});

const Event = z.strictObject({
  event_id: Hex(32),
  timestamp: z.number().positive(),
  platform: z.literal("node"),
  level: z.enum(["error", "info"]),
  environment: Environment,
  release: Release,
  // The service drops longer ones, and those of several lines.
  tags: z.record(z.string().regex(/^[\w.:-]{1,200}$/), z.string().regex(/^[^\n]{1,200}$/)),
  fingerprint: z.array(z.string().min(1)).min(1).optional(),
  message: z.string().optional(),
  exception: z
    .strictObject({
      values: z.tuple([
        z.strictObject({
          type: z.string(),
          value: z.string(),
          mechanism: z.strictObject({ type: z.string(), handled: z.boolean() }),
          stacktrace: z.strictObject({ frames: z.array(Frame).min(1) }),
        }),
      ]),
    })
    .optional(),
  contexts: z.strictObject({
    trace: Trace,
    runtime: z.strictObject({ name: z.literal("node"), version: z.string() }),
    backup: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  }),
  sdk: z.looseObject({ name: z.string(), version: z.string() }),
});

const Attribute = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("string"), value: z.string() }),
  z.strictObject({ type: z.literal("integer"), value: z.int() }),
  z.strictObject({ type: z.literal("double"), value: z.number() }),
  z.strictObject({ type: z.literal("boolean"), value: z.boolean() }),
  z.strictObject({ type: z.literal("array"), value: z.array(z.string()) }),
]);
const Attributes = z.record(z.string().regex(/^[\w.-]{1,200}$/), Attribute);

const Span = z
  .strictObject({
    trace_id: Hex(32),
    span_id: Hex(16),
    parent_span_id: Hex(16).optional(),
    name: z.string().min(1),
    is_segment: z.boolean(),
    start_timestamp: z.number().positive(),
    end_timestamp: z.number().positive(),
    status: z.enum(["ok", "error"]),
    attributes: Attributes,
  })
  .refine((span) => span.end_timestamp >= span.start_timestamp, { error: "ends before it begins" })
  .refine((span) => span.is_segment !== (span.parent_span_id !== undefined), { error: "is a segment below another" });

const Metric = z.strictObject({
  trace_id: Hex(32),
  span_id: Hex(16).optional(),
  timestamp: z.number().positive(),
  name: z.string().regex(/^[a-z][a-z0-9_.]{0,199}$/),
  type: z.enum(["counter", "gauge", "distribution"]),
  unit: z.enum(["byte", "second", "count"]),
  value: z.number(),
  attributes: Attributes,
});

const list = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({ version: z.literal(2), items: z.array(item).min(1) });

/** A check-in as it arrived. */
export type CheckIn = z.output<typeof CheckIn>;
/** An event as it arrived. */
export type Event = z.output<typeof Event>;
/** A span as it arrived. */
export type Span = z.output<typeof Span>;
/** A metric as it arrived. */
export type Metric = z.output<typeof Metric>;

const EnvelopeHeader = z.strictObject({
  event_id: Hex(32).optional(),
  sent_at: z.iso.datetime().optional(),
  sdk: z.strictObject({ name: z.string(), version: z.string() }),
  trace: z
    .strictObject({
      trace_id: Hex(32),
      public_key: z.string(),
      environment: Environment,
      release: Release,
      transaction: z.string().optional(),
      sampled: z.enum(["true", "false"]).optional(),
      sample_rand: z.string().optional(),
      sample_rate: z.string().optional(),
    })
    .optional(),
});

const ItemHeader = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("event"), length: z.int().min(0).optional() }),
  z.strictObject({ type: z.literal("check_in"), length: z.int().min(0).optional() }),
  z.strictObject({
    type: z.literal("span"),
    length: z.int().min(0).optional(),
    item_count: z.int(),
    content_type: z.literal("application/vnd.sentry.items.span.v2+json"),
  }),
  z.strictObject({
    type: z.literal("trace_metric"),
    length: z.int().min(0).optional(),
    item_count: z.int(),
    content_type: z.literal("application/vnd.sentry.items.trace-metric+json"),
  }),
]);

/** What is wrong with a request; the service's answer to it. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Sentry's ingest for one project. Strict: it refuses whatever the service refuses or drops, and any field that this
 * program is not known to send.
 */
export class SentryIngest extends MisbehavingServer {
  readonly checkIns: CheckIn[] = [];
  readonly events: Event[] = [];
  readonly spans: Span[] = [];
  readonly metrics: Metric[] = [];
  /** Why requests were refused. */
  readonly refusals: string[] = [];
  readonly #key: string;

  /** @param key the project's public key. */
  constructor(key: string) {
    super((request) => this.#answerTo(request));
    this.#key = key;
  }

  /** The DSN of the one project, 42. */
  get dsn(): string {
    return `http://${this.#key}@${this.host}/42`;
  }

  #answerTo(request: ReceivedRequest): Answer {
    try {
      this.#authorize(request);
      this.#takeEnvelope(request.body);
      return { status: 200, body: "{}" };
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(400, (error as Error).message);
      this.refusals.push(refusal.message);
      return { status: refusal.status, body: JSON.stringify({ detail: refusal.message }) };
    }
  }

  #authorize({ method, path, query, headers }: ReceivedRequest): void {
    if (method !== "POST") throw new Refusal(405, `method ${method}`);
    const project = /^\/api\/(\d+)\/envelope\/$/.exec(path)?.[1];
    if (project === undefined) throw new Refusal(404, `path ${path}`);
    const header = String(headers["x-sentry-auth"] ?? "");
    const auth = (name: string) => query.get(name) ?? new RegExp(`\\b${name}=([^,\\s]+)`).exec(header)?.[1];
    if (auth("sentry_key") === undefined) throw new Refusal(401, "missing authorization");
    if (auth("sentry_version") !== "7") throw new Refusal(400, "unknown protocol version");
    if (auth("sentry_key") !== this.#key) throw new Refusal(403, "unknown key");
    if (project !== "42") throw new Refusal(400, "the key is another project's");
  }

  #takeEnvelope(body: Buffer): void {
    const reader = new Lines(body);
    const header = EnvelopeHeader.parse(reader.json());
    if (header.trace && header.trace.public_key !== this.#key) throw new Refusal(400, "a trace of another project");
    let items = 0;
    while (!reader.atEnd) {
      const itemHeader = ItemHeader.parse(reader.json());
      const payload = itemHeader.length === undefined ? reader.line() : reader.bytes(itemHeader.length);
      if (payload.length > LARGEST_ITEM) throw new Refusal(413, "an item is too large");
      this.#takeItem(itemHeader, JSON.parse(payload.toString()), header.event_id);
      items += 1;
    }
    if (items === 0) throw new Refusal(400, "an envelope without items");
  }

  #takeItem(header: z.output<typeof ItemHeader>, payload: unknown, eventId: string | undefined): void {
    switch (header.type) {
      case "check_in":
        this.checkIns.push(CheckIn.parse(payload));
        break;
      case "event": {
        const event = Event.parse(payload);
        if (event.event_id !== eventId) throw new Refusal(400, "the envelope names another event");
        this.events.push(event);
        break;
      }
      case "span": {
        const { items } = list(Span).parse(payload);
        if (items.length !== header.item_count) throw new Refusal(400, "item_count is wrong");
        this.spans.push(...items);
        break;
      }
      case "trace_metric": {
        const { items } = list(Metric).parse(payload);
        if (items.length !== header.item_count) throw new Refusal(400, "item_count is wrong");
        this.metrics.push(...items);
      }
    }
  }
}

/** Reads an envelope: lines of JSON, and payloads that are a line or have a length. */
class Lines {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get atEnd(): boolean {
    return this.#rest.length === 0;
  }

  line(): Buffer {
    const end = this.#rest.indexOf("\n");
    const line = end < 0 ? this.#rest : this.#rest.subarray(0, end);
    this.#rest = end < 0 ? Buffer.alloc(0) : this.#rest.subarray(end + 1);
    return line;
  }

  bytes(length: number): Buffer {
    const payload = this.#rest.subarray(0, length);
    const after = this.#rest.subarray(length);
    if (payload.length < length) throw new Refusal(400, "an item is shorter than its length");
    if (after.length > 0 && after[0] !== 0x0a) throw new Refusal(400, "an item is longer than its length");
    this.#rest = after.subarray(1);
    return payload;
  }

  json(): unknown {
    const line = this.line();
    try {
      return JSON.parse(line.toString());
    } catch {
      throw new Refusal(400, "a header is no JSON");
    }
  }
}
