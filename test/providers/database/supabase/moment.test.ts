import { tmpdir } from "node:os";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "pg";
import type { DatabaseProvider, RestoreArtifact } from "../../../../providers/database/database.ts";
import { createDatabase } from "../../../../providers/database/index.ts";
import { streamOf } from "../../../helpers/bytes.ts";
import { query } from "../../../helpers/postgres.ts";
import { Random } from "../../../helpers/random.ts";
import { startSupabase, type SupabaseServer } from "../../../services/supabase-database.ts";

const never = new AbortController().signal;
const CHANGES = 200;
/** As many changes are there before the backup begins, so that the moment is in the middle of them. */
const BEFORE = 40;

/** What a change makes, by its number, and how to see that it is there. */
const changes: readonly { make: (i: number) => string; isThere: (i: number) => string }[] = [
  {
    make: (i) => `CREATE TABLE shop.made_${i} AS SELECT g AS n FROM generate_series(1, ${i}) AS g`,
    isThere: (i) => `to_regclass('shop.made_${i}') IS NOT NULL`,
  },
  {
    make: (i) => `CREATE FUNCTION shop.made_${i}() RETURNS int LANGUAGE sql AS 'SELECT ${i}'`,
    isThere: (i) => `to_regprocedure('shop.made_${i}()') IS NOT NULL`,
  },
  {
    make: (i) => `CREATE VIEW shop.view_${i} AS SELECT count(*) AS n FROM shop.orders WHERE id < ${i}`,
    isThere: (i) => `to_regclass('shop.view_${i}') IS NOT NULL`,
  },
  {
    make: (i) => `CREATE SCHEMA made_${i}; CREATE TYPE made_${i}.kind AS ENUM ('a', 'b')`,
    isThere: (i) => `to_regtype('made_${i}.kind') IS NOT NULL`,
  },
  {
    make: (i) => `CREATE INDEX made_index_${i} ON shop.orders (placed, (total + ${i}))`,
    isThere: (i) => `to_regclass('shop.made_index_${i}') IS NOT NULL`,
  },
  {
    make: (i) =>
      `CREATE TRIGGER made_${i} AFTER INSERT ON auth.users FOR EACH ROW WHEN (NEW.is_anonymous) EXECUTE FUNCTION public.note_new_object()`,
    isThere: (i) => `EXISTS (SELECT FROM pg_trigger WHERE tgname = 'made_${i}' AND tgrelid = 'auth.users'::regclass)`,
  },
  {
    make: (i) =>
      `CREATE TABLE public.made_${i} (); ALTER TABLE public.made_${i} ENABLE ROW LEVEL SECURITY;
       CREATE POLICY made_${i} ON public.made_${i} USING (true); ALTER PUBLICATION supabase_realtime ADD TABLE public.made_${i}`,
    isThere: (i) =>
      `EXISTS (SELECT FROM pg_policy WHERE polname = 'made_${i}')
       AND EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'supabase_realtime' AND tablename = 'made_${i}')`,
  },
  {
    make: (i) => `SELECT cron.schedule('made_${i}', '0 0 * * *', 'SELECT ${i}')`,
    isThere: (i) => `EXISTS (SELECT FROM cron.job WHERE jobname = 'made_${i}')`,
  },
  {
    make: (i) => `SELECT pgmq.send('mails', '{"made": ${i}}')`,
    isThere: (i) => `EXISTS (SELECT FROM pgmq.q_mails WHERE message ->> 'made' = '${i}')`,
  },
  {
    make: (i) =>
      `INSERT INTO auth.users (id, email, raw_user_meta_data)
       VALUES (gen_random_uuid(), 'made_${i}@example.com', '{"username": "made_${i}"}')`,
    isThere: (i) =>
      `EXISTS (SELECT FROM auth.users JOIN public.profiles USING (id) WHERE email = 'made_${i}@example.com' AND username = 'made_${i}')`,
  },
  {
    make: (i) => `DELETE FROM storage.objects WHERE id = md5('object ${i + 1}')::uuid`,
    isThere: (i) => `NOT EXISTS (SELECT FROM storage.objects WHERE id = md5('object ${i + 1}')::uuid)`,
  },
];

describe("changes during a backup", () => {
  let server: SupabaseServer;
  beforeAll(async () => {
    server = await startSupabase({ tls: true });
  });
  afterAll(() => server.postgres.stop());

  const open = (url: string): Promise<DatabaseProvider> =>
    createDatabase(
      {
        kind: "supabase",
        url: { env: "URL" },
        lockTimeoutSeconds: 30,
        vault: "leave-out",
        rootCertificate: server.postgres.rootCertificate ?? "",
      },
      { secrets: { url: url.replace("@127.0.0.1:", "@localhost:") } },
    );

  it(`${CHANGES} of definitions and data leave one consistent moment`, async () => {
    const url = await server.fullProject("moving");
    await query(
      url,
      `CREATE TABLE shop.ledger (change int PRIMARY KEY, kind int NOT NULL);
       CREATE TABLE shop.accounts AS SELECT i AS id, 100 AS amount FROM generate_series(1, 10) AS i`,
    );
    const random = new Random(7);
    const kinds = Array.from({ length: CHANGES }, () => random.below(changes.length));
    const writer = new Client({ connectionString: url });
    await writer.connect();
    let made = 0;
    const waiting: { until: number; go: () => void }[] = [];
    const writing = (async () => {
      for (const [i, kind] of kinds.entries()) {
        const [from, to] = [1 + random.below(10), 1 + random.below(10)];
        // Each change commits together with the line that tells of it, and with a transfer that keeps the sum.
        await writer.query(
          `BEGIN; ${changes[kind]?.make(i) ?? ""}; INSERT INTO shop.ledger VALUES (${i}, ${kind});
           UPDATE shop.accounts SET amount = amount - 7 WHERE id = ${from}; UPDATE shop.accounts SET amount = amount + 7 WHERE id = ${to}; COMMIT`,
        );
        made += 1;
        for (const each of waiting) if (made >= each.until) each.go();
      }
    })();

    // A writer that fails ends the wait too.
    const changed = (until: number): Promise<void> =>
      Promise.race([
        writing,
        new Promise<void>((go) => {
          if (made >= until) go();
          else waiting.push({ until, go });
        }),
      ]);
    await changed(BEFORE);
    const backup = await (await open(url)).backup({ lock: "moving", signal: never });
    const during = made;
    const artifacts: RestoreArtifact[] = [];
    for (const artifact of backup.artifacts) {
      const { name, format } = artifact;
      // Every part is read after further changes.
      await changed(Math.min(CHANGES, during + (artifacts.length + 1) * 10));
      const bytes = await buffer(artifact.open(never));
      const { clientVersion } = backup.facts;
      artifacts.push({ name, format, clientVersion, size: bytes.length, open: () => streamOf(bytes) });
    }
    await backup.close();
    await writing;
    await writer.end();

    const target = await server.newProject("moment");
    const report = await (
      await open(target)
    ).restore(artifacts, {
      facts: backup.facts,
      allowNonEmpty: false,
      jobs: 1,
      scratchDirectory: tmpdir(),
      createRoles: false,
      noOwner: false,
      confirm: `localhost:${server.postgres.port}/moment`,
      signal: never,
    });
    expect(report.differences).toEqual([]);

    const ledger = await query<{ change: number }>(target, "SELECT change FROM shop.ledger ORDER BY change");
    const last = ledger.length;
    expect(last).toBeGreaterThanOrEqual(BEFORE);
    expect(last).toBeLessThan(CHANGES);
    expect(ledger.map(({ change }) => change)).toEqual(Array.from({ length: last }, (_, i) => i));
    expect(await query(target, "SELECT sum(amount)::int AS sum FROM shop.accounts")).toEqual([{ sum: 1000 }]);
    const [there] = await query<Record<string, boolean>>(
      target,
      `SELECT ${kinds.map((kind, i) => `${changes[kind]?.isThere(i) ?? ""} AS c${i}`).join(", ")}`,
    );
    const found = kinds.flatMap((_, i) => (there?.[`c${i}`] === true ? [i] : []));
    expect(found).toEqual(ledger.map(({ change }) => change));
  });
});
