import type { SentryIngest } from "../../tools/services/sentry-ingest.ts";

/**
 * All that an ingest received, a line for each item: every field with its value, but with a name for each id, and a sign
 * for what differs from run to run. Sorted, since steps and requests go on at the same time.
 *
 * @param places texts that stand for places of this machine, by what to show for them.
 */
export function describeEnvelopes(ingest: SentryIngest, places: Readonly<Record<string, string>>): string[] {
  const ids = new Map<string, string>();
  const nameIds = (text: string) =>
    text.replaceAll(ID, (id) => {
      const name = ids.get(id) ?? `<${id.length === 32 ? "id" : "span"} ${ids.size + 1}>`;
      ids.set(id, name);
      return name;
    });
  const clean = (text: string) => {
    let result = text;
    for (const [place, sign] of Object.entries(places)) result = result.replaceAll(place, sign);
    return result
      .replaceAll(/127\.0\.0\.1:\d+/g, "<server>")
      .replaceAll(/\d{8}T\d{6}Z-[0-9a-f]{6}/g, "<backup>")
      .replaceAll(/\bv?\d+\.\d+\.\d+\b/g, "<version>");
  };
  return [...itemsOf(ingest)]
    .map(([type, payload]) => `${type}: ${clean(flatten(countShown(payload)).join(", "))}`)
    .map((line) => [line.replaceAll(ID, ""), line] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, line]) => nameIds(line));
}

const ID = /\b([0-9a-f]{32}|[0-9a-f]{16})\b/g;

/** The items in the order of their arrival; those of a list one by one. */
function* itemsOf(ingest: SentryIngest): Generator<[type: string, payload: object]> {
  for (const { body } of ingest.received) {
    const [, ...lines] = body.toString().trimEnd().split("\n");
    for (let index = 0; index < lines.length; index += 2) {
      const { type } = JSON.parse(lines[index] ?? "") as { type: string };
      const payload = JSON.parse(lines[index + 1] ?? "") as { items?: object[] };
      for (const item of payload.items ?? [payload]) yield [type, item];
    }
  }
}

/** Fields whose values are times or measurements. */
const MEASURED = /timestamp|sequence|duration|seconds|bytes|size|value|Seconds|Bytes|PerSecond|lineno|colno/;

/** A counter's value does not differ from run to run. */
function countShown(payload: object): object {
  const { value, ...metric } = payload as { unit?: string; value?: number };
  return metric.unit === "count" ? { ...metric, count: value } : payload;
}

function flatten(value: unknown, path = ""): string[] {
  if (typeof value === "number" && MEASURED.test(path)) return [`${path}=#`];
  if (typeof value !== "object" || value === null) return [`${path}=${String(value)}`];
  if (path.endsWith("frames")) {
    // Where in the code an error arose changes with the code; that it is reported does not.
    return [`${path}=<${(value as unknown[]).length > 0 ? "some" : "none"}>`];
  }
  const attribute = value as { type?: string; value?: unknown };
  if (path.includes("attributes.") && "value" in attribute) return flatten(attribute.value, path);
  return Object.entries(value).flatMap(([name, field]) => flatten(field, path === "" ? name : `${path}.${name}`));
}
