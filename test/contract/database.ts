import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  DatabaseArtifact,
  DatabaseFacts,
  DatabaseProvider,
  RestoreArtifact,
  RestoreOptions,
} from "../../providers/database/database.ts";
import { verifyArtifact } from "../../providers/database/index.ts";
import { writePart } from "../../providers/database/postgres/artifacts/sql-artifact.ts";
import { LockHeldError, ProviderError } from "../../providers/errors.ts";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { failingStream, streamOf } from "../helpers/bytes.ts";
import { contentOf } from "../helpers/postgres.ts";
import { query } from "../../tools/query.ts";
import { failureOf } from "../helpers/failure.ts";

/** Opens the kind of database that is tested. */
export type OpenDatabase = (postgres: Postgres, url: string) => Promise<DatabaseProvider>;

const never = new AbortController().signal;

/** The behaviour that every kind of database has; see the documentation of `DatabaseProvider`. */
export function describeDatabaseContract(kind: string, open: OpenDatabase): void {
  describe(`${kind} keeps the database contract`, () => {
    let server: Postgres;
    let scratch: string;
    /** One backup of the sample, for the tests of what follows a backup. */
    let facts: DatabaseFacts;
    let dump: Buffer;
    let roles: Buffer;
    beforeAll(async () => {
      server = await startPostgres({ tls: true });
      scratch = await mkdtemp(join(tmpdir(), "provision-scratch-"));
      await createSampleDatabase(server.url("sample"), { megabytes: 2 });
      const backup = await (await open(server, server.url("sample"))).backup({ lock: "test/first", signal: never });
      facts = backup.facts;
      dump = await read(backup.artifacts, "database.dump");
      roles = await read(backup.artifacts, "roles.sql");
      await backup.close();
    });
    afterAll(async () => {
      await server.stop();
      await rm(scratch, { recursive: true });
    });

    const read = (artifacts: readonly DatabaseArtifact[], name: string): Promise<Buffer> =>
      contentOf(
        artifacts.find((each) => each.name === name),
        never,
      );
    const archive = (stream = () => streamOf(dump)): RestoreArtifact => ({
      name: "database.dump",
      format: "pg_dump-custom",
      clientVersion: facts.clientVersion,
      size: dump.length,
      open: stream,
    });
    const rolesArtifact = (): RestoreArtifact => ({
      name: "roles.sql",
      format: "roles-sql",
      clientVersion: facts.clientVersion,
      size: roles.length,
      open: () => streamOf(roles),
    });
    const options = (changes: Partial<RestoreOptions> = {}): RestoreOptions => ({
      facts,
      allowNonEmpty: false,
      jobs: 1,
      scratchDirectory: scratch,
      createRoles: false,
      noOwner: false,
      signal: never,
      ...changes,
    });
    let databases = 0;
    const emptyDatabase = async (on = server): Promise<string> => {
      databases += 1;
      const name = `Target ${databases}`;
      await query(on.url("postgres"), `CREATE DATABASE "${name}" TEMPLATE template0`);
      return name;
    };
    const databaseNames = async (): Promise<string[]> =>
      (await query<{ datname: string }>(server.url("postgres"), "SELECT datname FROM pg_database")).map(
        (row) => row.datname,
      );
    const tablesIn = async (database: string): Promise<number> => {
      const [row] = await query<{ n: string }>(
        server.url(database),
        "SELECT count(*) AS n FROM pg_class WHERE oid >= 16384",
      );
      return Number(row?.n);
    };
    const failure = async (work: Promise<unknown>): Promise<ProviderError> => {
      const error = await failureOf(work);
      const { message, fix } = error;
      expect(`${message} ${fix ?? ""}`).not.toContain(server.password);
      return error;
    };

    it("describes itself without a secret", async () => {
      const provider = await open(server, server.url("sample"));
      expect(provider.kind).toBe(kind);
      expect(provider.description).toContain("sample");
      expect(provider.description).not.toContain(server.password);
    });

    it("knows the facts of the snapshot", () => {
      expect(facts).toMatchObject({
        name: "sample",
        encoding: "UTF8",
        serverVersion: expect.stringMatching(/^\d+\.\d+/) as string,
      });
      expect(facts.size).toBeGreaterThan(5_000_000);
      expect(Math.abs(Date.now() - facts.snapshotTime.getTime())).toBeLessThan(60_000);
      expect(facts.roles).toEqual(["Sample Owner", "postgres", "sample_reader"]);
      expect(facts.tables).toContainEqual({ schema: "shop", name: "order_items", estimatedRows: 4000 });
      expect(facts.tables).toContainEqual(expect.objectContaining({ schema: "Ünïcode & spaces", name: "tàble" }));
    });

    it.each([1, 2])("gives the same database back with %i job(s)", async (jobs) => {
      const database = await emptyDatabase();
      const provider = await open(server, server.url(database));
      const report = await provider.restore([archive(), rolesArtifact()], options({ jobs }));
      const comparison = await compareDatabases(server.url("sample"), server.url(database));
      expect(comparison.differences).toEqual([]);
      expect(comparison.tables).toContainEqual({ name: "shop.order_items", rows: 4000 });
      expect(report).toMatchObject({
        database,
        rolesCreated: [],
        objects: { table: 20, "large object": 13, policy: 2 },
      });
      expect(await readdir(scratch)).toEqual([]);
    });

    it("reads the snapshot, whatever is written while it is held", async () => {
      await query(server.url("postgres"), "CREATE DATABASE moving TEMPLATE template0");
      await query(server.url("moving"), "CREATE TABLE counted AS SELECT 1 AS n");
      const backup = await (await open(server, server.url("moving"))).backup({ lock: "test/moving", signal: never });
      await query(server.url("moving"), "INSERT INTO counted VALUES (2); CREATE TABLE later ()");
      const bytes = await read(backup.artifacts, "database.dump");
      await backup.close();
      const database = await emptyDatabase();
      await (await open(server, server.url(database))).restore([archive(() => streamOf(bytes))], options());
      expect(await query(server.url(database), "SELECT n FROM counted")).toEqual([{ n: 1 }]);
      expect(await query(server.url(database), "SELECT to_regclass('later') AS later")).toEqual([{ later: null }]);
    });

    it("lets one run at a time hold a lock, until it is closed", async () => {
      const provider = await open(server, server.url("sample"));
      const first = await provider.backup({ lock: "test/lock", signal: never });
      await expect(provider.backup({ lock: "test/lock", signal: never })).rejects.toBeInstanceOf(LockHeldError);
      const other = await provider.backup({ lock: "test/lock2", signal: never });
      await other.close();
      await first.close();
      await first.close();
      await (await provider.backup({ lock: "test/lock", signal: never })).close();
    });

    it("ends pg_dump when the reader goes away, and when it is aborted", async () => {
      const backup = await (await open(server, server.url("sample"))).backup({ lock: "test/early", signal: never });
      const [artifact] = backup.artifacts;
      const early = artifact?.open(never);
      await new Promise((resolve) => early?.once("data", resolve));
      const closed = new Promise((resolve) => early?.once("close", resolve));
      early?.destroy();
      await closed;
      const controller = new AbortController();
      const aborted = contentOf(artifact, controller.signal);
      setTimeout(() => {
        controller.abort();
      }, 5);
      const error = await failure(aborted);
      expect(error.code).toBe("ABORTED");
      await backup.close();
      await expect
        .poll(() => query(server.url("postgres"), "SELECT FROM pg_stat_activity WHERE application_name = 'provision'"))
        .toEqual([]);
    });

    it("tells what is wrong with a connection", async () => {
      const backup = async (change: (url: URL) => void): Promise<ProviderError> => {
        const url = new URL(server.url("sample"));
        change(url);
        const provider = await open(server, url.href);
        return failure(provider.backup({ lock: "test/wrong", signal: never }));
      };
      const wrongPassword = await backup((url) => (url.password = "not-this-one"));
      expect(wrongPassword.code).toBe("AUTH");
      expect(wrongPassword.message).not.toContain("not-this-one");
      expect((await backup((url) => (url.pathname = "/none"))).code).toBe("NOT_FOUND");
      expect((await backup((url) => (url.port = "1"))).code).toBe("TRANSIENT");
    });

    it("plans a restore without changing anything", async () => {
      const other = await startPostgres({ tls: true });
      try {
        const database = await emptyDatabase(other);
        const provider = await open(other, other.url(database));
        const dryRun = options({ dryRun: true, createRoles: true });
        const report = await provider.restore([archive(), rolesArtifact()], dryRun);
        expect(report.steps?.join()).toMatch(/Sample Owner, sample_reader.*database\.dump/);
        expect(report).toMatchObject({ objects: {}, rolesCreated: [] });
        const roles = await query(other.url(database), "SELECT FROM pg_roles WHERE rolname LIKE '%ample%'");
        expect(roles).toEqual([]);
        expect(await query(other.url(database), "SELECT FROM pg_class WHERE oid >= 16384")).toEqual([]);
        const refused = provider.restore([archive(), rolesArtifact()], options({ dryRun: true }));
        expect((await failure(refused)).code).toBe("CONFIG");
      } finally {
        await other.stop();
      }
    });

    it("says of every artifact what it covers, and leaves nothing out", async () => {
      const backup = await (await open(server, server.url("sample"))).backup({ lock: "test/covers", signal: never });
      await backup.close();
      expect(backup.omitted).toEqual([]);
      for (const { name, covers } of backup.artifacts) expect(covers.join(), name).toMatch(/\w/);
    });

    it("refuses a target that is not empty, and leaves it as it is", async () => {
      const database = await emptyDatabase();
      await query(server.url(database), "CREATE TABLE precious AS SELECT 1 AS n");
      const provider = await open(server, server.url(database));
      expect((await failure(provider.restore([archive()], options()))).code).toBe("CONFLICT");
      expect((await failure(provider.restore([archive()], options({ jobs: 2, allowNonEmpty: true })))).code).toBe(
        "CONFIG",
      );
      expect(await tablesIn(database)).toBe(1);
      await provider.restore([archive()], options({ allowNonEmpty: true }));
      expect(await query(server.url(database), "SELECT n FROM precious")).toEqual([{ n: 1 }]);
    });

    it("rolls back where an object exists already", async () => {
      const database = await emptyDatabase();
      await query(server.url(database), "CREATE SCHEMA shop; CREATE TABLE shop.odd_values ()");
      const before = await tablesIn(database);
      const provider = await open(server, server.url(database));
      const error = await failure(provider.restore([archive()], options({ allowNonEmpty: true })));
      expect(error.code).toBe("CONFLICT");
      expect(await tablesIn(database)).toBe(before);
    });

    it("never commits an archive whose stream fails before its end, or ends too early", async () => {
      const database = await emptyDatabase();
      const provider = await open(server, server.url(database));
      const damaged = new ProviderError("INTEGRITY", "The bytes are not those that were written.");
      for (const length of [10, 5000, Math.floor(dump.length / 2), dump.length - 1]) {
        const failing = (): ReturnType<typeof streamOf> => failingStream(dump.subarray(0, length), damaged);
        expect(await failure(provider.restore([archive(failing)], options()))).toBe(damaged);
        const short = (): ReturnType<typeof streamOf> => streamOf(dump.subarray(0, length));
        expect((await failure(provider.restore([archive(short)], options()))).code).toBe("INTEGRITY");
        expect(await tablesIn(database)).toBe(0);
      }
      await provider.restore([archive()], options());
      expect(await tablesIn(database)).toBeGreaterThan(20);
    });

    it("touches nothing in parallel before the archive has proven right", async () => {
      const database = await emptyDatabase();
      const provider = await open(server, server.url(database));
      const damaged = new ProviderError("INTEGRITY", "The bytes are not those that were written.");
      const failing = (): ReturnType<typeof streamOf> => failingStream(dump.subarray(0, -1), damaged);
      expect(await failure(provider.restore([archive(failing)], options({ jobs: 2 })))).toBe(damaged);
      expect(await databaseNames()).toContain(database);
      expect(await tablesIn(database)).toBe(0);
      expect(await readdir(scratch)).toEqual([]);
    });

    it("takes the name from a database whose parallel restore failed", async () => {
      const database = await emptyDatabase();
      const provider = await open(server, server.url(database));
      const cut = (): ReturnType<typeof streamOf> => streamOf(dump.subarray(0, Math.floor(dump.length / 2)));
      const error = await failure(provider.restore([archive(cut)], options({ jobs: 2 })));
      const names = await databaseNames();
      expect(names).not.toContain(database);
      const incomplete = names.find((name) => name.startsWith(`${database}_incomplete_`));
      expect(incomplete).toBeDefined();
      expect(error.message).toContain(incomplete);
      expect(error.fix).toContain(`DROP DATABASE "${incomplete ?? ""}"`);
      expect(await readdir(scratch)).toEqual([]);
    });

    it("refuses a server that lacks the backup's roles, and creates them when asked", async () => {
      const other = await startPostgres({ tls: true });
      try {
        const database = await emptyDatabase(other);
        const provider = await open(other, other.url(database));
        const error = await failure(provider.restore([archive(), rolesArtifact()], options()));
        expect(error.code).toBe("CONFIG");
        expect(error.message).toContain("Sample Owner, sample_reader");
        expect((await failure(provider.restore([archive()], options({ createRoles: true })))).code).toBe("CONFIG");
        await query(other.url("postgres"), "CREATE ROLE sample_reader LOGIN");
        const report = await provider.restore([archive(), rolesArtifact()], options({ createRoles: true }));
        expect(report.rolesCreated).toEqual(["Sample Owner"]);
        expect((await compareDatabases(server.url("sample"), other.url(database))).differences).toEqual([]);
        // What was there is not changed.
        const login = "SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY rolname";
        expect(await query(other.url("postgres"), login)).toEqual([
          { rolname: "postgres" },
          { rolname: "sample_reader" },
        ]);
      } finally {
        await other.stop();
      }
    });

    it("restores without owners and privileges when asked", async () => {
      await query(server.url("postgres"), "CREATE DATABASE owned TEMPLATE template0");
      await query(
        server.url("owned"),
        `CREATE TABLE mine (); ALTER TABLE mine OWNER TO "Sample Owner"; GRANT SELECT ON mine TO sample_reader`,
      );
      const backup = await (await open(server, server.url("owned"))).backup({ lock: "test/owned", signal: never });
      const bytes = await read(backup.artifacts, "database.dump");
      await backup.close();
      const other = await startPostgres({ tls: true });
      try {
        const database = await emptyDatabase(other);
        const provider = await open(other, other.url(database));
        const report = await provider.restore(
          [archive(() => streamOf(bytes))],
          options({ noOwner: true, facts: backup.facts }),
        );
        expect(report.warnings).toContainEqual(expect.stringContaining("Owners and privileges were not restored"));
        const owner = "SELECT relowner::regrole::text AS owner, relacl FROM pg_class WHERE relname = 'mine'";
        expect(await query(other.url(database), owner)).toEqual([{ owner: "postgres", relacl: null }]);
      } finally {
        await other.stop();
      }
    });

    it("ends an aborted restore with nothing restored", async () => {
      const database = await emptyDatabase();
      const controller = new AbortController();
      const provider = await open(server, server.url(database));
      const stalling = async function* () {
        yield dump.subarray(0, -100);
        controller.abort();
        await new Promise(() => undefined);
      };
      const stream = (): ReturnType<typeof streamOf> => Readable.from(stalling());
      const error = await failure(provider.restore([archive(stream)], options({ signal: controller.signal })));
      expect(error.code).toBe("ABORTED");
      await expect
        .poll(() => query(server.url("postgres"), "SELECT FROM pg_stat_activity WHERE application_name ~ 'provision'"))
        .toEqual([]);
      expect(await tablesIn(database)).toBe(0);
    });

    it("verifies what is whole, and nothing that is cut off or something else", async () => {
      const verify = (format: DatabaseArtifact["format"], bytes: Buffer): Promise<void> =>
        verifyArtifact({ kind }, { name: "x", format, clientVersion: facts.clientVersion }, streamOf(bytes), never);
      await verify("pg_dump-custom", dump);
      await verify("roles-sql", roles);
      const part = Buffer.from(writePart("policies", ["CREATE POLICY p ON t"]));
      await verify("sql", part);
      for (const length of [0, 10, part.length - 10, part.length - 1]) {
        expect((await failure(verify("sql", part.subarray(0, length)))).code, `${length} bytes`).toBe("INTEGRITY");
      }
      expect((await failure(verify("sql", dump))).code).toBe("INTEGRITY");
      expect((await failure(verify("inventory", Buffer.from('{"format":1')))).code).toBe("INTEGRITY");
      expect((await failure(verify("inventory", Buffer.from('{"format":1}')))).code).toBe("INTEGRITY");
      for (const length of [0, 4, 100, 40_000, Math.floor(dump.length / 3), dump.length - 1]) {
        expect((await failure(verify("pg_dump-custom", dump.subarray(0, length)))).code, `${length} bytes`).toBe(
          "INTEGRITY",
        );
      }
      for (const length of [0, 100, Math.floor(roles.length / 2), roles.length - 12]) {
        expect((await failure(verify("roles-sql", roles.subarray(0, length)))).code, `${length} bytes`).toBe(
          "INTEGRITY",
        );
      }
      expect((await failure(verify("pg_dump-custom", roles))).code).toBe("INTEGRITY");
      expect((await failure(verify("roles-sql", dump))).code).toBe("INTEGRITY");
      const shell = Buffer.from(
        roles.toString().replace("CREATE ROLE postgres;", "\\! touch /tmp/x\nCREATE ROLE postgres;"),
      );
      expect((await failure(verify("roles-sql", shell))).code).toBe("INTEGRITY");
      const statement = Buffer.from(roles.toString().replace("CREATE ROLE postgres;", "DROP DATABASE app;"));
      expect((await failure(verify("roles-sql", statement))).code).toBe("INTEGRITY");
    });

    it("passes on what the stream that it verifies fails with", async () => {
      const damaged = new ProviderError("INTEGRITY", "The bytes are not those that were written.");
      const formats = ["pg_dump-custom", "roles-sql", "sql"] as const;
      for (const format of kind === "supabase" ? ([...formats, "inventory"] as const) : formats) {
        const bytes = failingStream(format === "pg_dump-custom" ? dump : roles, damaged);
        const artifact = { name: "x", format, clientVersion: facts.clientVersion };
        expect(await failure(verifyArtifact({ kind }, artifact, bytes, never))).toBe(damaged);
      }
    });

    it("asks for newer client programs than there are by name", async () => {
      const artifact = { name: "x", format: "pg_dump-custom", clientVersion: "99.1" } as const;
      const bytes = streamOf(dump);
      const error = await failure(verifyArtifact({ kind }, artifact, bytes, never));
      expect(error.code).toBe("CONFIG");
      expect(error.message).toContain("99");
      expect(bytes.destroyed).toBe(true);
    });

    it("checks what a backup needs", async () => {
      const checks = async (url: string): Promise<Record<string, boolean>> => {
        const found: Record<string, boolean> = {};
        for await (const check of (await open(server, url)).check(never, "test/check")) {
          found[check.name] = check.ok;
          if (!check.ok) expect(check.fix).toBeDefined();
          expect(JSON.stringify(check)).not.toContain(server.password);
        }
        return found;
      };
      const all = await checks(server.url("sample"));
      expect(Object.values(all)).not.toContain(false);
      expect(Object.keys(all)).toEqual(
        expect.arrayContaining(["connection", "clients", "TLS", "privileges", "lock", "size"]),
      );
      const holder = await (await open(server, server.url("sample"))).backup({ lock: "test/check", signal: never });
      expect(await checks(server.url("sample"))).toMatchObject({ lock: false, connection: true });
      await holder.close();
      expect(await checks(server.url("none"))).toMatchObject({ connection: false });
    });
  });
}
