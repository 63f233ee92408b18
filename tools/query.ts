import { Client, type QueryResultRow } from "pg";

/** Runs one statement, or several without parameters, over a connection of its own. */
export async function query<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result: unknown = await client.query<Row>(sql);
    // Several statements give several results.
    return Array.isArray(result) ? [] : (result as { rows: Row[] }).rows;
  } finally {
    await client.end();
  }
}
