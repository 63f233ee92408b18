import type { FaultyPostgres } from "./postgres-server.ts";

/** The databases that jobs back up. `poisoned` can be dumped, and its restore fails at a row. */
export const DATABASES = ["small", "other", "large", "poisoned"] as const;
export type Source = (typeof DATABASES)[number];

/** What a database holds, table by table: `schema.table|rows|MD5 of its rows`. */
export type Content = readonly string[];

/** Makes the databases of a server. Some of their rows hold the marker, which must never be seen outside of a backup. */
export async function makeSources(postgres: FaultyPostgres, marker: string): Promise<Map<Source, Content>> {
  const contents = new Map<Source, Content>();
  for (const source of DATABASES) {
    await postgres.sql("postgres", `CREATE DATABASE ${source} TEMPLATE template0;`);
    await postgres.sql(source, schema(source, marker));
    contents.set(source, await contentOf(postgres, source));
  }
  return contents;
}

/** What a database holds now. */
export async function contentOf(postgres: FaultyPostgres, database: string): Promise<Content> {
  const tables = await postgres.sql(
    database,
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables " +
      "WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' AND tablename !~ '^churn' ORDER BY 1;",
  );
  if (tables.length === 0) return [];
  const each = tables.map(
    (table) =>
      `SELECT '${table.replaceAll("'", "''")}' || '|' || count(*) || '|' || ` +
      `coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text) COLLATE "C")), '') FROM ${table} t;`,
  );
  return postgres.sql(database, each.join("\n"));
}

/** How many relations somebody has made in a database. */
export async function relationsOf(postgres: FaultyPostgres, database: string): Promise<number> {
  const [count] = await postgres.sql(
    database,
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace " +
      "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';",
  );
  return Number(count);
}

function schema(source: Source, marker: string): string {
  const rows = { small: 4_000, other: 1_500, large: 6_000, poisoned: 500 }[source];
  const common = `
    CREATE SCHEMA shop;
    CREATE TYPE shop.mood AS ENUM ('glad', 'sad');
    CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, iban text,
      mood shop.mood DEFAULT 'glad', facts jsonb, picture bytea);
    INSERT INTO shop.customers (name, iban, facts, picture)
      SELECT 'customer ' || n || ' of ${source}', CASE WHEN n % 97 = 0 THEN '${marker}' || n ELSE md5(n::text) END,
        jsonb_build_object('n', n), decode(md5('p' || n), 'hex') FROM generate_series(1, ${rows}) n;
    CREATE TABLE shop.orders (id int PRIMARY KEY, customer bigint REFERENCES shop.customers, note text, at timestamptz);
    INSERT INTO shop.orders SELECT n, 1 + n % ${rows}, repeat(md5(n::text), 3), 'epoch'::timestamptz + n * interval '1 h'
      FROM generate_series(1, ${rows * 2}) n;
    CREATE INDEX ON shop.orders (customer);
    CREATE VIEW shop.busy AS SELECT customer, count(*) FROM shop.orders GROUP BY 1;
    CREATE TABLE public."odd ""name"", with | and '" (x text);
    INSERT INTO public."odd ""name"", with | and '" VALUES (E'a\\tb\\nc\\\\'), (NULL), ('');
    SELECT lo_from_bytea(0, decode(repeat(md5('lo'), 200), 'hex'));`;
  const large = `
    CREATE TABLE public.bulk AS SELECT n AS id, (SELECT string_agg(md5(n || '-' || i), '') FROM generate_series(1, 32) i) AS text
      FROM generate_series(1, 55000) n;`;
  const poisoned = `
    CREATE TABLE public.z_parents (name text);
    INSERT INTO public.z_parents SELECT '${marker}' || n FROM generate_series(1, 50) n;
    CREATE FUNCTION public.is_known(k text) RETURNS boolean LANGUAGE sql AS
      'SELECT EXISTS (SELECT FROM public.z_parents p WHERE p.name = k)';
    CREATE TABLE public.a_children (name text CHECK (public.is_known(name)), iban text);
    INSERT INTO public.a_children SELECT name, 'DE89 ${marker}' FROM public.z_parents;`;
  return common + (source === "large" ? large : "") + (source === "poisoned" ? poisoned : "");
}
