import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { generatedFiles } from "../../tools/docs/generated.ts";
import { ROOT } from "../../tools/tests/imports.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const page = read("docs/configuration.md");
const generated = await generatedFiles();

it.each(generated)("$path is what its source says now; `npm run docs` writes it", ({ path, text }) => {
  expect(read(path)).toBe(text);
});

it("the schema for editors has the fields of a job", () => {
  expect(JSON.parse(read("docs/job.schema.json"))).toHaveProperty("$defs.JobConfig.properties.destinations");
});

// Chosen by hand, one for each way in which a field can be nested: the generator does not judge itself.
it.each([
  "name",
  "schedule.cron",
  "retention.daily",
  "drill.checks[].sql",
  "compression.level",
  "anomalies.factor",
  "connection.privateKey.secret",
  "bucket.objectLock.days",
  "network.allowTo.port",
  "serviceAccountKey",
  "resourceId",
  "s3.accessKeyId",
])("has the field %s with a meaning", (field) => {
  expect(page).toMatch(new RegExp(`^\\| \`${field.replaceAll(/[.[\]]/g, "\\$&")}\` +\\| [^|]+ \\| [^ |][^|]*`, "m"));
});

it.each(["destinations: google-drive", "database: supabase", "files: supabase-storage", "monitor: sentry"])(
  "has the kind %s",
  (kind) => {
    expect(page).toContain(`\n### ${kind}\n`);
  },
);

it("leaves no field without a meaning", () => {
  expect(page.split("\n").filter((line) => /^\| `.*\| *\|$/.test(line))).toEqual([]);
});
