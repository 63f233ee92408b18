import { readFile } from "node:fs/promises";
import { Client } from "pg";

/** Options of {@link createSampleDatabase}. */
export interface SampleOptions {
  /** The wanted size on disk in megabytes, at least 1; what comes out is near it. */
  readonly megabytes: number;
}

/**
 * Creates the database that the URL names, which must not exist, and fills it with generated data: one of nearly
 * everything that PostgreSQL can hold, with values that are about as compressible as a shop's. The same size gives the same
 * data. The role must be a superuser: the sample has roles of its own, `Sample Owner` and `sample_reader`.
 */
export async function createSampleDatabase(url: string, options: SampleOptions): Promise<void> {
  const database = decodeURIComponent(new URL(url).pathname.slice(1));
  const maintenance = new URL(url);
  maintenance.pathname = "/postgres";
  await withClient(maintenance.href, (client) =>
    client.query(`CREATE DATABASE ${client.escapeIdentifier(database)} TEMPLATE template0`),
  );
  const statements = await readFile(new URL("sample-database.sql", import.meta.url), "utf8");
  await withClient(url, async (client) => {
    await client.query("SELECT set_config('sample.scale', $1, false)", [
      String(Math.max(1, Math.round(options.megabytes))),
    ]);
    await client.query(statements);
  });
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
