import type { DatabaseArtifact, Omission } from "../database.ts";
import { programOf, type Source } from "../postgres/dump/backup.ts";
import { databaseString } from "../postgres/programs/libpq-environment.ts";
import { type Program, readFrom } from "../postgres/programs/program.ts";
import { beginningOfPart, END_OF_PART, literal } from "../postgres/artifacts/sql-artifact.ts";
import { BEGIN_SESSION } from "../postgres/connect/control-connection.ts";

/** One step of a part that holds rows. */
type RowsStep =
  /** SQL that stands in the part as it is. */
  | { readonly sql: string }
  /** The rows of a query, as the data of a COPY into what `into` names. */
  | { readonly copy: string; readonly into: string };

/** A part that psql writes and psql reads: statements, and rows that stream through in the form of COPY. */
function rowsPart(source: Source, name: string, title: string, steps: readonly RowsStep[]): DatabaseArtifact {
  const print = (text: string): string => `SELECT ${literal(text)}`;
  const commands = [
    BEGIN_SESSION,
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    `SET TRANSACTION SNAPSHOT '${source.snapshot}'`,
    "SET search_path = ''",
    // As for pg_dump: an error is better than missing rows.
    "SET row_security = off",
    print(beginningOfPart(title)),
    ...steps.flatMap((step) =>
      "sql" in step
        ? [print(`${step.sql};`)]
        : [print(`COPY ${step.into} FROM stdin;`), `COPY (${step.copy}) TO STDOUT`, print("\\.\n")],
    ),
    print(`\n${END_OF_PART.trimEnd()}`),
  ];
  const psql: Program = {
    ...programOf(source),
    name: "psql",
    args: [
      ...psqlArguments(source.settings.connection.database),
      "--tuples-only",
      "--no-align",
      ...commands.map((command) => `--command=${command}`),
    ],
  };
  return { name, format: "sql", required: true, covers: [title], open: (signal) => readFrom(psql, signal) };
}

/** The arguments of every psql: it ends at the first error, and writes errors with their SQLSTATEs and names. */
export function psqlArguments(database: string): string[] {
  return [
    `--dbname=${databaseString(database)}`,
    "--no-psqlrc",
    "--no-password",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=verbose",
  ];
}

/**
 * pgmq's queues with their messages. In some of its versions a queue's tables belong to the extension, and pg_dump then
 * leaves them out.
 */
export async function queuesPart(source: Source): Promise<{ artifact: DatabaseArtifact; omitted: Omission[] }> {
  const queues = await source.control.query<{ name: string; partitioned: boolean; unlogged: boolean }>(
    "SELECT queue_name AS name, is_partitioned AS partitioned, is_unlogged AS unlogged FROM pgmq.meta ORDER BY queue_name",
  );
  const tables = await source.control.query<{ queue: string; table: string; columns: string; sequence: string | null }>(
    `SELECT queue_name AS queue, c.oid::regclass::text AS table,
       (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns,
       pg_get_serial_sequence(c.oid::regclass::text, 'msg_id') AS sequence
     FROM pgmq.meta JOIN pg_class AS c ON relnamespace = 'pgmq'::regnamespace AND relname IN (lower('q_' || queue_name), lower('a_' || queue_name),
       'q_' || queue_name, 'a_' || queue_name)
     WHERE NOT is_partitioned ORDER BY c.oid`,
  );
  const plain = queues.filter(({ partitioned }) => !partitioned);
  const steps: RowsStep[] = plain.map(({ name, unlogged }) => ({
    sql: `SELECT pgmq.${unlogged ? "create_unlogged" : "create"}(${literal(name)})`,
  }));
  for (const { table, columns, sequence } of tables) {
    steps.push({ copy: `SELECT ${columns} FROM ${table}`, into: `${table} (${columns})` });
    if (sequence === null) continue;
    const { value, called } = await source.control.one<{ value: string; called: boolean }>(
      `SELECT last_value AS value, is_called AS called FROM ${sequence}`,
    );
    steps.push({ sql: `SELECT setval(${literal(sequence)}, ${value}, ${called})` });
  }
  const title = `${plain.length} queues of pgmq with their messages and archives`;
  const omitted = queues
    .filter(({ partitioned }) => partitioned)
    .map(({ name }) => ({
      artifact: "queues.sql",
      reason: `The queue ${name} is partitioned, and such queues are not backed up.`,
    }));
  return { artifact: rowsPart(source, "queues.sql", title, steps), omitted };
}

/** What a backup does with the vault's secrets. */
export type VaultMode = "leave-out" | "export";

/** Vault's secrets, decrypted or not at all: only the project's own server has the key of the encrypted ones. */
export async function vaultPart(
  source: Source,
  mode: VaultMode,
): Promise<{ artifact?: DatabaseArtifact; omitted: Omission[] }> {
  const { count } = await source.control.one<{ count: number }>("SELECT count(*)::int AS count FROM vault.secrets");
  if (mode === "leave-out") {
    if (count === 0) return { omitted: [] };
    const reason =
      `Vault has ${count} secrets that cannot be recovered from this backup: they are encrypted with a key that only this project's ` +
      "server has. Set `vault: export` on the database to keep them, which requires `encryption` on the job.";
    return { omitted: [{ artifact: "vault.sql", reason }] };
  }
  const columns = "secret, name, description";
  const artifact = rowsPart(source, "vault.sql", `${count} secrets of Vault, decrypted`, [
    // By way of a table: a secret in a statement could end up in a log.
    {
      sql: "CREATE TEMPORARY TABLE provision_vault (at bigint, secret text, name text, description text) ON COMMIT DROP",
    },
    {
      copy: "SELECT row_number() OVER (ORDER BY created_at, id), decrypted_secret, name, description FROM vault.decrypted_secrets ORDER BY 1",
      into: "pg_temp.provision_vault",
    },
    {
      sql: `SELECT count(vault.create_secret(${columns})) FROM (SELECT ${columns} FROM pg_temp.provision_vault ORDER BY at) AS secrets`,
    },
  ]);
  return { artifact, omitted: [] };
}
