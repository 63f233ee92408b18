import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SentryIngest } from "../../tools/services/sentry-ingest.ts";

const id = "0123456789abcdef".repeat(2);
const header = JSON.stringify({ event_id: id, sdk: { name: "sdk", version: "1" } });
const event = {
  event_id: id,
  timestamp: 1,
  platform: "node",
  level: "info",
  environment: "prod",
  release: "v1",
  tags: { job: "app" },
  message: "Hello ü",
  contexts: { trace: { trace_id: id, span_id: id.slice(16) }, runtime: { name: "node", version: "24" } },
  sdk: { name: "sdk", version: "1" },
};
const payload = JSON.stringify(event);
const envelope = (itemHeader: object, text = payload) => `${header}\n${JSON.stringify(itemHeader)}\n${text}`;

let ingest: SentryIngest;
beforeEach(async () => {
  ingest = new SentryIngest("public");
  await ingest.start();
});
afterEach(() => ingest.stop());

async function send(body: string | Buffer, query = "sentry_key=public&sentry_version=7", headers = {}, project = 42) {
  const url = `http://${ingest.host}/api/${project}/envelope/?${query}`;
  return (await fetch(url, { method: "POST", body, headers })).status;
}

it("takes an envelope with and without a length, and compressed", async () => {
  const length = Buffer.byteLength(payload);
  expect(await send(envelope({ type: "event" }))).toBe(200);
  expect(await send(`${envelope({ type: "event", length })}\n`)).toBe(200);
  expect(await send(gzipSync(envelope({ type: "event" })), undefined, { "content-encoding": "gzip" })).toBe(200);
  const auth = { "x-sentry-auth": "Sentry sentry_version=7, sentry_key=public" };
  expect(await send(envelope({ type: "event" }), "", auth)).toBe(200);
  expect(ingest.events).toHaveLength(4);
  expect(ingest.refusals).toEqual([]);
});

it.each([
  ["no key", 401, "sentry_version=7", 42],
  ["another key", 403, "sentry_key=another&sentry_version=7", 42],
  ["another protocol", 400, "sentry_key=public&sentry_version=6", 42],
  ["another project", 400, "sentry_key=public&sentry_version=7", 43],
])("refuses %s", async (_what, status, query, project) => {
  expect(await send(envelope({ type: "event" }), query, {}, project)).toBe(status);
  expect(ingest.events).toEqual([]);
});

const bytes = Buffer.byteLength(payload);
it.each([
  ["an envelope without items", header],
  ["a header that is no JSON", `{\n${payload}`],
  ["an item of no known type", envelope({ type: "surprise" })],
  ["an unknown field in an item's header", envelope({ type: "event", colour: "red" })],
  ["an item that is shorter than its length", envelope({ type: "event", length: bytes + 1 })],
  ["an item that is longer than its length", envelope({ type: "event", length: bytes - 1 })],
  ["an event that the envelope does not name", envelope({ type: "event" }, payload.replace(id, id.toUpperCase()))],
  ["an unknown field in an event", envelope({ type: "event" }, JSON.stringify({ ...event, user: {} }))],
  ["a tag that is too long", envelope({ type: "event" }, JSON.stringify({ ...event, tags: { a: "x".repeat(201) } }))],
  ["a check-in without its fields", envelope({ type: "check_in" }, "{}")],
  [
    "a wrong number of items",
    envelope(
      { type: "trace_metric", item_count: 2, content_type: "application/vnd.sentry.items.trace-metric+json" },
      JSON.stringify({
        version: 2,
        items: [{ trace_id: id, timestamp: 1, name: "a", type: "gauge", unit: "byte", value: 1, attributes: {} }],
      }),
    ),
  ],
])("refuses %s", async (_what, body) => {
  expect(await send(body)).toBe(400);
  expect([...ingest.events, ...ingest.checkIns, ...ingest.metrics]).toEqual([]);
  expect(ingest.refusals).toHaveLength(1);
});
