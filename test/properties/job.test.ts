import fc from "fast-check";
import { expect, it } from "vitest";
import { explain, JobConfig } from "../../providers/config.ts";
import { useSeed } from "./seed.ts";

useSeed();

type Path = readonly (string | number)[];

/** All places in a value, its own among them. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, inner]) =>
      pathsIn(inner, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

/** A copy with another value in a place. */
function withValue(value: unknown, [key, ...rest]: Path, put: unknown): unknown {
  if (key === undefined) return put;
  const copy: unknown = structuredClone(value);
  Reflect.set(copy as object, key, withValue(Reflect.get(value as object, key), rest, put));
  return copy;
}

const FULL = {
  stack: "prod",
  name: "app",
  database: { kind: "postgres", url: { secret: "appUrl" }, exclude: ["public.log_*"], jobs: 2 },
  destinations: [
    { kind: "filesystem", path: "/srv/backups" },
    { kind: "s3", bucket: "backups", region: "eu-central-1", prefix: "x" },
  ],
  schedule: { cron: "0 3 * * *", timezone: "Europe/Berlin" },
  retention: { last: 3, daily: 7, within: "30d" },
  drill: { target: { env: "DRILL_URL" }, checks: [{ name: "orders", sql: "SELECT 1", expect: 1 }] },
  objectives: { recoveryPoint: "24h", recoveryTime: "30m" },
  monitor: [{ kind: "log" }],
};
const places = pathsIn(FULL);

it("is read, and read again as it was read", () => {
  const job = JobConfig.parse(FULL);
  expect(JobConfig.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
});

it("with anything in any place is read, or each problem is explained with its place and a fix", () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("", "0", -1, 1e300, [], {}, null));
  fc.assert(
    fc.property(fc.constantFrom(...places), value, (path, put) => {
      const changed = withValue(FULL, path, put);
      const result = JobConfig.safeParse(changed);
      if (result.success) {
        expect(JobConfig.parse(JSON.parse(JSON.stringify(result.data)))).toEqual(result.data);
        return;
      }
      const problems = explain(result.error, JobConfig, changed);
      expect(problems.length).toBeGreaterThan(0);
      for (const { message, fix } of problems) expect([message, fix]).not.toContain("");
    }),
    { numRuns: 600 },
  );
});

it("with a field that nobody knows is refused, wherever it is", () => {
  const objects = places.filter((path) => {
    const at = path.reduce<unknown>((value, key) => Reflect.get(value as object, key), FULL);
    return typeof at === "object" && at !== null && !Array.isArray(at);
  });
  fc.assert(
    fc.property(fc.constantFrom(...objects), fc.stringMatching(/^x[a-z]{3,10}$/), (path, field) => {
      const result = JobConfig.safeParse(withValue(FULL, [...path, field], 1));
      expect(result.success).toBe(false);
    }),
  );
});
