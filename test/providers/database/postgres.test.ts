import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "pg";
import type { Check, DatabaseBackup, DatabaseProvider } from "../../../providers/database/database.ts";
import { createDatabase } from "../../../providers/database/index.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { type Postgres, startPostgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { describeDatabaseContract } from "../../contract/database.ts";
import { contentOf } from "../../helpers/postgres.ts";
import { query } from "../../../tools/query.ts";
import { commandLines } from "../../helpers/processes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { streamOf } from "../../helpers/bytes.ts";

function open(
  url: string,
  settings: { clients?: string; lockTimeoutSeconds?: number } = {},
): Promise<DatabaseProvider> {
  return createDatabase(
    { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30, ...settings },
    { secrets: { url } },
  );
}

describeDatabaseContract("postgres", (_postgres, url) => open(url));

const never = new AbortController().signal;

describe("PostgresDatabaseProvider", () => {
  let server: Postgres;
  let folder: string;
  beforeAll(async () => {
    server = await startPostgres({ tls: true });
    folder = await mkdtemp(join(tmpdir(), "provision-clients-"));
    await createSampleDatabase(server.url("sample"), { megabytes: 2 });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  /** A folder of client programs whose pg_dump is a shell script around the real one, which is $real. */
  const clientsWith = async (name: string, script: string): Promise<string> => {
    const directory = await mkdtemp(join(folder, name));
    const real = join(server.binDirectory, "pg_dump");
    await writeFile(
      join(directory, "pg_dump"),
      `#!/bin/sh\nreal=${real}\nif [ "$1" = --version ]; then exec $real --version; fi\n${script}\n`,
    );
    await chmod(join(directory, "pg_dump"), 0o755);
    return directory;
  };
  const dumpOf = (backup: DatabaseBackup, signal = never): Promise<Buffer> => contentOf(backup.artifacts[0], signal);
  const rolesOf = async (backup: DatabaseBackup): Promise<string> =>
    (await contentOf(backup.artifacts[1], never)).toString();
  /** Backs up and gives what the dump fails with. */
  const dumpFailure = async (provider: DatabaseProvider): Promise<ProviderError> => {
    const backup = await provider.backup({ lock: `test/${Math.random()}`, signal: never });
    try {
      return await failureOf(dumpOf(backup));
    } finally {
      await backup.close();
    }
  };

  it("fails where pg_dump exits with 1 after writing everything", async () => {
    const clients = await clientsWith("exit", `$real "$@"\necho "a last word about $PGPASSWORD" >&2\nexit 1`);
    const error = await dumpFailure(await open(server.url("sample"), { clients }));
    expect(error.message).toContain("exited with 1");
    expect(error.message).toContain("a last word about ***");
    expect(error.message).not.toContain(server.password);
  });

  it("fails where pg_dump is killed, early or at its very end", async () => {
    for (const script of [`$real "$@" | { head -c 100000; kill -9 $$; }`, `$real "$@"; kill -9 $$`]) {
      const clients = await clientsWith("kill", script);
      const error = await dumpFailure(await open(server.url("sample"), { clients }));
      expect(error.message).toContain("SIGKILL");
    }
  });

  it("keeps only the end of a flood of messages, and no part of a secret", async () => {
    const flood = `i=0; while [ $i -lt 3000 ]; do echo "$i $PGPASSWORD" >&2; i=$((i+1)); done; exit 1`;
    const error = await dumpFailure(await open(server.url("sample"), { clients: await clientsWith("flood", flood) }));
    expect(error.message.length).toBeLessThan(4300);
    expect(error.message).toContain("2999 ***");
    expect(error.message).not.toContain(server.password.slice(-8));
  });

  it("ends a pg_dump that does not want to end", async () => {
    const clients = await clientsWith("stubborn", `trap '' TERM\nprintf x\nwhile :; do sleep 0.1; done`);
    const backup = await (
      await open(server.url("sample"), { clients })
    ).backup({ lock: "test/stubborn", signal: never });
    const controller = new AbortController();
    const dump = dumpOf(backup, controller.signal);
    setTimeout(() => {
      controller.abort();
    }, 300);
    await expect(dump).rejects.toMatchObject({ code: "ABORTED" });
    await backup.close();
    expect(commandLines().filter((line) => line.includes(clients))).toEqual([]);
  });

  it("shows the password in no command line, and hands pg_dump nothing of its own environment", async () => {
    const listing = join(folder, "environment");
    const script = `env > ${listing}\ntouch ${listing}.ready\nwhile [ ! -e ${listing}.go ]; do sleep 0.05; done\nexec $real "$@"`;
    const clients = await clientsWith("slow", script);
    const backup = await (await open(server.url("sample"), { clients })).backup({ lock: "test/slow", signal: never });
    const dump = dumpOf(backup);
    await expect
      .poll(
        () =>
          readFile(`${listing}.ready`).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
    const lines = commandLines();
    expect(lines.some((line) => line.includes(join(clients, "pg_dump")))).toBe(true);
    expect(lines.filter((line) => line.includes(server.password))).toEqual([]);
    await writeFile(`${listing}.go`, "");
    await dump;
    await backup.close();
    const variables = (await readFile(listing, "utf8")).split("\n").filter((line) => line !== "");
    const shellsOwn = ["PWD", "OLDPWD", "SHLVL", "_"];
    const others = variables.filter((line) => {
      const [name = ""] = line.split("=");
      return !/^PG|^PATH$|^LC_ALL$/.test(name) && !shellsOwn.includes(name);
    });
    // The provider's own wish for a large output buffer, to the letter, and nothing else.
    const library = "/usr/libexec/coreutils/libstdbuf.so";
    const buffer = existsSync(library) ? [`LD_PRELOAD=${library}`, "_STDBUF_O=262144"] : [];
    expect(others.sort()).toEqual(buffer);
    // A pooler that does not know GSSAPI encryption drops a connection that asks for it.
    expect(variables.filter((line) => line.startsWith("PGGSS"))).toEqual(["PGGSSENCMODE=disable"]);
  });

  it.each(["%", ":@/?#[]&=", `it's "quoted"`, " spaces ", "pässwörd 密码 😀", "%41 \\ $HOME `x`"])(
    "logs in with the password %j, here and in pg_dump",
    async (password) => {
      const client = new Client({ connectionString: server.url("postgres") });
      await client.connect();
      await client.query(`DROP ROLE IF EXISTS "odd:user@"`);
      await client.query(`CREATE ROLE "odd:user@" SUPERUSER LOGIN PASSWORD ${client.escapeLiteral(password)}`);
      await client.end();
      const credentials = `${encodeURIComponent("odd:user@")}:${encodeURIComponent(password)}`;
      const url = server.url("sample").replace(/\/\/[^@]+@/, `//${credentials}@`);
      const backup = await (await open(url)).backup({ lock: "test/odd", signal: never });
      expect((await dumpOf(backup)).subarray(0, 5).toString()).toBe("PGDMP");
      expect(await rolesOf(backup)).toContain("cluster dump complete");
      await backup.close();
    },
  );

  it("backs up a database with an odd name over a unix socket", async () => {
    const name = `odd 'name' = "x" \\ postgresql://`;
    await query(server.url("postgres"), `CREATE DATABASE "${name.replaceAll('"', '""')}" TEMPLATE template0`);
    const url =
      `postgresql://postgres:${server.password}@/${encodeURIComponent(name)}` +
      `?host=${encodeURIComponent(server.directory)}&port=${server.port}`;
    const backup = await (await open(url)).backup({ lock: "test/odd", signal: never });
    expect(backup.facts.name).toBe(name);
    expect((await dumpOf(backup)).subarray(0, 5).toString()).toBe("PGDMP");
    expect(await rolesOf(backup)).toContain("cluster dump complete");
    await backup.close();
  });

  it("takes the first of several hosts that answers, and has pg_dump take the same", async () => {
    const url = server.url("sample").replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:");
    const backup = await (await open(url)).backup({ lock: "test/hosts", signal: never });
    expect((await dumpOf(backup)).length).toBeGreaterThan(100_000);
    await backup.close();
    const standby = await open(`${url}?target_session_attrs=standby`);
    await expect(standby.backup({ lock: "test/hosts", signal: never })).rejects.toMatchObject({ code: "TRANSIENT" });
    await (
      await (await open(`${url}?target_session_attrs=prefer-standby`)).backup({ lock: "test/hosts", signal: never })
    ).close();
    await (
      await (await open(`${url}?target_session_attrs=read-write`)).backup({ lock: "test/hosts", signal: never })
    ).close();
  });

  describe("with TLS", () => {
    const url = (host: string, parameters: string): string =>
      `${server.url("sample").replace("127.0.0.1", host)}?${parameters}`;
    /** Whether a backup works, through the control connection and pg_dump alike. */
    const works = async (target: string): Promise<string> => {
      try {
        const backup = await (await open(target)).backup({ lock: "test/tls", signal: never });
        await dumpOf(backup);
        await backup.close();
        return "works";
      } catch (error) {
        return error instanceof ProviderError ? error.code : String(error);
      }
    };
    let other: Postgres;
    beforeAll(async () => {
      other = await startPostgres({ tls: true });
    });
    afterAll(() => other.stop());

    it("does what libpq's sslmode says", async () => {
      const root = `sslrootcert=${encodeURIComponent(server.rootCertificate ?? "")}`;
      const wrong = `sslrootcert=${encodeURIComponent(other.rootCertificate ?? "")}`;
      const expected: [string, string, string][] = [
        ["127.0.0.1", "sslmode=disable", "works"],
        ["127.0.0.1", "sslmode=allow", "works"],
        ["127.0.0.1", "sslmode=prefer", "works"],
        ["127.0.0.1", "sslmode=require", "works"],
        ["127.0.0.1", `sslmode=require&${root}`, "works"],
        ["127.0.0.1", `sslmode=require&${wrong}`, "CONFIG"],
        ["127.0.0.1", `sslmode=verify-ca&${root}`, "works"],
        ["127.0.0.1", `sslmode=verify-ca&${wrong}`, "CONFIG"],
        ["127.0.0.1", "sslmode=verify-ca", "CONFIG"],
        ["127.0.0.1", `sslmode=verify-full&${root}`, "CONFIG"],
        ["localhost", `sslmode=verify-full&${root}`, "works"],
        ["localhost", `sslmode=verify-full&${wrong}`, "CONFIG"],
        ["localhost", "sslmode=verify-full&sslrootcert=system", "CONFIG"],
        ["localhost", "sslmode=verify-full&sslrootcert=/none.crt", "CONFIG"],
        ["localhost", `sslmode=verify-full&channel_binding=require&${root}`, "works"],
      ];
      for (const [host, parameters, result] of expected)
        expect([parameters, await works(url(host, parameters))]).toEqual([parameters, result]);
    });

    it("falls back to no TLS, or insists, where the server has none", async () => {
      const plain = await startPostgres();
      try {
        const backup = async (mode: string): Promise<string> => {
          const provider = await open(`${plain.url("postgres")}?sslmode=${mode}`);
          return provider.backup({ lock: "test/plain", signal: never }).then(
            async (opened) => {
              await opened.close();
              return "works";
            },
            (error: unknown) => (error instanceof ProviderError ? error.code : String(error)),
          );
        };
        expect(await backup("prefer")).toBe("works");
        expect(await backup("require")).toBe("CONFIG");
      } finally {
        await plain.stop();
      }
    });
  });

  describe("as a role that is no superuser", () => {
    const as = (role: string): string => server.url("sample").replace(/\/\/[^@]+@/, `//${role}:pw@`);
    const check = async (role: string, name: string): Promise<Check | undefined> => {
      for await (const each of (await open(as(role))).check(never)) if (each.name === name) return each;
      return undefined;
    };
    beforeAll(async () => {
      await query(
        server.url("sample"),
        `CREATE ROLE reader LOGIN PASSWORD 'pw' IN ROLE pg_read_all_data;
         CREATE ROLE bypasser LOGIN PASSWORD 'pw' BYPASSRLS IN ROLE pg_read_all_data;
         CREATE ROLE nobody_special LOGIN PASSWORD 'pw';
         DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP
           EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO reader, bypasser', o); END LOOP; END $$`,
      );
    });

    it("refuses to leave out rows that row level security hides, before it dumps anything", async () => {
      const provider = await open(as("reader"));
      const error = await failureOf(provider.backup({ lock: "test/hidden", signal: never }));
      expect(error.code).toBe("AUTH");
      expect(error.message).toContain("the role reader in shop.members");
      expect(error.fix).toContain("BYPASSRLS");
      expect(await check("reader", "row level security")).toMatchObject({
        ok: false,
        detail: expect.stringContaining("shop.members") as string,
      });
    });

    it("backs up everything with pg_read_all_data and BYPASSRLS", async () => {
      const backup = await (await open(as("bypasser"))).backup({ lock: "test/bypass", signal: never });
      expect((await dumpOf(backup)).length).toBeGreaterThan(1_000_000);
      expect(await rolesOf(backup)).toContain("CREATE ROLE bypasser;");
      await backup.close();
      expect(await check("bypasser", "privileges")).toMatchObject({ ok: true });
      expect(await check("bypasser", "row level security")).toMatchObject({ ok: true });
    });

    it("says what it may not read", async () => {
      const error = await dumpFailure(await open(as("nobody_special")));
      expect(error.code).toBe("AUTH");
      const found = await check("nobody_special", "privileges");
      expect(found).toMatchObject({ ok: false, detail: expect.stringMatching(/schema shop.* and \d+ more/) as string });
    });
  });

  describe("with a selection", () => {
    const select = async (selection: object): Promise<DatabaseBackup> =>
      (
        await createDatabase(
          { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30, ...selection },
          { secrets: { url: server.url("chosen") } },
        )
      ).backup({ lock: `test/${Math.random()}`, signal: never });
    /** What comes back, as rows by table. */
    const restored = async (selection: object): Promise<Record<string, number>> => {
      const backup = await select(selection);
      const bytes = await dumpOf(backup);
      await backup.close();
      const name = `chosen_${Math.random().toString(36).slice(2)}`;
      await query(server.url("postgres"), `CREATE DATABASE ${name} TEMPLATE template0`);
      const artifact = {
        name: "database.dump",
        format: "pg_dump-custom",
        clientVersion: backup.facts.clientVersion,
        size: bytes.length,
        open: () => streamOf(bytes),
      } as const;
      await (
        await open(server.url(name))
      ).restore([artifact], {
        facts: backup.facts,
        allowNonEmpty: false,
        jobs: 1,
        scratchDirectory: folder,
        createRoles: false,
        noOwner: false,
        signal: never,
      });
      const tables = await query<{ name: string }>(
        server.url(name),
        `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
         WHERE relkind IN ('r', 'S', 'v') AND nspname !~ '^pg_|information_schema' ORDER BY 1`,
      );
      const rows = tables.map(async ({ name: table }) => {
        const [row] = await query<{ n: number }>(server.url(name), `SELECT count(*)::int AS n FROM ${table}`);
        return [table, row?.n ?? 0] as const;
      });
      return Object.fromEntries(await Promise.all(rows));
    };
    beforeAll(async () => {
      await query(server.url("postgres"), "CREATE DATABASE chosen TEMPLATE template0");
      await query(
        server.url("chosen"),
        `CREATE SCHEMA app; CREATE SCHEMA "Odd.name"; CREATE SCHEMA logs;
         CREATE TABLE app.users (id int PRIMARY KEY); INSERT INTO app.users VALUES (1), (2);
         CREATE TABLE app.orders (id serial, buyer int REFERENCES app.users); INSERT INTO app.orders (buyer) VALUES (1);
         CREATE TABLE "Odd.name"."T ""q""" AS SELECT 1 AS n;
         CREATE TABLE logs.days (at date) PARTITION BY RANGE (at);
         CREATE TABLE logs.first PARTITION OF logs.days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         INSERT INTO logs.days VALUES ('2026-01-05'); CREATE VIEW app.last_day AS SELECT max(at) FROM logs.days`,
      );
    });

    it("backs up what is included, without what is excluded, and definitions without rows", async () => {
      expect(await restored({ include: ["app"], exclude: ["app.orders", "app.last_*"] })).toEqual({ "app.users": 2 });
      expect(await restored({ exclude: ["app"] })).toEqual({ "logs.first": 1, '"Odd.name"."T ""q"""': 1 });
      expect(await restored({ include: ["app.users", "Odd?name"] })).toEqual({
        "app.users": 2,
        '"Odd.name"."T ""q"""': 1,
      });
      expect(await restored({ exclude: ["Odd*"], excludeData: ["logs.days", "app.orders"] })).toEqual({
        "app.last_day": 1,
        "app.orders": 0,
        "app.orders_id_seq": 1,
        "app.users": 2,
        "logs.first": 0,
      });
    });

    it("says in the backup what is left out", async () => {
      const backup = await select({ exclude: ["app.orders"], excludeData: ["logs.first"] });
      await backup.close();
      expect(backup.artifacts[0]?.covers).toEqual([
        "definitions and rows: 3 tables in 3 schemas",
        "without, as the job says: the tables app.orders, app.orders_id_seq",
        "without, as the job says: the rows of logs.first",
        expect.stringMatching(
          /^an empty database like it: CREATE DATABASE "chosen" TEMPLATE template0 ENCODING 'UTF8' LC_/,
        ),
      ]);
    });

    it("refuses what fits nothing, and what could not be restored", async () => {
      for (const [selection, message] of [
        [{ exclude: ["apps"] }, "No schema or table matches apps"],
        [{ include: ["app.user"] }, "No schema or table matches app.user"],
        [{ exclude: ["app.users"] }, "app.orders refers to app.users"],
        [{ excludeData: ["app.users"] }, "app.orders refers to app.users"],
        [{ include: ["app"] }, "app.last_day reads logs.days"],
      ] as const) {
        const error = await failureOf(select(selection));
        expect(error.code).toBe("CONFIG");
        expect(error.message).toContain(message);
        expect(error.fix).toBeDefined();
      }
    });
  });

  it("gives up on a table that somebody has locked, and says so", async () => {
    await query(server.url("postgres"), "CREATE DATABASE locked TEMPLATE template0");
    await query(server.url("locked"), "CREATE TABLE busy ()");
    const holder = new Client({ connectionString: server.url("locked") });
    await holder.connect();
    await holder.query("BEGIN; LOCK TABLE busy IN ACCESS EXCLUSIVE MODE");
    const provider = await open(server.url("locked"), { lockTimeoutSeconds: 1 });
    const error = await failureOf(provider.backup({ lock: "test/locked", signal: never }));
    await holder.end();
    expect(error.code).toBe("TRANSIENT");
    expect(error.fix).toContain("lockTimeoutSeconds");
  });

  it("survives the loss of its own connection, and gives the lock back with it", async () => {
    const provider = await open(server.url("sample"));
    const backup = await provider.backup({ lock: "test/lost", signal: never });
    await query(
      server.url("postgres"),
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'provision'",
    );
    await expect(dumpOf(backup)).rejects.toBeInstanceOf(ProviderError);
    await backup.close();
    await (await provider.backup({ lock: "test/lost", signal: never })).close();
  });

  it("says which programs it needs and which it found", async () => {
    const empty = await mkdtemp(join(folder, "empty"));
    const provider = await open(server.url("sample"), { clients: empty });
    await expect(provider.backup({ lock: "test/clients", signal: never })).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringContaining(`found in ${empty}: none`) as string,
    });
  });
});
