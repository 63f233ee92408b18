import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { makeBackup } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

/** Longer than a drill takes on a busy machine; one that hangs takes for ever. */
const LIMIT_MS = 50_000;

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE bulk AS SELECT md5(i::text) AS text FROM generate_series(1, 200000) AS i");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"), { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } });
  sandbox.environment.DRILL_URL = postgres.url("postgres");
});
afterEach(() => {
  sandbox.remove();
});

it.each([
  ["exit 1", 5],
  ["head -c 100000 >/dev/null; exit 1", 5],
  // That says nothing of the backup.
  ["kill -9 $$", 1],
])(
  "a drill ends when the pg_restore that counts the rows does: %s",
  async (end, expected) => {
    await makeBackup(sandbox);
    sandbox.replaceClient(
      "pg_restore",
      postgres.binDirectory,
      `case " $* " in *--data-only*--file=-*) ${end};; esac; exec "$real" "$@"`,
    );
    const run = sandbox.start("drill");
    const timer = setTimeout(() => run.child.kill("SIGKILL"), LIMIT_MS);
    const { code, signal, stderr } = await run.ended;
    clearTimeout(timer);
    expect([code, signal], stderr).toEqual([expected, null]);
    expect(stderr).toMatch(/pg_restore [\d.]+ (exited with 1|was ended by SIGKILL)/);
    expect(await sql(postgres, "postgres", "SELECT 1 FROM pg_database WHERE datname LIKE 'provision%'")).toEqual([]);
  },
  2 * LIMIT_MS,
);
