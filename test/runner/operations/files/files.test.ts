import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { sql, emptyDatabase } from "../../../helpers/databases.ts";
import { Sandbox, type Ended } from "../../../helpers/sandbox.ts";
import { filesIn } from "../../../helpers/store.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";

const MiB = 1024 * 1024;

let postgres: Postgres;
let service: SupabaseStorageService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "app");
  await sql(postgres, "app", "CREATE TABLE t AS SELECT generate_series(1, 100) AS n");
});
afterAll(() => postgres.stop());

/** A project's files: two buckets of their own kind, odd names, an empty file, one that takes a resumable upload. */
function fill(target: SupabaseStorageService): Map<string, Buffer> {
  const avatars = target.makeBucket("avatars");
  Object.assign(avatars, { public: true, fileSizeLimit: 50 * MiB, allowedMimeTypes: ["image/*"] });
  target.makeBucket("papers");
  const contents = new Map<string, Buffer>();
  const put = (bucket: string, name: string, bytes: Buffer, type: string, metadata: unknown = null) => {
    target.put(name, bytes, bucket, { type, cacheControl: "max-age=3600", metadata });
    contents.set(`${bucket}/${name}`, bytes);
  };
  put("avatars", "a.png", randomBytes(1000), "image/png", { owner: "Ada", tags: ["x", "y"] });
  put("avatars", "users/1/it's a (odd) name, with & = $ @ + ? ; : !.png", randomBytes(2000), "image/png");
  put("papers", "empty.txt", Buffer.alloc(0), "text/plain");
  put("papers", "deep/er/large.bin", randomBytes(13 * MiB), "application/pdf", { pages: 3 });
  for (let n = 0; n < 20; n += 1) put("papers", `many/${n}.txt`, Buffer.from(`paper ${n}`), "text/plain");
  return contents;
}

beforeEach(async () => {
  service = await SupabaseStorageService.start();
  service.pageSize = 7;
  sandbox = new Sandbox(postgres.url("app"), {
    files: {
      kind: "supabase-storage",
      url: service.url,
      key: { env: "FILES_KEY" },
      buckets: ["avatars", "papers"],
      retrySeconds: 1,
    },
    retention: { last: 1 },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
});
afterEach(async () => {
  sandbox.remove();
  await service.close();
});

/** Runs `provision`, and looks for the key in what it prints. */
async function run(...args: string[]): Promise<Ended> {
  const ended = await sandbox.run(...args);
  for (const text of [ended.stdout, ended.stderr]) expect(text.includes(service.serviceKey), text).toBe(false);
  return ended;
}

interface Report {
  readonly id: string;
  readonly status: string;
  readonly files?: {
    readonly copied: number;
    readonly unchanged: number;
    readonly leftOut: readonly { bucket: string; path?: string; message: string; fix?: string }[];
  };
  readonly omitted: readonly { artifact: string; reason: string }[];
}

async function backup(expected = 0): Promise<Report> {
  const ended = await run("backup", "--json");
  expect(ended.code, ended.stderr).toBe(expected);
  return JSON.parse(ended.stdout) as Report;
}

/** What a project holds, to compare. */
function held(target: SupabaseStorageService) {
  return [...target.objects].map(([place, { size, type, cacheControl, metadata, content }]) => {
    const bytes = typeof content === "string" ? readFileSync(content) : content;
    // Storage itself makes {} of metadata that nobody has set.
    return [place, { size, type, cacheControl, metadata: metadata ?? {}, bytes: bytes.toString("base64") }] as const;
  });
}

/** The contents of files in the store, whichever backups have them. */
const contents = () => filesIn(sandbox.store).filter((name) => name.startsWith("test/app/files/"));

describe("files beside the database", () => {
  it("are copied with all that belongs to them, and come back equal in another project", async () => {
    fill(service);
    const report = await backup();
    expect(report.files).toMatchObject({ copied: 24, unchanged: 0, leftOut: [] });

    const other = await SupabaseStorageService.start();
    try {
      sandbox.environment.OTHER_KEY = other.serviceKey;
      const restored = await run("restore", "--files", other.url, "--files-key", "env:OTHER_KEY", "--json");
      expect(restored.code, restored.stderr + restored.stdout).toBe(0);
      expect(JSON.parse(restored.stdout)).toMatchObject({ files: { files: 24, existing: 0, failed: [] } });
      expect(held(other).sort()).toEqual(held(service).sort());
      const buckets = (of: SupabaseStorageService) =>
        [...of.buckets.values()].map((bucket) => ({ ...bucket, made: "" }));
      expect(buckets(other)).toEqual(expect.arrayContaining(buckets(service)));

      // Done again, it leaves all as it is.
      const again = await run("restore", "--files", other.url, "--files-key", "env:OTHER_KEY", "--json");
      expect(JSON.parse(again.stdout)).toMatchObject({ files: { files: 0, existing: 24, failed: [] } });
    } finally {
      await other.close();
    }
  });

  it("are put behind the rows that a restored database has of them", async () => {
    const originals = fill(service);
    await backup();
    for (const place of originals.keys()) service.rowsAlone.add(place);
    const restored = await run("restore", "--files", service.url, "--json");
    expect(restored.code, restored.stderr + restored.stdout).toBe(0);
    expect(JSON.parse(restored.stdout)).toMatchObject({ files: { files: 24, existing: 0 } });
    expect(service.rowsAlone.size).toBe(0);
  });

  it("come back into a folder, also of some buckets alone", async () => {
    const originals = fill(service);
    await backup();
    const folder = join(sandbox.path, "out");
    const restored = await run("restore", "--files", folder, "--bucket", "papers");
    expect(restored.code, restored.stderr).toBe(0);
    const papers = [...originals].filter(([place]) => place.startsWith("papers/"));
    expect(filesIn(folder)).toEqual(papers.map(([place]) => place).sort());
    for (const [place, bytes] of papers) expect(readFileSync(join(folder, place)).equals(bytes), place).toBe(true);
  });

  it("come back into a folder where one is named like the folder of another, and the report says so", async () => {
    for (const bucket of ["avatars", "papers"]) service.makeBucket(bucket);
    for (const name of ["a", "a/b", "a/b/c"]) service.put(name, Buffer.from(name), "papers");
    await backup();
    const folder = join(sandbox.path, "out");
    const restored = await run("restore", "--files", folder, "--json");
    expect(restored.code, restored.stderr).toBe(0);
    expect(filesIn(folder).map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(["a/b/c", "a/b", "a"]);
    const { files } = JSON.parse(restored.stdout) as { files: { altered: { file: string; how: string }[] } };
    expect(files.altered.map(({ file }) => file).sort()).toEqual(["papers/a", "papers/a/b"]);
    expect(JSON.parse((await run("restore", "--files", folder, "--json")).stdout)).toMatchObject({
      files: { files: 0, existing: 3, failed: [] },
    });
  });

  it("are only looked at by a dry run, and asked for by the names of buckets that there are", async () => {
    fill(service);
    await backup();
    const folder = join(sandbox.path, "out");
    const restore = (...args: string[]) => run("restore", "--files", folder, ...args);
    const mistyped = await restore("--bucket", "papers", "paper");
    expect(mistyped.code).toBe(2);
    expect(mistyped.stderr).toMatch(/no files of the bucket paper\.\n.*avatars, papers/);

    const planned = await restore("--dry-run", "--bucket", "papers");
    expect(planned.code, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(/^would restore 22 files .*; nothing was written/);
    expect(planned.stdout).toContain("22 files (13631638 bytes) of the bucket papers");
    const [content = ""] = contents();
    rmSync(join(sandbox.store, content));
    const lacking = await restore("--dry-run", "--json");
    expect(lacking.code, lacking.stderr).toBe(3);
    expect(JSON.parse(lacking.stdout)).toMatchObject({ files: { files: 24, failed: [{ code: "INTEGRITY" }] } });
    const other = await run("restore", "--files", service.url, "--dry-run");
    expect(other.stdout).toContain("of the bucket avatars, which exists");
    expect(existsSync(folder)).toBe(false);
  });

  it("that did not change are not copied again, and a prune keeps what a kept backup has", async () => {
    const originals = fill(service);
    await backup();
    const before = contents();
    expect(before).toHaveLength(24);
    service.downloaded.length = 0;
    service.put("many/3.txt", Buffer.from("rewritten"), "papers");
    service.put("many/new.txt", Buffer.from("new"), "papers");
    service.objects.delete("papers/many/4.txt");

    // Backups of one second have no order. The next prunes the first, as the rule keeps one.
    await sleep(1_100);
    const second = await backup();
    expect(second.files).toMatchObject({ copied: 2, unchanged: 22, leftOut: [] });
    expect(service.downloaded.sort()).toEqual(["papers/many/3.txt", "papers/many/new.txt"]);
    const [{ backups } = { backups: [] }] = JSON.parse((await run("list", "--json")).stdout) as {
      backups: { id: string }[];
    }[];
    expect(backups.map(({ id }) => id)).toEqual([second.id]);
    // The old content of the rewritten file and that of the removed one are nobody's any more.
    expect(contents()).toHaveLength(24);
    expect(before.filter((name) => !contents().includes(name))).toHaveLength(2);

    const verified = await run("verify");
    expect(verified.code, verified.stdout).toBe(0);
    const folder = join(sandbox.path, "out");
    await run("restore", "--files", folder);
    originals.set("papers/many/3.txt", Buffer.from("rewritten")).set("papers/many/new.txt", Buffer.from("new"));
    originals.delete("papers/many/4.txt");
    expect(filesIn(folder)).toEqual([...originals.keys()].sort());
    for (const [place, bytes] of originals) expect(readFileSync(join(folder, place)).equals(bytes), place).toBe(true);
  });

  it("are copied again where the store lost them, and a damaged one is found", async () => {
    fill(service);
    await backup();
    const [first = "", second = ""] = contents();
    rmSync(join(sandbox.store, first));
    const again = await backup();
    expect(again.files).toMatchObject({ copied: 1, unchanged: 23 });

    const path = join(sandbox.store, second);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = 255 - (bytes[bytes.length >> 1] ?? 0);
    writeFileSync(path, bytes);
    const verified = await run("verify");
    expect(verified.code).toBe(5);
    expect(verified.stdout).toContain(second);
    const restored = await run("restore", again.id, "--files", join(sandbox.path, "out"));
    expect(restored.code).toBe(3);
    expect(restored.stdout).toContain("failed: ");
  });

  it("that fail are reported at the end, and the rest is there", async () => {
    fill(service);
    service.unreadable.add("papers/many/7.txt");
    service.rowsAlone.add("papers/many/8.txt");
    sandbox.job = {
      ...sandbox.job,
      files: { ...(sandbox.job.files as object), buckets: ["avatars", "gone", "papers"] },
    };
    const report = await backup(3);
    expect(report.status).toBe("partial");
    expect(report.files).toMatchObject({ copied: 22 });
    const left = report.files?.leftOut.map(({ bucket, path = "" }) => `${bucket}/${path}`).sort();
    expect(left).toEqual(["gone/", "papers/many/7.txt", "papers/many/8.txt"]);
    expect(report.files?.leftOut.find(({ bucket }) => bucket === "gone")?.message).toContain(
      "there are avatars, backups, papers",
    );

    service.unreadable.clear();
    service.rowsAlone.clear();
    expect((await backup(3)).files).toMatchObject({ copied: 2, unchanged: 22, leftOut: [{ bucket: "gone" }] });
  });

  it("leave the database's backup whole where they cannot be reached at all", async () => {
    sandbox.environment.FILES_KEY = "sb_secret_of_another_project";
    const ended = await run("backup", "--json");
    expect(ended.code).toBe(3);
    const report = JSON.parse(ended.stdout) as Report;
    expect(report.omitted).toMatchObject([
      { artifact: "files.jsonl", reason: expect.stringContaining("key") as string },
    ]);
    const restored = await run("restore", "--files", join(sandbox.path, "out"));
    expect(restored.code).toBe(2);
    expect(restored.stderr).toContain("has no files");
  });

  it("are encrypted with their names, and still not copied again without the private key", async () => {
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    sandbox.job = { ...sandbox.job, encryption: { recipients: [recipient] } };
    const originals = fill(service);
    await backup();
    const index = filesIn(sandbox.store).find((name) => name.includes("files.jsonl"));
    expect(index).toMatch(/files\.jsonl\.zst$/);
    expect((await backup()).files).toMatchObject({ copied: 0, unchanged: 24 });

    const without = await run("restore", "--files", join(sandbox.path, "out"));
    expect(without.code).toBe(2);
    expect(without.stderr).toContain("--identity");
    sandbox.environment.IDENTITY = identity;
    const folder = join(sandbox.path, "out");
    const restored = await run("restore", "--files", folder, "--identity", "env:IDENTITY");
    expect(restored.code, restored.stderr).toBe(0);
    for (const [place, bytes] of originals) expect(readFileSync(join(folder, place)).equals(bytes), place).toBe(true);
  });

  it("go to every destination, and all of them again where one lacks some", async () => {
    fill(service);
    await backup();
    const second = join(sandbox.path, "second");
    const [first] = sandbox.job.destinations as object[];
    sandbox.job = { ...sandbox.job, destinations: [first, { kind: "filesystem", path: second }] };
    expect((await backup()).files).toMatchObject({ copied: 24, unchanged: 0 });
    expect((await backup()).files).toMatchObject({ copied: 0, unchanged: 24 });
    const verified = await run("verify", "--destination", "1");
    expect(verified.code, verified.stdout).toBe(0);
  });

  it("go along where a backup is copied, and what the other store has already is kept", async () => {
    const originals = fill(service);
    const first = await backup();
    await sleep(1_100);
    sandbox.job = { ...sandbox.job, retention: { last: 5 } };
    service.put("many/new.txt", Buffer.from("new"), "papers");
    const second = await backup();

    const other = join(sandbox.path, "other");
    const [destination] = sandbox.job.destinations as object[];
    sandbox.job = { ...sandbox.job, destinations: [{ kind: "filesystem", path: other }, destination] };
    for (const { id } of [first, second]) {
      const copied = await run("copy", id, "--from", "1", "--to", "0", "--json");
      expect(copied.code, copied.stdout + copied.stderr).toBe(0);
    }
    rmSync(sandbox.store, { recursive: true });
    expect(filesIn(other).filter((name) => name.startsWith("test/app/files/"))).toHaveLength(25);
    const folder = join(sandbox.path, "out");
    const restored = await run("restore", first.id, "--files", folder, "--destination", "0");
    expect(restored.code, restored.stdout + restored.stderr).toBe(0);
    expect(filesIn(folder)).toEqual([...originals.keys()].sort());
  });
});
