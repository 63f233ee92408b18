import { Client } from "pg";
import type { Postgres } from "../../tools/postgres.ts";

/** Runs a statement as the superuser in one of a server's databases. */
export async function sql<Row extends object>(postgres: Postgres, database: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: postgres.url(database) });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Adds a table of so many rows, each with 32 bytes that do not compress. */
export async function addNoise(postgres: Postgres, database: string, rows: number): Promise<void> {
  const columns = "n, gen_random_uuid() AS one, gen_random_uuid() AS two";
  await sql(postgres, database, `CREATE TABLE noise AS SELECT ${columns} FROM generate_series(1, ${rows}) n`);
}

/** Makes an empty database, in the place of one of the same name, and gives its URL. */
export async function emptyDatabase(postgres: Postgres, name: string): Promise<string> {
  await sql(postgres, "postgres", `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  await sql(postgres, "postgres", `CREATE DATABASE "${name}" TEMPLATE template0`);
  return postgres.url(name);
}

/** How many relations a database has of its own. */
export async function relationCount(postgres: Postgres, database: string): Promise<number> {
  const [row] = await sql<{ count: string }>(
    postgres,
    database,
    "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')",
  );
  return Number(row?.count);
}
