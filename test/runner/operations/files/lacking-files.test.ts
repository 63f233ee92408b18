import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { filesIn } from "../../../helpers/store.ts";
import { FaultyProxy } from "../../../../tools/services/faulty-proxy.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";

let postgres: Postgres;
let service: SupabaseStorageService;
let proxy: FaultyProxy;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "app");
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  service = await SupabaseStorageService.start();
  for (const bucket of ["avatars", "papers"]) {
    service.makeBucket(bucket);
    for (let n = 0; n < 6; n += 1) service.put(`${n}.txt`, Buffer.from(`${bucket} ${n}`), bucket);
  }
  proxy = await FaultyProxy.start(service.url);
  sandbox = new Sandbox(postgres.url("app"), {
    files: {
      kind: "supabase-storage",
      url: proxy.url,
      key: { env: "FILES_KEY" },
      buckets: ["avatars", "papers"],
      retrySeconds: 3,
    },
    retention: { last: 9 },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
});
afterEach(async () => {
  sandbox.remove();
  await proxy.stop();
  await service.close();
});

interface Report {
  readonly files: {
    readonly copied: number;
    readonly leftOut: readonly { bucket: string; path?: string; destination?: string; code: string }[];
  };
  readonly destinations: readonly { readonly stored: boolean; readonly verification?: { readonly outcome: string } }[];
}

async function partialBackup(): Promise<Report> {
  const ended = await sandbox.run("backup", "--json");
  expect(ended.code, ended.stderr).toBe(3);
  return JSON.parse(ended.stdout) as Report;
}

/** The files that a destination restores. */
async function restoredFrom(destination: number): Promise<string[]> {
  const folder = join(sandbox.path, `out-${destination}`);
  const restored = await sandbox.run("restore", "--files", folder, "--destination", String(destination));
  expect(restored.code, restored.stderr + restored.stdout).toBe(0);
  return filesIn(folder);
}

const places = () => [...service.objects.keys()].filter((place) => !place.startsWith("backups/")).sort();

describe("a file that a store refuses", () => {
  const large = "papers/large.bin";
  let other: SupabaseStorageService;
  let destination: object;
  beforeEach(async () => {
    other = await SupabaseStorageService.start();
    other.sizeLimit = 20_000;
    destination = { kind: "supabase", url: other.url, bucket: "backups", key: { env: "STORE_KEY" }, retrySeconds: 1 };
    sandbox.environment.STORE_KEY = other.serviceKey;
    service.put("large.bin", randomBytes(40_000), "papers");
  });
  afterEach(() => other.close());

  it("is missing there alone, and is reported", async () => {
    sandbox.job = { ...sandbox.job, destinations: [{ kind: "filesystem", path: sandbox.store }, destination] };
    const report = await partialBackup();
    expect(report.files.copied).toBe(13);
    expect(report.files.leftOut).toMatchObject([
      { bucket: "papers", path: "large.bin", code: "QUOTA", destination: expect.stringMatching("supabase") as string },
    ]);
    for (const { stored, verification } of report.destinations) {
      expect({ stored, outcome: verification?.outcome }).toEqual({ stored: true, outcome: "verified" });
    }
    expect(await restoredFrom(0)).toEqual(places());
    expect(await restoredFrom(1)).toEqual(places().filter((place) => place !== large));
    for (const index of ["0", "1"]) expect((await sandbox.run("verify", "--destination", index)).code).toBe(0);
  });

  it("is left out where there is no other store, and the rest is there", async () => {
    sandbox.job = { ...sandbox.job, destinations: [destination] };
    const report = await partialBackup();
    expect(report.files).toMatchObject({ copied: 12, leftOut: [{ path: "large.bin", code: "QUOTA" }] });
    expect(await restoredFrom(0)).toEqual(places().filter((place) => place !== large));
  });
});

it("a listing that fails half-way costs no other bucket, and none of the files that it told of", async () => {
  service.pageSize = 4;
  const page = { status: 403, body: JSON.stringify({ statusCode: "403", error: "Unauthorized", message: "no" }) };
  let pages = 0;
  proxy.misbehave({ kind: "answer", ...page }, ({ url }) => url.includes("list-v2/avatars") && ++pages === 2);
  const report = await partialBackup();
  expect(report.files.leftOut).toMatchObject([{ bucket: "avatars" }]);
  expect(report.files.leftOut[0]).not.toHaveProperty("path");
  expect(await restoredFrom(0)).toEqual(places().filter((place) => !/avatars\/[45]/.test(place)));
});

it("a content that is removed while a run refers to it is missed before the manifest is written", async () => {
  expect((await sandbox.run("backup")).code).toBe(0);
  const [content = ""] = filesIn(sandbox.store).filter((name) => name.startsWith("test/app/files/"));
  service.put("new.txt", Buffer.from("new"), "papers");
  // The run knows by then what the store has, and waits for this answer.
  const remove = () => {
    rmSync(join(sandbox.store, content));
    return false;
  };
  proxy.misbehave({ kind: "stall" }, ({ url }) => url.endsWith("authenticated/papers/new.txt") && remove());
  const { files } = await partialBackup();
  expect(files.leftOut).toMatchObject([
    { code: "NOT_FOUND", destination: expect.stringMatching("filesystem") as string },
  ]);
  expect(await restoredFrom(0)).toHaveLength(12);

  const again = JSON.parse((await sandbox.run("backup", "--json")).stdout) as Report;
  expect(again.files).toMatchObject({ copied: 1, leftOut: [] });
});
