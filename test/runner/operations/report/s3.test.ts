import pMap from "p-map";
import { beforeAll, expect, it } from "vitest";
import type { Report } from "../../../../runner/operations/report/report.ts";
import { startProvision } from "../../../helpers/sandbox.ts";
import { newBucket, service } from "../../../helpers/stores/s3.ts";
import { SCHEDULE, yearOfBackups } from "../../../helpers/year-of-backups.ts";

const year = yearOfBackups({ stack: "prod", name: "app" }, new Date());
const newest = year.nights.findLast(({ id }) => id !== undefined)?.id ?? "";
const UNTIL = new Date(Date.now() + 30 * 86_400_000);
let buckets: string[] = [];

beforeAll(async () => {
  buckets = [await newBucket({ locks: true }), await newBucket()];
  for (const [index, store] of year.stores.entries()) {
    const Bucket = buckets[index];
    const put = ([Key, Body]: [string, string]) =>
      service.client.putObject({
        ...{ Bucket, Key, Body },
        ...(index === 0 && Key.includes(newest) && { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: UNTIL }),
      });
    await pMap(store, put, { concurrency: 16 });
  }
});

it("reports on a year in two buckets, a few at a time, and says until when S3 locks the newest backup", async () => {
  const job = {
    stack: "prod",
    name: "app",
    schedule: SCHEDULE,
    database: { kind: "postgres", url: { env: "GONE" } },
    destinations: buckets.map((bucket) => ({
      ...{ kind: "s3", bucket, endpoint: service.url },
      ...{ accessKeyId: { env: "KEY_ID" }, secretAccessKey: { env: "KEY_SECRET" } },
    })),
  };
  const { accessKeyId: KEY_ID, secretAccessKey: KEY_SECRET } = service;
  const began = performance.now();
  const { code, stdout, stderr } = await startProvision(["report", "--json"], {
    ...{ PATH: process.env.PATH ?? "", PROVISION_JOB: JSON.stringify(job), KEY_ID, KEY_SECRET },
  }).ended;
  const seconds = (performance.now() - began) / 1000;
  expect([code, stderr]).toEqual([0, ""]);
  const [report] = (JSON.parse(stdout) as Report).jobs;
  expect(report?.destinations.map(({ backups, verified }) => [backups, verified])).toEqual([
    [365, 365],
    [365, 365],
  ]);
  // S3 has whole seconds.
  const until = new Date(Math.floor(UNTIL.getTime() / 1000) * 1000).toISOString();
  expect(report?.recoverable).toMatchObject({ id: newest, destinations: [0, 1], lockedUntil: until });
  expect(report?.backups.at(-1)?.copies.map(({ lockedUntil }) => lockedUntil)).toEqual([until, null]);
  expect(report?.headline).toMatch(/It is locked by the store until \d{4}-\d\d-\d\d \d\d:\d\d Europe\/Berlin\.$/);
  console.log(`a year of two buckets: ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(30);
});
