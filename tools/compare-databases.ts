import { Client } from "pg";
import { catalogueQueries } from "./catalogue.ts";

/** What {@link compareDatabases} found. */
export interface Comparison {
  /** The tables and materialised views whose rows were compared, by their qualified names, with the first's rows. */
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
  /** What differs, one sentence each; none where the databases are the same. */
  readonly differences: readonly string[];
}

/**
 * Compares two databases: everything in the catalogue that {@link catalogueQueries} ask for, large objects, and each table's
 * rows by number and by a hash that does not depend on their order. The roles must be superusers.
 */
export async function compareDatabases(urlA: string, urlB: string): Promise<Comparison> {
  const majors = await Promise.all([urlA, urlB].map((url) => withClient(url, majorOf)));
  const queries = catalogueQueries(Math.min(...majors));
  const [a, b] = await Promise.all([urlA, urlB].map((url) => withClient(url, (client) => describe(client, queries))));
  if (a === undefined || b === undefined) throw new RangeError("two databases without two descriptions");
  const differences = [...a.facts].flatMap(([name, value]) => {
    const other = b.facts.get(name);
    if (other === value) return [];
    return [
      other === undefined
        ? `${name} is only in the first.`
        : `${name} differs: ${value} in the first, ${other} in the second.`,
    ];
  });
  for (const name of b.facts.keys()) {
    if (!a.facts.has(name)) differences.push(`${name} is only in the second.`);
  }
  return { tables: a.tables, differences };
}

/** How many differences {@link tellDifferences} writes out, and how many characters of each. */
const TOLD = 10;
const TOLD_CHARACTERS = 240;

/** What to tell a person of differences: how many there are, and the first ten. */
export function tellDifferences(differences: readonly string[]): string {
  const first = differences
    .slice(0, TOLD)
    .map((each) => `  - ${each.length > TOLD_CHARACTERS ? `${each.slice(0, TOLD_CHARACTERS)} …` : each}`);
  const more = differences.length > TOLD ? [`  - and ${differences.length - TOLD} more`] : [];
  return [`The two databases differ in ${differences.length} places:`, ...first, ...more].join("\n");
}

interface Description {
  readonly facts: ReadonlyMap<string, string>;
  readonly tables: Comparison["tables"];
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function majorOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ major: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS major",
  );
  return rows[0]?.major ?? 0;
}

async function describe(client: Client, queries: Readonly<Record<string, string>>): Promise<Description> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  // Only qualified names are unambiguous, and the text of a value must not depend on the database's settings.
  await client.query(
    "SET search_path = ''; SET row_security = off; SET timezone = 'UTC'; SET datestyle = 'ISO'; " +
      "SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
  );
  const facts = new Map<string, string>();
  for (const [kind, query] of Object.entries(queries)) {
    const { rows } = await client.query<{ name: string; definition: string }>(query);
    for (const row of rows) facts.set(`${kind} ${row.name}`, row.definition);
  }
  for (const name of await names(client, sequences)) {
    const { rows } = await client.query<{ at: string }>(
      `SELECT concat_ws(' ', last_value, is_called) AS at FROM ${name}`,
    );
    facts.set(`the value of ${name}`, String(rows[0]?.at));
  }
  const tables: { name: string; rows: number }[] = [];
  for (const name of await names(client, tablesWithRows)) {
    const { rows, hash } = await hashRows(client, name);
    tables.push({ name, rows });
    facts.set(`the content of ${name}`, `${rows} rows, hash ${hash}`);
  }
  return { facts, tables };
}

const sequences = `SELECT seqrelid::regclass::text AS name FROM pg_sequence ORDER BY name`;

const tablesWithRows = `
  SELECT c.oid::regclass::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
  WHERE nspname !~ '^(pg_|information_schema$)' AND (relkind = 'r' OR relkind = 'm' AND relispopulated) ORDER BY name`;

async function names(client: Client, query: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(query);
  return rows.map((row) => row.name);
}

/** A sum does not depend on the order of the rows, and unlike an exclusive or it sees a row that is there twice. */
async function hashRows(client: Client, table: string): Promise<{ rows: number; hash: string }> {
  const { rows } = await client.query<{ rows: string; hash: string }>(
    `SELECT count(*) AS rows, concat_ws(' ', sum(hashtextextended("the row"::text, 0)), sum(hashtextextended("the row"::text, 1))) AS hash
     FROM ONLY ${table} AS "the row"`,
  );
  const [only] = rows;
  if (only === undefined) throw new Error(`count(*) of ${table} gave no row.`);
  return { rows: Number(only.rows), hash: only.hash };
}
